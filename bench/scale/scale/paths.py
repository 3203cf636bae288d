"""Where the programs and the peers' own files are: what tools/setup has put into the cache, and our build."""
import os
import pathlib
import re

from .processes import CannotRun


class Paths:
    def __init__(self, root):
        self.root, self.bench = root, root / "bench/scale"
        self.cache = pathlib.Path(os.environ.get("TIDEGATE_CACHE") or pathlib.Path.home() / ".cache/tidegate")
        self.binaries = self.cache / "bin"
        self.operator = root / "build/release/operator/tidegate-operator"
        self.versions = dict(re.findall(r"^(\w+)=(\S+)", (root / "tools/versions.env").read_text(), re.MULTILINE))

    def version(self, pinned):
        """Of versions.env, such as "v1.10.1" for ARGO_ROLLOUTS."""
        return "v" + self.versions[f"{pinned}_VERSION"]

    def program(self, name, pinned):
        return self.binaries / f"{name}-{self.version(pinned)}"

    def kept(self, name, pinned):
        """The folder with what tools/setup kept of a peer's source."""
        return self.cache / "peers" / f"{name}-{self.version(pinned)}"

    def check(self, peers):
        """CannotRun when a program is missing; says how to get it."""
        programs = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
        needed = {self.binaries / program: "tools/setup kubernetes etcd" for program in programs}
        needed[self.program("kwok", "KWOK")] = "tools/setup kwok"
        for peer in peers:
            if peer.program:
                needed[self.program(peer.program, peer.pinned)] = f"tools/setup {peer.name}"
            else:
                needed[self.operator] = "tools/compile release tidegate-operator"
        missing = {path: how for path, how in needed.items() if not path.exists()}
        if missing:
            raise CannotRun("missing: " + "; ".join(f"{path} (run: {how})" for path, how in missing.items()))
