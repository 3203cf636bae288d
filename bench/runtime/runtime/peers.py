"""The model servers in Python, each in a virtual environment of its own that tools/setup makes (peers/NAME.txt pins it),
each with ONNX Runtime on one thread and one worker. They are measured with the small model only: what they cost is the
server. peers/NAME.py is the program that serves."""
import json

from .servers import Server, answers


class PythonPeer(Server):
    kind = "peer"
    payloads = ("small",)
    program = ""           # of the environment's bin
    start_seconds = 120

    @classmethod
    def setup_step(cls):
        return cls.name

    @property
    def environment_folder(self):
        return self.paths.peers / self.name

    @property
    def script(self):
        return self.paths.bench / "peers" / f"{self.name}.py"

    def missing(self):
        return None if (self.environment_folder / "bin" / self.program).exists() else f"tools/setup {self.name} has not been run"

    def command(self):
        return [self.environment_folder / "bin/python", self.script]

    def environment(self):
        return {"BENCH_MODELS": str(self.paths.models / "onnx"), "BENCH_REST_PORT": str(self.rest_port),
                "BENCH_GRPC_PORT": str(self.grpc_port), "PATH": f"{self.environment_folder}/bin:/usr/bin:/bin",
                "HOME": str(self.folder), "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(self.script.parent)}


class MlServer(PythonPeer):
    """Without worker processes, which cost it more than they bring on two cores."""
    name, title, program = "mlserver", "MLServer", "mlserver"
    protocols = ("oip-rest", "oip-grpc")

    def prepare(self):
        (self.folder / "settings.json").write_text(json.dumps({
            "host": "127.0.0.1", "http_port": self.rest_port, "grpc_port": self.grpc_port, "metrics_endpoint": None,
            "parallel_workers": 0, "debug": False}))
        (self.folder / "half_plus_two").mkdir()
        (self.folder / "half_plus_two/model-settings.json").write_text(json.dumps({
            "name": "half_plus_two", "implementation": "mlserver_onnx.OnnxModel",
            "parameters": {"uri": str(self.paths.models / "onnx/half_plus_two/1/model.onnx"), "version": "1"}}))

    @property
    def script(self):
        return self.paths.bench / "peers/mlserver_onnx.py"

    def command(self):
        return [self.environment_folder / "bin/mlserver", "start", self.folder]


class KServe(PythonPeer):
    name, title, program = "kserve-python", "KServe's Python server", "python"
    protocols = ("oip-rest", "oip-grpc")

    @property
    def script(self):
        return self.paths.bench / "peers/kserve_onnx.py"


class OwnRest(PythonPeer):
    """Speaks no protocol of others: it is asked as TensorFlow Serving is, at a path of its own."""
    protocols = ("tfs-rest",)
    path = "/predict"
    ready = ""

    def is_up(self):
        return answers(f"http://127.0.0.1:{self.rest_port}{self.ready}")

    def url(self, protocol, model):
        return f"http://127.0.0.1:{self.rest_port}{self.path}"

    @property
    def script(self):
        return self.paths.bench / f"peers/{self.name}_onnx.py"


class LitServe(OwnRest):
    name, title, program, ready = "litserve", "LitServe", "python", "/health"


class BentoMl(OwnRest):
    name, title, program, ready = "bentoml", "BentoML", "bentoml", "/readyz"

    def command(self):
        return [self.environment_folder / "bin/bentoml", "serve", "bentoml_onnx:HalfPlusTwo", "--host", "127.0.0.1", "--port",
                self.rest_port, "--working-dir", self.script.parent]

    def environment(self):
        return {**super().environment(), "BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(self.folder)}


class RayServe(OwnRest):
    """Has processes that are busy when no one asks, and cannot be stopped for a while: started for its cases alone."""
    name, title, program, ready, stays = "ray", "Ray Serve", "ray", "/-/healthz", False

    def environment(self):
        return {**super().environment(), "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": f"/tmp/tidegate-ray-{self.rest_port}"}
