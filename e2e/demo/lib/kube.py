"""kubectl and the scripts of the cluster, as Python calls. Used by the demo and by the tests on the cluster."""
import json
import os
import pathlib
import subprocess
import threading

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
CACHE = pathlib.Path(os.environ.get("TIDEGATE_CACHE", pathlib.Path.home() / ".cache" / "tidegate"))
SYSTEM = "tidegate-system"


class CommandFailed(Exception):
    """A program ended with an error; the message is what it printed last."""


def run(*command, **options):
    """Runs a command without showing it; returns its output. Its last words are in the exception."""
    done = subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **options)
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-15:]
        raise CommandFailed(f"{' '.join(map(str, command))} ended with {done.returncode}:\n" + "\n".join(words))
    return done.stdout


def kubeconfig():
    return run(ROOT / "e2e/cluster/kubeconfig").strip()


class Kube:
    def __init__(self, config=None):
        self.environment = os.environ | {"KUBECONFIG": config or kubeconfig()}
        self.program = str(CACHE / "bin" / "kubectl")

    def __call__(self, *arguments, stdin=None):
        return run(self.program, *arguments, env=self.environment, input=stdin)

    def get(self, kind, name=None, namespace=None, selector=None):
        """The object, or the list's items when there is no name; None when there is no such object."""
        arguments = ["get", kind, "-o", "json", "--ignore-not-found"]
        arguments += [name] if name else []
        arguments += ["-n", namespace] if namespace else []
        arguments += ["-l", selector] if selector else []
        text = self(*arguments)
        if not text.strip():
            return None if name else []
        return json.loads(text) if name else json.loads(text)["items"]

    def apply(self, text):
        return self("apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-", stdin=text)

    def wait_rollout(self, namespace, *deployments, timeout="180s"):
        for deployment in deployments:
            self("rollout", "status", f"deployment/{deployment}", "-n", namespace, f"--timeout={timeout}")

    def install_tidegate(self):
        """CRDs first: objects of a kind can only be applied once the API server knows it. Does not wait for the pods.

        The images' digests go into the pod templates, so that a new build rolls out though its tag stays the same.
        """
        self("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "crds"))
        self("wait", "--for=condition=Established", "--timeout=30s", "crd", "-l", "app.kubernetes.io/name=tidegate")
        objects = [found for found in yaml.safe_load_all(self("kustomize", str(ROOT / "manifests"))) if found]
        for found in objects:
            if found["kind"] == "Deployment":
                image = found["metadata"]["name"].removeprefix("tidegate-")
                digest = run(ROOT / "e2e/cluster/images", "--digest", image).strip()
                annotations = found["spec"]["template"]["metadata"].setdefault("annotations", {})
                annotations["tidegate.dev/image-digest"] = digest
        self.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


class Watch:
    """Calls `seen(object)` for each state of one object, on a thread of its own, until stopped. Opens it again when the
    API server ends it or goes away."""
    PAUSE = 0.5   # seconds before it is opened again

    def __init__(self, kube, kind, name, namespace, seen):
        self.command = [kube.program, "get", kind, "-n", namespace, "--field-selector", f"metadata.name={name}", "-o",
                        "json", "-w"]
        self.environment, self.seen, self.stopped = kube.environment, seen, threading.Event()
        self.process = self._open()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _open(self):
        return subprocess.Popen(self.command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def _run(self):
        while True:
            self._read()
            self.process.wait()
            if self.stopped.wait(self.PAUSE):
                return
            self.process = self._open()
            if self.stopped.is_set():   # between the two lines above
                self.process.terminate()

    def _read(self):
        decoder, text = json.JSONDecoder(), ""
        while chunk := os.read(self.process.stdout.fileno(), 1 << 16):
            text += chunk.decode(errors="replace")
            while text := text.lstrip():
                try:
                    found, end = decoder.raw_decode(text)
                except ValueError:
                    break   # the rest of it has not arrived yet
                text = text[end:]
                self.seen(found)

    def stop(self):
        self.stopped.set()
        self.process.terminate()
        self.thread.join(timeout=5)
