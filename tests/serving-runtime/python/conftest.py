"""Real clients against the built tidegate-runtime. TIDEGATE_BUILD names the build folder (default build/dev)."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import requests

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
BUILD = pathlib.Path(os.environ.get("TIDEGATE_BUILD", ROOT / "build/dev"))
RUNTIME = BUILD / "serving-runtime/tidegate-runtime"
START_SECONDS = 60


def run(*arguments):
    """The program with these arguments, from its start to its end."""
    return subprocess.run([RUNTIME, *map(str, arguments)], capture_output=True, text=True, timeout=120)


class Runtime:
    """A running `tidegate-runtime serve`, or what else `program` is; without `model` it is named by the environment."""

    def __init__(self, folder, model, *flags, base_path=None, wait=True, program=(RUNTIME, "serve"), address="127.0.0.1"):
        folder.mkdir(parents=True, exist_ok=True)
        self.model = model
        self.host = f"[{address}]" if ":" in address else address
        self.port_file = folder / "ports.json"
        self.termination_log = folder / "termination-log"
        self.termination_log.touch()
        self.log_path = folder / "log"
        self.log = self.log_path.open("w")
        if not any(flag.startswith("--drain-seconds") for flag in flags):
            flags = (*flags, "--drain-seconds=0.2")
        named = [f"--model_name={model}", f"--model_base_path={base_path}"] if model else []
        command = [
            *program, *named, "--port=0", "--rest_api_port=0",
            f"--bind-address={address}", f"--port-file={self.port_file}", f"--termination-log={self.termination_log}",
            *flags,
        ]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        if wait:
            self.wait_until(lambda: self.get("/v2/health/ready").status_code == 200)

    def wait_until(self, condition):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log_path.read_text()
            try:
                if condition():
                    return
            except (OSError, FileNotFoundError, requests.ConnectionError):
                pass
            time.sleep(0.02)
        raise AssertionError("the runtime did not get there in time:\n" + self.log_path.read_text())

    @property
    def ports(self):
        return json.loads(self.port_file.read_text())

    @property
    def grpc(self):
        return f"{self.host}:{self.ports['grpc']}"

    @property
    def rest(self):
        return f"{self.host}:{self.ports['rest']}"

    def get(self, path):
        return requests.get(f"http://{self.rest}{path}", timeout=30)

    def post(self, path, body, **options):
        data = body if isinstance(body, (str, bytes)) else json.dumps(body)
        return requests.post(f"http://{self.rest}{path}", data=data, timeout=30, **options)

    def options(self, path):
        return requests.options(f"http://{self.rest}{path}", timeout=30)

    def predict(self, body, model=None):
        return self.post(f"/v1/models/{model or self.model}:predict", body)

    def classify(self, body):
        return self.post(f"/v1/models/{self.model}:classify", body)

    def regress(self, body):
        return self.post(f"/v1/models/{self.model}:regress", body)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for maker in ("make_models.py", "make_onnx_models.py", "make_tflite_models.py"):
        subprocess.run([sys.executable, HERE / maker, folder], check=True,
                       env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    return folder


@pytest.fixture(scope="session")
def running(models, tmp_path_factory):
    """running(model): a runtime that serves that model; one for the whole session."""
    open_runtimes = {}

    def start(model):
        if model not in open_runtimes:
            folder = tmp_path_factory.mktemp(f"runtime-{model}")
            open_runtimes[model] = Runtime(folder, model, base_path=models / model)
        return open_runtimes[model]

    yield start
    for runtime in open_runtimes.values():
        runtime.close()


def failed_start(start, model, base_path, *flags):
    """The exit code and the last words of a runtime that does not come up."""
    runtime = start(model, *flags, base_path=base_path, wait=False)
    code = runtime.process.wait(60)
    return code, json.loads(runtime.termination_log.read_text())


@pytest.fixture
def start(models, tmp_path):
    """start(model, *flags): a runtime for this test alone."""
    started = []

    def run(model, *flags, base_path=None, **options):
        runtime = Runtime(tmp_path / f"run{len(started)}", model, *flags, base_path=base_path or (model and models / model), **options)
        started.append(runtime)
        return runtime

    yield run
    for runtime in started:
        runtime.close()
