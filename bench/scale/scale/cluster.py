"""A bare control plane on the loopback: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and kwok in the
place of the kubelets. Everything is fresh at each start, on free ports, and gone at the end.

etcd lives in memory and does not sync, and clients are not limited: what is measured is the controller, not a disk. The
API server's audit log counts what the controller asks.
"""
import base64
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile

from . import audit
from .api import Api
from .processes import Processes, wait_until

CONTROLLER = "controller"   # the user whose requests are counted
HARNESS = "harness"
USERS = (HARNESS, CONTROLLER, "manager", "scheduler", "kwok")
NAMESPACE = "bench"
POD_NETWORK = "10.64.0.0/12"
STAGES = pathlib.Path(__file__).resolve().parents[1] / "kwok" / "stages.yaml"

# Unlimited, for this machine: the clients of the control plane must not be what a phase waits for.
CLIENT_RATE = ("--kube-api-qps=2000", "--kube-api-burst=4000")
NOT_NEEDED = ("node-ipam-controller", "cloud-node-lifecycle-controller", "node-route-controller", "service-lb-controller",
              "persistentvolume-attach-detach-controller", "persistentvolume-binder-controller",
              "persistentvolume-expander-controller", "horizontal-pod-autoscaler-controller")

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata", "users": [CONTROLLER]},
              {"level": "Metadata", "users": [HARNESS], "verbs": ["create", "patch", "update", "delete"]},
              {"level": "None"}]}


def free_ports(count):
    """So many ports of the loopback that nobody has now; all are held until the last is known."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def token(user):
    return f"token-of-{user}"


class Cluster:
    """`with Cluster(paths, folder, nodes) as cluster:`; folder keeps the logs."""

    def __init__(self, paths, folder, nodes):
        self.paths, self.binaries, self.folder, self.nodes = paths, paths.binaries, folder, nodes
        self.processes = Processes(folder)
        self.port, self.etcd_port, self.etcd_peer_port, self.kwok_port = free_ports(4)
        self.etcd_data = None
        self.api = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.processes.end_all()
        if self.etcd_data:
            shutil.rmtree(self.etcd_data, ignore_errors=True)

    @property
    def audit_log(self):
        return self.folder / "audit.log"

    @property
    def authority_file(self):
        return self.folder / "certificates" / "apiserver.crt"

    def kubeconfig(self, user):
        return self.folder / f"{user}.kubeconfig"

    def _start(self):
        self._write_keys()
        self._start_etcd()
        self._start_api_server()
        wait_until(self._api_server_is_ready, "the API server")
        for user in USERS:
            self.kubeconfig(user).write_text(json.dumps(self._kubeconfig(user)))
        self._start_controllers()
        self._make_nodes()
        self.api.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        wait_until(lambda: self.api.get(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"), "the service account")
        self.processes.check_alive()

    def _write_keys(self):
        subprocess.run(["openssl", "genrsa", "-out", "accounts.key", "2048"], cwd=self.folder, check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", "accounts.key", "-pubout", "-out", "accounts.pub"], cwd=self.folder,
                       check=True, capture_output=True)
        self.folder.joinpath("tokens.csv").write_text("".join(f'{token(u)},{u},{u},"system:masters"\n' for u in USERS))
        self.folder.joinpath("audit-policy.json").write_text(json.dumps(AUDIT_POLICY))

    def _start_etcd(self):
        self.etcd_data = tempfile.mkdtemp(prefix="tidegate-scale-", dir="/dev/shm")
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.etcd_peer_port}"
        self.processes.start("etcd", [
            self.binaries / "etcd", "--data-dir", self.etcd_data, "--unsafe-no-fsync", "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"default={peer}", "--quota-backend-bytes", 8 << 30, "--log-level", "warn"])

    def _start_api_server(self):
        self.processes.start("kube-apiserver", [
            self.binaries / "kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{self.etcd_port}",
            "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--secure-port", self.port,
            "--endpoint-reconciler-type", "none", "--cert-dir", self.folder / "certificates",
            "--token-auth-file", self.folder / "tokens.csv", "--authorization-mode", "RBAC",
            "--service-cluster-ip-range", "10.96.0.0/12", "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-key-file", self.folder / "accounts.pub",
            "--service-account-signing-key-file", self.folder / "accounts.key",
            "--audit-policy-file", self.folder / "audit-policy.json", "--audit-log-path", self.audit_log,
            "--enable-priority-and-fairness=false", "--max-requests-inflight", 4000,
            "--max-mutating-requests-inflight", 2000, "--profiling=false"])

    def _api_server_is_ready(self):
        self.processes.check_alive()
        self.api = Api(self.port, token(HARNESS), self.authority_file)
        return self.api.get("/readyz") == "ok"

    def _kubeconfig(self, user):
        authority = base64.b64encode(self.authority_file.read_bytes()).decode()
        return {"apiVersion": "v1", "kind": "Config", "current-context": "bench",
                "clusters": [{"name": "bench", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                           "certificate-authority-data": authority}}],
                "users": [{"name": user, "user": {"token": token(user)}}],
                "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": user}}]}

    def _start_controllers(self):
        # Port 0: another cluster on this machine may have their default ports.
        self.processes.start("kube-controller-manager", [
            self.binaries / "kube-controller-manager", "--kubeconfig", self.kubeconfig("manager"), "--leader-elect=false",
            "--secure-port", 0, "--service-account-private-key-file", self.folder / "accounts.key", *CLIENT_RATE,
            "--concurrent-deployment-syncs", 20, "--concurrent-replicaset-syncs", 20,
            "--controllers=*," + ",".join(f"-{name}" for name in NOT_NEEDED)])
        scheduler = self.folder / "scheduler.json"
        scheduler.write_text(json.dumps({
            "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": False},
            "clientConnection": {"kubeconfig": str(self.kubeconfig("scheduler")), "qps": 2000, "burst": 4000}}))
        self.processes.start("kube-scheduler", [self.binaries / "kube-scheduler", "--config", scheduler, "--secure-port", 0])
        self.processes.start("kwok", [
            self.paths.program("kwok", "KWOK"), "--kubeconfig", self.kubeconfig("kwok"), "--config", STAGES, "--manage-all-nodes",
            "--v=WARN", "--node-lease-duration-seconds", 40, "--cidr", POD_NETWORK,
            "--server-address", f"127.0.0.1:{self.kwok_port}"])

    def _make_nodes(self):
        for number in range(self.nodes):
            name = f"fake-{number}"
            self.api.create("/api/v1/nodes", {"metadata": {
                "name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}}})
        wait_until(lambda: all(map(_is_ready, self.api.get("/api/v1/nodes")["items"])), "the nodes are ready")

    def create_definitions(self, documents):
        """Creates CustomResourceDefinitions and waits until they are served: a while after they are Established the API
        server still refuses with "storage is (re)initializing"."""
        created = [self.api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", document)["spec"]
                   for document in documents if document and document["kind"] == "CustomResourceDefinition"]
        for spec in created:
            version = next(version["name"] for version in spec["versions"] if version["served"])
            path = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"
            wait_until(lambda: self.api.list(path) is not None, f"{path} is served")

    def new_audit_reader(self):
        return audit.Reader(self.audit_log)


def has_condition(found, kind):
    conditions = found.get("status", {}).get("conditions") or []
    return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)


def _is_ready(node):
    return has_condition(node, "Ready")
