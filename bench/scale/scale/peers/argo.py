"""Argo Rollouts: a canary by numbers of pods, without a traffic router and without analysis; 20 %, 10 s, 50 %, 10 s,
all. Its client's limits are raised (--qps): with its own defaults it is many times slower."""
from ..cluster import CONTROLLER, free_ports
from .base import REPLICAS, STEP_SECONDS, STEPS, Peer, answers, collection, container, documents, image

GROUP_VERSION = "argoproj.io/v1alpha1"
HASH = "rollouts-pod-template-hash"


class Argo(Peer):
    name = "argo"
    title = "Argo Rollouts"
    program, pinned = "argo-rollouts", "ARGO_ROLLOUTS"
    collection = collection(GROUP_VERSION, "rollouts")

    def prepare(self):
        for file in sorted((self.paths.kept(self.program, self.pinned) / "manifests/crds").glob("*-crd.yaml")):
            self.cluster.create_definitions(documents(file))
        self.api.create("/api/v1/namespaces", {"metadata": {"name": "argo-rollouts"}})
        self.metrics_port, self.health_port = free_ports(2)

    def command(self):
        return [self.paths.program(self.program, self.pinned), "--kubeconfig", self.cluster.kubeconfig(CONTROLLER),
                "--metricsPort", self.metrics_port, "--healthzPort", self.health_port, "--qps", 1000, "--burst", 2000]

    def environment(self):
        return {"ARGO_ROLLOUTS_NAMESPACE": "argo-rollouts", "POD_NAMESPACE": "argo-rollouts"}

    def is_up(self):
        return answers(f"http://127.0.0.1:{self.health_port}/healthz")

    def objects(self, name):
        steps = []
        for weight in STEPS:
            steps += [{"setWeight": weight}, {"pause": {"duration": f"{STEP_SECONDS}s"}}]
        return [(self.collection, {
            "apiVersion": GROUP_VERSION, "kind": "Rollout", "metadata": {"name": name},
            "spec": {"replicas": REPLICAS, "revisionHistoryLimit": 2, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container(1)]}},
                     "strategy": {"canary": {"steps": steps + [{"setWeight": 100}]}}}})]

    def update(self, name, revision):
        return f"{self.collection}/{name}", {"spec": {"template": {"spec": {"containers": [container(revision)]}}}}

    def is_created(self, found):
        status = found.get("status", {})
        return status.get("phase") == "Healthy" and status.get("observedGeneration") == str(found["metadata"]["generation"])

    def is_updated(self, found, revision):
        status = found.get("status", {})
        asked = found["spec"]["template"]["spec"]["containers"][0]["image"]
        return (asked == image(revision) and self.is_created(found) and status.get("updatedReplicas") == REPLICAS
                and status.get("stableRS") == status.get("currentPodHash"))

    def faults(self, revision):
        serving = {}
        for found in self.api.get(collection("apps/v1", "replicasets"))["items"]:
            if found["spec"]["replicas"]:
                serving.setdefault(found["metadata"]["ownerReferences"][0]["name"], []).append(found)
        wrong = 0
        for rollout in self.api.get(self.collection)["items"]:
            sets = serving.get(rollout["metadata"]["name"], [])
            wrong += len(sets) != 1 or sets[0]["spec"]["template"]["spec"]["containers"][0]["image"] != image(revision)
        return {"objects whose pods are not of the wanted version alone": wrong} if wrong else {}
