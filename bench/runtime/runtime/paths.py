"""Where the programs are: our build, and what tools/setup has put into the cache."""
import hashlib
import os
import pathlib
import subprocess
import sys

from scale.processes import CannotRun, say


class Paths:
    def __init__(self, root, runtime=None):
        self.root, self.bench = root, root / "bench/runtime"
        self.cache = pathlib.Path(os.environ.get("TIDEGATE_CACHE") or pathlib.Path.home() / ".cache/tidegate")
        self.peers = self.cache / "peers/serving"
        build = root / "build/release"
        self.runtime = runtime.resolve() if runtime else build / "serving-runtime/tidegate-runtime"
        self.floors = build / "bench/runtime"
        self.null_backend = self.floors / "null_backend/libtidegate_backend_onnx.so"
        makers = [self.bench / "runtime" / name for name in ("make_models.py", "payloads.py")]
        made_by = hashlib.sha256(b"".join(maker.read_bytes() for maker in makers)).hexdigest()[:12]
        self.models = root / "build/bench/runtime-models" / made_by

    def make_models(self):
        """Once for each text of the programs that make them; takes half a minute."""
        if (self.models / "expected.json").exists():
            return
        say("making the models")
        made = subprocess.run([sys.executable, "-m", "runtime.make_models", self.models], cwd=self.bench, capture_output=True,
                              text=True, check=False, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""})
        if made.returncode != 0:
            raise CannotRun(f"the models cannot be made: {made.stderr[-2000:]}")
