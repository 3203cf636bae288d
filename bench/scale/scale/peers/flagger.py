"""Flagger with the Gateway API as its router and a stub in the place of Prometheus: 20 %, 50 %, all, one step an interval
of 10 s, two metrics checked each time. An object is a Deployment and a Canary; what is updated is the Deployment. It looks
at every object each interval, whether anything has changed or not, and it is done only when it looks the next time."""
import sys

from ..cluster import CONTROLLER, NAMESPACE, free_ports
from ..processes import wait_until
from .base import (PROGRESS_DEADLINE_SECONDS, REPLICAS, STEP_SECONDS, STEPS, Peer, answers, collection, container, documents,
                   is_rolled_out, json_of)

GROUP_VERSION = "flagger.app/v1beta1"
DEPLOYMENTS = collection("apps/v1", "deployments")
ROUTES = collection("gateway.networking.k8s.io/v1", "httproutes")
UNDER_WAY = ("Progressing", "WaitingPromotion", "Promoting", "Finalising")


class Flagger(Peer):
    name = "flagger"
    title = "Flagger"
    program, pinned = "flagger", "FLAGGER"
    collection = collection(GROUP_VERSION, "canaries")
    also_watched = (ROUTES,)
    polls = True

    def prepare(self):
        self.cluster.create_definitions(documents(self.paths.kept(self.program, self.pinned) / "artifacts/flagger/crd.yaml"))
        gateway_api = self.paths.kept("gateway-api", "GATEWAY_API") / "standard"
        for kind in ("gatewayclasses", "gateways", "httproutes", "referencegrants", "grpcroutes"):
            self.cluster.create_definitions(documents(gateway_api / f"gateway.networking.k8s.io_{kind}.yaml"))
        self.port, self.prometheus_port = free_ports(2)
        self.cluster.processes.start("stubs", [sys.executable, "-m", "scale.stubs", "--port", self.prometheus_port],
                                     {"PYTHONPATH": str(self.paths.bench)})
        wait_until(lambda: answers(f"http://127.0.0.1:{self.prometheus_port}/ready"), "the stub of Prometheus")
        self.under_way = set()   # an object is Succeeded before an update, too

    def command(self):
        return [self.paths.program(self.program, self.pinned), "-kubeconfig", self.cluster.kubeconfig(CONTROLLER),
                "-metrics-server", f"http://127.0.0.1:{self.prometheus_port}", "-mesh-provider", "gatewayapi:v1",
                "-port", self.port, "-log-level", "info", "-threadiness", 10, "-kubeconfig-qps", 1000,
                "-kubeconfig-burst", 2000]

    def is_up(self):
        return answers(f"http://127.0.0.1:{self.port}/healthz")

    def counters(self):
        return json_of(f"http://127.0.0.1:{self.prometheus_port}/counters")

    def objects(self, name):
        metrics = [{"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"},
                   {"name": "request-duration", "thresholdRange": {"max": 500}, "interval": "1m"}]
        return [(DEPLOYMENTS, {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": REPLICAS, "revisionHistoryLimit": 2, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container(1)]}}}}),
                (self.collection, {
            "apiVersion": GROUP_VERSION, "kind": "Canary", "metadata": {"name": name},
            "spec": {"provider": "gatewayapi:v1", "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
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
        return found["kind"] == "Canary" and found.get("status", {}).get("phase") == "Initialized"

    def is_updated(self, found, revision):
        if found["kind"] != "Canary":
            return False
        phase, name = found.get("status", {}).get("phase"), found["metadata"]["name"]
        if phase in UNDER_WAY:
            self.under_way.add(name)
        return phase == "Succeeded" and name in self.under_way

    def weight(self, found):
        return canary_weight(found) if found["kind"] == "HTTPRoute" else None

    def has_given_up(self, found):
        return found["kind"] == "Canary" and found.get("status", {}).get("phase") == "Failed"

    def own_faults(self, objects, revision):
        names = {found["metadata"]["name"] for found in objects}
        deployments = self.api.list(DEPLOYMENTS)
        rolled_out = {found["metadata"]["name"] for found in deployments if is_rolled_out(found, revision)}
        empty = {found["metadata"]["name"] for found in deployments if found["spec"]["replicas"] == 0}
        at_primary = {found["metadata"]["name"] for found in self.api.list(ROUTES) if canary_weight(found) == 0}
        return {"primaries that are not rolled out": len({f"{name}-primary" for name in names} - rolled_out),
                "canaries that are not scaled to nothing": len(names - empty),
                "routes that do not send everything to the primary": len(names - at_primary),
                "checks that failed": sum(found.get("status", {}).get("failedChecks", 0) for found in objects)}


def canary_weight(route):
    """The weight of an HTTPRoute's backend "…-canary", of 100."""
    return next((backend["weight"] for rule in route["spec"]["rules"] for backend in rule["backendRefs"]
                 if backend["name"].endswith("-canary")), None)
