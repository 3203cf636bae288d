"""What is measured, by the name that --servers gives it: how each is started and where it takes requests. The servers of
others that are Python are in peers.py."""
import http.client
import os
import pathlib
import socket
import urllib.request

from scale.cluster import free_ports

from .payloads import GRPC_METHODS, PROTOCOLS

REQUESTS = ("small", "large")


def answers(url):
    with urllib.request.urlopen(url, timeout=2) as response:
        return response.status == 200


class Server:
    name = ""              # in --servers
    title = ""             # in the tables
    kind = "ours"          # or "floor" (nothing but the library), "peer"
    protocols = PROTOCOLS
    payloads = REQUESTS
    connections = None     # None: all that are asked for
    checks_answers = True  # whether they mean something
    stays = True           # started once a run; else before each round's cases of it, and ended after them
    start_seconds = 60

    def __init__(self, paths, folder):
        """`folder` is its own, for files and logs."""
        self.paths, self.folder = paths, folder
        self.rest_port, self.grpc_port = free_ports(2)

    @classmethod
    def setup_step(cls):
        """The step of tools/setup that installs it, or None."""

    def missing(self):
        """Why it cannot run here, or None."""

    def prepare(self):
        """Writes the files that it needs."""

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def is_up(self):
        return answers(f"http://127.0.0.1:{self.rest_port}/v2/health/ready")

    def url(self, protocol, model):
        if protocol in GRPC_METHODS:
            return f"http://127.0.0.1:{self.grpc_port}/{GRPC_METHODS[protocol]}"
        path = f"/v1/models/{model}:predict" if protocol == "tfs-rest" else f"/v2/models/{model}/infer"
        return f"http://127.0.0.1:{self.rest_port}{path}"


class Ours(Server):
    """tidegate-runtime with one of its backends."""
    models = ("half_plus_two", "mlp")
    backend = ""
    flags = ()

    def missing(self):
        return None if self.paths.runtime.exists() else f"{self.paths.runtime} is not built"

    def prepare(self):
        configs = "".join(f'config {{ name: "{model}" base_path: "{self.paths.models / self.backend / model}" }}\n'
                          for model in self.models)
        (self.folder / "models").write_text(f"model_config_list {{\n{configs}}}\n")

    def command(self):
        return [self.paths.runtime, "serve", f"--model-config-file={self.folder / 'models'}", f"--port={self.grpc_port}",
                f"--rest_api_port={self.rest_port}", "--bind-address=127.0.0.1", "--drain-seconds=0",
                f"--termination-log={self.folder / 'end'}", *self.flags]


class Onnx(Ours):
    name, title, backend = "onnx", "tidegate-runtime, onnx", "onnx"


class TensorFlow(Ours):
    name, title, backend = "tensorflow", "tidegate-runtime, tensorflow", "tensorflow"


class LiteRt(Ours):
    name, title, backend = "litert", "tidegate-runtime, litert", "litert"


class Null(Ours):
    name, title, backend = "null", "tidegate-runtime, null backend", "null"
    checks_answers = False

    def missing(self):
        return super().missing() or (None if self.paths.null_backend.exists() else f"{self.paths.null_backend} is not built")

    def prepare(self):
        super().prepare()
        self.flags = (f"--backend-dir={self.paths.null_backend.parent}",)


class Batching:
    """For the gain of batching: one row a request, 32 connections."""
    models = ("mlp", "wide")
    payloads = ("row", "wide")
    protocols = ("oip-grpc",)
    connections = 32


class OnnxAlone(Batching, Onnx):
    name, title = "onnx-alone", "onnx, one by one"


class OnnxBatched(Batching, Onnx):
    name, title, flags = "onnx-batched", "onnx, --enable-batching", ("--enable-batching",)


class TensorFlowAlone(Batching, TensorFlow):
    name, title = "tensorflow-alone", "tensorflow, one by one"


class TensorFlowBatched(Batching, TensorFlow):
    name, title, flags = "tensorflow-batched", "tensorflow, --enable-batching", ("--enable-batching",)


