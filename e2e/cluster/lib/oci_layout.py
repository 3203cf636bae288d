"""An OCI image layout on disk, as buildah writes it, read for containerd.

  oci_layout.py digest LAYOUT NAME             the manifest's digest; fails when the layout has no such image
  oci_layout.py archive LAYOUT NAME REFERENCE  an archive for `ctr images import` on standard output. Digests on
                                               standard input are in containerd already: their blobs are left out,
                                               so that a new build of a large image sends only what has changed.
  oci_layout.py prune LAYOUT                   deletes blobs that no image of the layout uses any more
"""
import io
import json
import pathlib
import sys
import tarfile

REFERENCE_NAME = "org.opencontainers.image.ref.name"


class Layout:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def images(self):
        index = self.folder / "index.json"
        return json.loads(index.read_text())["manifests"] if index.exists() else []

    def image(self, name):
        for manifest in self.images():
            if manifest.get("annotations", {}).get(REFERENCE_NAME) == name:
                return manifest
        sys.exit(f"{self.folder} holds no image called {name}")

    def blob(self, digest):
        return self.folder / "blobs" / digest.replace(":", "/")

    def digests_of(self, manifest):
        """The manifest's own digest, its configuration's and its layers', each of them a blob."""
        content = json.loads(self.blob(manifest["digest"]).read_text())
        return [manifest["digest"], content["config"]["digest"], *(layer["digest"] for layer in content["layers"])]


def add_bytes(archive, name, content):
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def write_archive(layout, name, reference, present, output):
    manifest = dict(layout.image(name))
    manifest["annotations"] = {"io.containerd.image.name": reference, REFERENCE_NAME: reference.rpartition(":")[2]}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]}
    with tarfile.open(fileobj=output, mode="w|", bufsize=1 << 20) as archive:
        add_bytes(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add_bytes(archive, "index.json", json.dumps(index).encode())
        for digest in dict.fromkeys(layout.digests_of(manifest)):
            # The manifest always goes along: containerd hangs its references to the other blobs on it.
            if digest not in present or digest == manifest["digest"]:
                archive.add(layout.blob(digest), "blobs/" + digest.replace(":", "/"))


def prune(layout):
    used = {digest for manifest in layout.images() for digest in layout.digests_of(manifest)}
    for blob in (layout.folder / "blobs").glob("*/*"):
        if f"{blob.parent.name}:{blob.name}" not in used:
            blob.unlink()


def main(command, folder, *arguments):
    layout = Layout(folder)
    if command == "digest":
        print(layout.image(*arguments)["digest"])
    elif command == "archive":
        write_archive(layout, *arguments, set(sys.stdin.read().split()), sys.stdout.buffer)
    elif command == "prune":
        prune(layout)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
