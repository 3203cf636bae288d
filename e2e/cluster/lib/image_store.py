"""Reads images out of buildah's storage (containers/storage, overlay driver) for containerd.

  image_store.py digest STORAGE REFERENCE   the digest of the image's manifest
  image_store.py archive STORAGE REFERENCE  an OCI archive for `ctr images import` on standard output. Digests on
                                            standard input are in containerd already: their blobs are left out.

`buildah push` writes every layer again, compressed, whatever has changed: 20 s for an image with TensorFlow inside.
This sends the layers as they are and only those that are missing: a new build of ours takes less than a second.
"""
import base64
import gzip
import io
import json
import pathlib
import sys
import tarfile


class Storage:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.images = json.loads((self.folder / "overlay-images/images.json").read_text())
        self.layers = {
            layer["id"]: layer for layer in json.loads((self.folder / "overlay-layers/layers.json").read_text())
        }

    def image(self, reference):
        for image in self.images:
            if reference in (image.get("names") or []):
                return image
        sys.exit(f"{self.folder} holds no image called {reference}")

    def manifest(self, image):
        """The manifest's bytes: its digest is the image's."""
        return (self.folder / "overlay-images" / image["id"] / "manifest").read_bytes()

    def configuration(self, image, digest):
        name = "=" + base64.b64encode(digest.encode()).decode()
        return (self.folder / "overlay-images" / image["id"] / name).read_bytes()

    def layers_of(self, image):
        """Layers by the digest of their archive."""
        found, layer = {}, self.layers.get(image["layer"])
        while layer:
            found[layer["diff-digest"]] = layer
            layer = self.layers.get(layer.get("parent"))
        return found

    def layer_archive(self, layer):
        """The layer's tar, piece by piece: headers were kept by tar-split, contents lie in the layer's folder."""
        contents = self.folder / "overlay" / layer["id"] / "diff"
        with gzip.open(self.folder / "overlay-layers" / (layer["id"] + ".tar-split.gz"), "rt") as entries:
            for entry in map(json.loads, entries):
                if "name" in entry or "name_raw" in entry:
                    name = entry.get("name") or base64.b64decode(entry["name_raw"]).decode()
                    if entry.get("size"):
                        with open(contents / name, "rb") as file:
                            while piece := file.read(1 << 20):
                                yield piece
                else:
                    yield base64.b64decode(entry["payload"])


class Pieces(io.RawIOBase):
    """A readable file made of an iterator's pieces."""

    def __init__(self, pieces):
        self.pieces, self.rest = pieces, b""

    def readable(self):
        return True

    def readinto(self, buffer):
        self.rest = self.rest or next(self.pieces, b"")
        count = min(len(buffer), len(self.rest))
        buffer[:count], self.rest = self.rest[:count], self.rest[count:]
        return count


def add_blob(archive, digest, size, file):
    entry = tarfile.TarInfo("blobs/" + digest.replace(":", "/") if ":" in digest else digest)
    entry.size = size
    archive.addfile(entry, file)


def write_archive(storage, reference, present, output):
    image = storage.image(reference)
    manifest = storage.manifest(image)
    content, layers = json.loads(manifest), storage.layers_of(image)
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": content["mediaType"],
                "digest": image["digest"],
                "size": len(manifest),
                "annotations": {"io.containerd.image.name": reference},
            }
        ],
    }
    index_bytes, configuration = json.dumps(index).encode(), content["config"]["digest"]
    with tarfile.open(fileobj=output, mode="w|", bufsize=1 << 20) as archive:
        layout = b'{"imageLayoutVersion":"1.0.0"}'
        add_blob(archive, "oci-layout", len(layout), io.BytesIO(layout))
        add_blob(archive, "index.json", len(index_bytes), io.BytesIO(index_bytes))
        # The manifest always goes along: containerd hangs its references to the other blobs on it.
        add_blob(archive, image["digest"], len(manifest), io.BytesIO(manifest))
        if configuration not in present:
            body = storage.configuration(image, configuration)
            add_blob(archive, configuration, len(body), io.BytesIO(body))
        for digest in dict.fromkeys(layer["digest"] for layer in content["layers"]):
            if digest not in present:
                pieces = io.BufferedReader(Pieces(storage.layer_archive(layers[digest])), 1 << 20)
                add_blob(archive, digest, layers[digest]["diff-size"], pieces)


def main(command, folder, reference):
    storage = Storage(folder)
    if command == "digest":
        print(storage.image(reference)["digest"])
    elif command == "archive":
        write_archive(storage, reference, set(sys.stdin.read().split()), sys.stdout.buffer)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