class Loading:
    """For the tail of one model while another is loaded beside it, again and again."""
    models = ("mlp", "wide")
    payloads = ()
    flags = ("--allow-model-control",)
    _connection = None

    def change(self, model, verb):
        """Loads or unloads; returns when it is done. Over a connection that stays: a new urlopen costs 2.5 ms of a core that
        the requests in flight have to wait for."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=60)
        self._connection.request("POST", f"/v2/repository/models/{model}/{verb}", b"{}")
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise OSError(f"{verb} of {model} answered {answer.status}: {body[:300]!r}")


class OnnxLoading(Loading, Onnx):
    name = "onnx-loading"


class TensorFlowLoading(Loading, TensorFlow):
    name = "tensorflow-loading"


class Floor(Server):
    kind = "floor"
    checks_answers = False
    program = ""

    def missing(self):
        program = self.paths.floors / self.program
        return None if program.exists() else f"{program} is not built"

    def is_up(self):
        socket.create_connection(("127.0.0.1", self.rest_port), 1).close()
        return True


class RestEcho(Floor):
    name, title, program = "rest-echo", "bare Beast, fixed answer", "rest_echo"
    protocols = ("tfs-rest", "oip-rest", "oip-rest-binary")

    def command(self):
        return [self.paths.floors / self.program, self.rest_port]


class GrpcEcho(Floor):
    name, title, program = "grpc-echo", "bare completion queue, fixed answer", "grpc_echo"
    protocols = ("oip-grpc",)

    def command(self):
        self.rest_port = self.grpc_port
        return [self.paths.floors / self.program, self.grpc_port]


class Triton(Server):
    """tritonserver of the wheel nvidia-pytriton with an ONNX backend that the user has built: $TRITON_ONNX_BACKEND names
    the shared object."""
    name, title, kind = "triton", "Triton, onnxruntime", "peer"
    protocols = ("oip-rest", "oip-rest-binary", "oip-grpc")

    @classmethod
    def setup_step(cls):
        return cls.name if os.environ.get("TRITON_ONNX_BACKEND") else None

    def missing(self):
        backend = os.environ.get("TRITON_ONNX_BACKEND")
        if not backend:
            return "TRITON_ONNX_BACKEND is not set"
        if not pathlib.Path(backend).is_file():
            return f"TRITON_ONNX_BACKEND: {backend} is not there"
        return None if self._wheel() else "tools/setup triton has not been run"

    def _wheel(self):
        return next(iter((self.paths.peers / "triton").glob("lib/python3*/site-packages")), None)

    def prepare(self):
        site = self._wheel()
        backend = self.folder / "backends/onnxruntime"
        backend.mkdir(parents=True)
        (backend / "libtriton_onnxruntime.so").symlink_to(pathlib.Path(os.environ["TRITON_ONNX_BACKEND"]).resolve())
        library = next((site / "onnxruntime/capi").glob("libonnxruntime.so.1*"))
        (backend / "libonnxruntime.so.1").symlink_to(library)
        for model, (takes, gives) in {"half_plus_two": ("-1", "-1"), "mlp": ("-1, 784", "-1, 10")}.items():
            version = self.folder / "models" / model / "1"
            version.mkdir(parents=True)
            (version / "model.onnx").symlink_to(self.paths.models / "onnx" / model / "1/model.onnx")
            (version.parent / "config.pbtxt").write_text(
                f'name: "{model}"\nbackend: "onnxruntime"\nmax_batch_size: 0\n'
                f'input [{{ name: "x" data_type: TYPE_FP32 dims: [{takes}] }}]\n'
                f'output [{{ name: "y" data_type: TYPE_FP32 dims: [{gives}] }}]\n'
                'parameters { key: "intra_op_thread_count" value { string_value: "1" } }\n')

    def command(self):
        return [self._wheel() / "pytriton/tritonserver/bin/tritonserver", "--model-repository", self.folder / "models",
                "--backend-directory", self.folder / "backends", "--http-address", "127.0.0.1", "--http-port", self.rest_port,
                "--grpc-address", "127.0.0.1", "--grpc-port", self.grpc_port, "--allow-metrics=false"]

    def environment(self):
        site = self._wheel()
        folders = (self.folder / "backends/onnxruntime", site / "nvidia_pytriton.libs", site / "pytriton/tritonserver/lib")
        return {"LD_LIBRARY_PATH": ":".join(map(str, folders)), "CUDA_VISIBLE_DEVICES": ""}
