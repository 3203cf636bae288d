"""Our own operator, as shipped, with what it needs around it: the definitions and the runtime of the manifests, an object
store and two gateways (stubs in a process of their own), and a Secret with the store's address.

`tidegate` holds each step for 10 s and measures nothing, as Argo Rollouts does without analysis; `tidegate-analysis`
compares error rate and latency at each step, as a ModelDeployment does by default. Both send requests by weight, through
gateways that confirm every weight; that is more than the peers do, and is what the operator is for.
"""
import base64
import sys

from ..cluster import CONTROLLER, NAMESPACE, free_ports, has_condition
from ..processes import wait_until
from .base import PROGRESS_DEADLINE_SECONDS, REPLICAS, STEP_SECONDS, STEPS, Peer, answers, collection, documents, json_of, sum_of, text_of

GROUP_VERSION = "tidegate.dev/v1alpha1"
SYSTEM = "tidegate-system"
SECRETS = f"/api/v1/namespaces/{SYSTEM}/secrets"
SYSTEM_PODS = f"/api/v1/namespaces/{SYSTEM}/pods"
# Loopback addresses of their own, because every gateway answers on the same port.
GATEWAYS = {"gateway-0": "127.77.0.1", "gateway-1": "127.77.0.2"}
REVISION_LABEL = "tidegate.dev/revision"
REQUEST_TIMEOUT = "5s"     # the old version is kept 5 s longer than its last request may take


class Tidegate(Peer):
    name = "tidegate"
    title = "Tidegate"
    collection = collection(GROUP_VERSION, "modeldeployments")
    analysis = {"checks": []}

    def prepare(self):
        for file in sorted((self.paths.root / "crds").glob("*s.yaml")):
            self.cluster.create_definitions(documents(file))
        runtimes = documents(self.paths.root / "manifests/runtimes.yaml")
        self.api.create_all(lambda _: f"/apis/{GROUP_VERSION}/clusterservingruntimes", runtimes)
        self.api.create("/api/v1/namespaces", {"metadata": {"name": SYSTEM}})
        self.store_port, self.xds_port, self.management_port = free_ports(3)
        self.api.create(f"/api/v1/namespaces/{NAMESPACE}/secrets", {"metadata": {"name": "store"}, "stringData": {
            "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.store_port}"}})
        for name, address in GATEWAYS.items():
            self._make_gateway(name, address)

    def _make_gateway(self, name, address):
        """A pod that runs as far as the API knows; nobody schedules it, so no fake kubelet touches it."""
        labels = {"app.kubernetes.io/part-of": "tidegate", "app.kubernetes.io/component": "gateway"}
        self.api.create(SYSTEM_PODS, {"metadata": {"name": name, "labels": labels}, "spec": {
            "schedulerName": "nobody", "containers": [{"name": "envoy", "image": "bench.local/gateway"}]}})
        self.api.patch(f"{SYSTEM_PODS}/{name}/status", {"status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [{"type": kind, "status": "True"} for kind in ("Initialized", "ContainersReady", "Ready")],
            "containerStatuses": [{"name": "envoy", "image": "bench.local/gateway", "imageID": "", "ready": True,
                                   "restartCount": 0, "containerID": f"containerd://{name}",
                                   "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}})

    def command(self):
        return [self.paths.operator, "--kubeconfig", self.cluster.kubeconfig(CONTROLLER), "--namespace", SYSTEM,
                "--identity", "bench", "--listen-address", "127.0.0.1", "--xds-port", self.xds_port,
                "--management-port", self.management_port]

    def is_up(self):
        return answers(f"http://127.0.0.1:{self.management_port}/readyz")

    def started(self):
        """The leader has made the gateways' certificate by now; with it they can begin."""
        wait_until(lambda: self.api.get(f"{SECRETS}/tidegate-gateway-tls"), "the gateways' certificate")
        identity = self.api.get(f"{SECRETS}/tidegate-gateway-tls")["data"]
        folder = self.cluster.folder / "gateway-tls"
        folder.mkdir()
        for file in ("tls.crt", "tls.key", "ca.crt"):
            folder.joinpath(file).write_bytes(base64.b64decode(identity[file]))
        gateways = [f"--gateway={name}={address}" for name, address in GATEWAYS.items()]
        self.cluster.processes.start("stubs", [
            sys.executable, "-m", "scale.stubs", "--port", self.store_port, "--xds-port", self.xds_port,
            "--tls", folder, *gateways], {"PYTHONPATH": str(self.paths.bench)})
        wait_until(lambda: answers(f"http://127.0.0.1:{self.store_port}/ready"), "the gateways' stubs")

    def counters(self):
        """Of the stubs: what the gateways were sent and asked for, what the store was asked for. Of the operator: how often
        it has looked at an object."""
        page = text_of(f"http://127.0.0.1:{self.management_port}/metrics")
        return json_of(f"http://127.0.0.1:{self.store_port}/counters") | {"reconciles": int(sum_of("tidegate_reconciles_total", page))}

    def objects(self, name):
        steps = [{"weight": weight, "hold": f"{STEP_SECONDS}s"} for weight in STEPS]
        return [(self.collection, {
            "apiVersion": GROUP_VERSION, "kind": "ModelDeployment", "metadata": {"name": name},
            "spec": {"model": {"uri": f"s3://models/{name}", "version": "1", "credentials": {"secretName": "store"}},
                     "replicas": REPLICAS, "traffic": {"timeout": REQUEST_TIMEOUT},
                     "rollout": {"steps": steps, "scaleDownDelay": "0s", "historyLimit": 2, "analysis": self.analysis,
                                 "progressDeadline": f"{PROGRESS_DEADLINE_SECONDS}s"}}})]

    def update(self, name, revision):
        return f"{self.collection}/{name}", {"spec": {"model": {"version": str(revision)}}}

    def is_created(self, found):
        return self.is_updated(found, 1)

    def is_updated(self, found, revision):
        status = found.get("status", {})
        shares = [share["weight"] for share in status.get("traffic", []) if share["weight"]]
        return (status.get("phase") == "Healthy" and status.get("observedGeneration") == found["metadata"]["generation"]
                and status["stable"]["version"] == str(revision) and not status.get("canary") and shares == [100])

    def is_at_rest(self, found, revision):
        return self.is_updated(found, revision) and not found["status"].get("draining")

    def weight(self, found):
        return (found.get("status", {}).get("canary") or {}).get("verifiedWeight")

    def has_given_up(self, found):
        return found.get("status", {}).get("phase") == "RolledBack"

    def is_of_revision(self, pod, found, revision):
        stable = found.get("status", {}).get("stable") or {}
        return stable.get("version") == str(revision) and pod["metadata"]["labels"].get(REVISION_LABEL) == stable["revision"]

    def own_faults(self, objects, revision):
        return {"objects whose weights are not verified": sum(not has_condition(found, "TrafficVerified") for found in objects)}


class TidegateWithAnalysis(Tidegate):
    name = "tidegate-analysis"
    title = "Tidegate, measuring"
    analysis = {}   # the defaults: errors and latency
