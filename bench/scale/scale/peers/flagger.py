"""Flagger with the Gateway API as its router and a stub in the place of Prometheus: 20 %, 50 %, all, one step an interval
of 10 s, two metrics checked each time. An object is a Deployment and a Canary; what is updated is the Deployment. Its
client is limited by nothing that its command line offers; it polls every object each interval."""
from ..cluster import CONTROLLER, NAMESPACE, free_ports
from ..stubs.prometheus import Prometheus
from .base import REPLICAS, STEP_SECONDS, STEPS, Peer, answers, collection, container, documents, image

GROUP_VERSION = "flagger.app/v1beta1"
DEPLOYMENTS = collection("apps/v1", "deployments")
UNDER_WAY = ("Progressing", "WaitingPromotion", "Promoting", "Finalising")


class Flagger(Peer):
    name = "flagger"
    title = "Flagger"
    program, pinned = "flagger", "FLAGGER"
    collection = collection(GROUP_VERSION, "canaries")

    def prepare(self):
        self.cluster.create_definitions(documents(self.paths.kept(self.program, self.pinned) / "artifacts/flagger/crd.yaml"))
        gateway_api = self.paths.kept("gateway-api", "GATEWAY_API") / "standard"
        for kind in ("gatewayclasses", "gateways", "httproutes", "referencegrants", "grpcroutes"):
            self.cluster.create_definitions(documents(gateway_api / f"gateway.networking.k8s.io_{kind}.yaml"))
        self.prometheus = Prometheus()
        self.port, = free_ports(1)
        self.under_way = set()   # an object is Succeeded before an update, too

    def command(self):
        return [self.paths.program(self.program, self.pinned), "-kubeconfig", self.cluster.kubeconfig(CONTROLLER),
                "-metrics-server", f"http://127.0.0.1:{self.prometheus.port}", "-mesh-provider", "gatewayapi:v1",
                "-port", self.port, "-log-level", "info", "-threadiness", 10, "-kubeconfig-qps", 1000,
                "-kubeconfig-burst", 2000]

    def is_up(self):
        return answers(f"http://127.0.0.1:{self.port}/healthz")

    def objects(self, name):
        metrics = [{"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"},
                   {"name": "request-duration", "thresholdRange": {"max": 500}, "interval": "1m"}]
        return [(DEPLOYMENTS, {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": REPLICAS, "revisionHistoryLimit": 2, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container(1)]}}}}),
                (self.collection, {
            "apiVersion": GROUP_VERSION, "kind": "Canary", "metadata": {"name": name},
            "spec": {"provider": "gatewayapi:v1", "progressDeadlineSeconds": 300,
                     "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                     "service": {"port": 80, "targetPort": 8080, "hosts": [f"{name}.example.com"],
                                 "gatewayRefs": [{"name": "gateway", "namespace": NAMESPACE}]},
                     "analysis": {"interval": f"{STEP_SECONDS}s", "threshold": 5, "stepWeights": list(STEPS),
                                  "metrics": metrics}}})]

    def update_begins(self):
        self.under_way = set()

    def update(self, name, revision):
        return f"{DEPLOYMENTS}/{name}", {"spec": {"template": {"spec": {"containers": [container(revision)]}}}}

    def is_created(self, found):
        return found.get("status", {}).get("phase") == "Initialized"

    def is_updated(self, found, revision):
        phase, name = found.get("status", {}).get("phase"), found["metadata"]["name"]
        if phase in UNDER_WAY:
            self.under_way.add(name)
        return phase == "Succeeded" and name in self.under_way

    def faults(self, revision):
        primaries = [found for found in self.api.get(DEPLOYMENTS)["items"] if found["metadata"]["name"].endswith("-primary")]
        wrong = sum(1 for found in primaries
                    if found["spec"]["template"]["spec"]["containers"][0]["image"] != image(revision))
        return {"primaries that do not have the wanted version": wrong} if wrong else {}

    def close(self):
        if hasattr(self, "prometheus"):
            self.prometheus.close()
