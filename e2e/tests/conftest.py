"""What every end-to-end test gets: the cluster, a namespace of its own, and waiting for a condition with a deadline."""
import json
import pathlib
import subprocess
import sys
import time
import uuid

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "e2e/tests"), str(ROOT / "e2e/demo/lib")]
pytest_plugins = ["support.fixtures"]
REGISTRY = "tidegate.local"


class Kubectl:
    """kubectl on the cluster in a box, in one namespace."""

    def __init__(self, kubeconfig, namespace):
        self.kubeconfig = kubeconfig
        self.namespace = namespace

    def run(self, *arguments, stdin=None, check=True):
        """The finished process; fails the test with kubectl's words when check is set and kubectl fails."""
        command = ["kubectl", "--kubeconfig", self.kubeconfig, "--namespace", self.namespace, *map(str, arguments)]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(command)}\n{done.stdout}{done.stderr}", pytrace=False)
        return done

    def __call__(self, *arguments, **options):
        """What kubectl printed."""
        return self.run(*arguments, **options).stdout.strip()

    def apply(self, *objects):
        """Applies objects given as dicts or as YAML."""
        for item in objects:
            self("apply", "-f", "-", stdin=item if isinstance(item, str) else json.dumps(item))

    def get(self, *arguments):
        """An object or list as a dict, None when there is no such object."""
        done = self.run("get", *arguments, "-o", "json", check=False)
        if done.returncode == 0:
            return json.loads(done.stdout)
        if "NotFound" in done.stderr:
            return None
        return pytest.fail(f"kubectl get {arguments}: {done.stderr}", pytrace=False)

    def wait(self, condition, *arguments, seconds=60):
        self("wait", f"--for={condition}", f"--timeout={seconds}s", *arguments)

    def in_namespace(self, namespace):
        return Kubectl(self.kubeconfig, namespace)


def eventually(look, wanted, seconds=60, what="the condition"):
    """Calls look() until wanted(its result) is true and returns that result; fails with the last one otherwise."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if wanted(seen):
            return seen
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {seconds} s; last seen: {seen}", pytrace=False)
        time.sleep(0.1)


@pytest.fixture(scope="session")
def cluster():
    """kubectl in the default namespace of the cluster in a box, which must be up (e2e/cluster/up)."""
    status = subprocess.run([ROOT / "e2e/cluster/status"], capture_output=True, text=True, check=False)
    if status.returncode != 0:
        pytest.fail(f"the cluster is not up; start it with e2e/cluster/up\n{status.stdout}{status.stderr}", pytrace=False)
    kubeconfig = subprocess.run([ROOT / "e2e/cluster/kubeconfig"], capture_output=True, text=True, check=True)
    return Kubectl(kubeconfig.stdout.strip(), "default")


@pytest.fixture
def namespace(cluster):
    """kubectl in a namespace made for this test and deleted after it."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster("create", "namespace", name)
    yield cluster.in_namespace(name)
    cluster("delete", "namespace", name, "--wait=false")


def pod(name, command=("sleep", "infinity"), image="base", limits=None):
    """A pod that ends at once when it is told to."""
    container = {"name": "main", "image": f"{REGISTRY}/{image}:dev", "command": list(command)}
    if limits:
        container["resources"] = {"limits": limits}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
    }
