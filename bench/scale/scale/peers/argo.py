"""Argo Rollouts: a canary by numbers of pods, without a traffic router and without analysis; 20 %, 10 s, 50 %, 10 s,
all. Its client's limits are raised (--qps): with its own defaults it is many times slower."""
import collections

from ..cluster import CONTROLLER, free_ports
from .base import (PROGRESS_DEADLINE_SECONDS, REPLICAS, STEP_SECONDS, STEPS, Peer, answers, collection, container, documents,
                   image)

GROUP_VERSION = "argoproj.io/v1alpha1"
REPLICA_SETS = collection("apps/v1", "replicasets")


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
                     "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
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

    def is_at_rest(self, found, revision):
        return self.is_updated(found, revision) and found["status"].get("replicas") == REPLICAS

    def weight(self, found):
        """By the pause that it is in, behind the setWeight that was reached; it rounds up to one pod of the two."""
        status = found.get("status", {})
        pauses = dict(zip(range(1, 2 * len(STEPS), 2), STEPS))
        return pauses.get(status.get("currentStepIndex")) if status.get("updatedReplicas") else None

    def own_faults(self, objects, revision):
        in_use = collections.Counter(found["metadata"]["ownerReferences"][0]["name"]
                                     for found in self.api.list(REPLICA_SETS) if found["spec"]["replicas"])
        return {"objects with other than one ReplicaSet in use": sum(
                    in_use[found["metadata"]["name"]] != 1 for found in objects),
                "objects that were aborted": sum(bool(found.get("status", {}).get("abort")) for found in objects)}
