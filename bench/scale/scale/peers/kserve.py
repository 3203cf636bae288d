"""KServe in its raw mode (a Deployment an InferenceService, no ingress, no autoscaler), with its webhooks. It has no
gradual rollout in this mode: an update replaces the pods, so its update is not comparable step by step and the column
is there for what it costs. It has one worker, and its client sends 20 requests a second: neither can be set."""
import base64
import json
import subprocess

import yaml

from ..cluster import CONTROLLER, free_ports, has_condition
from .base import REPLICAS, Peer, answers, collection, documents, image, is_rolled_out

GROUP_VERSION = "serving.kserve.io/v1beta1"
DEPLOYMENTS = collection("apps/v1", "deployments")
SERVICES = collection("v1", "services")
SYSTEM = "kserve"


class KServe(Peer):
    name = "kserve"
    title = "KServe"
    program, pinned = "kserve", "KSERVE"
    collection = collection(GROUP_VERSION, "inferenceservices")
    also_watched = (DEPLOYMENTS,)
    steps = ()
    quiet_within = 300   # at 20 requests a second its work lasts long after the last object is ready

    def prepare(self):
        self.config = self.paths.kept(self.program, self.pinned) / "config"
        definitions = self.config / "crd/full"
        for file in sorted([*definitions.glob("serving.*"), *definitions.glob("clusterstoragecontainer/serving.*")]):
            self.cluster.create_definitions(documents(file))
        self.api.create("/api/v1/namespaces", {"metadata": {"name": SYSTEM}})
        self.api.create(f"/api/v1/namespaces/{SYSTEM}/configmaps",
                        {"metadata": {"name": "inferenceservice-config"}, "data": self._configuration()})
        self.metrics_port, self.health_port, self.webhook_port = free_ports(3)
        self._make_certificate()

    def _configuration(self):
        """The shipped one, for raw deployments without ingress."""
        data = documents(self.config / "configmap/inferenceservice.yaml")[0]["data"]
        data.pop("_example", None)
        ingress = json.loads(data["ingress"]) | {"disableIstioVirtualHost": True, "disableIngressCreation": True}
        return data | {"deploy": json.dumps({"defaultDeploymentMode": "Standard"}), "ingress": json.dumps(ingress)}

    def _make_certificate(self):
        # Where the controller looks for it, below TMPDIR.
        folder = self.cluster.folder / "tmp/k8s-webhook-server/serving-certs"
        folder.mkdir(parents=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-keyout", "tls.key", "-out", "tls.crt", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True)
        self.authority = base64.b64encode(folder.joinpath("tls.crt").read_bytes()).decode()

    def command(self):
        return [self.paths.program(self.program, self.pinned), "--kubeconfig", self.cluster.kubeconfig(CONTROLLER),
                "--metrics-addr", f"127.0.0.1:{self.metrics_port}", "--health-probe-addr", f"127.0.0.1:{self.health_port}",
                "--webhook-port", self.webhook_port]

    def environment(self):
        return {"POD_NAMESPACE": SYSTEM, "TMPDIR": str(self.cluster.folder / "tmp"),
                "SECRET_NAME": "kserve-webhook-server-cert"}

    def is_up(self):
        return answers(f"http://127.0.0.1:{self.health_port}/readyz")

    def started(self):
        """The webhooks are called by URL: there is no Service network here."""
        for document in yaml.load_all((self.config / "webhook/manifests.yaml").read_text(), yaml.CSafeLoader):
            if not document:
                continue
            document["metadata"].pop("creationTimestamp", None)
            for hook in document["webhooks"]:
                path = hook["clientConfig"]["service"]["path"]
                hook["clientConfig"] = {"url": f"https://127.0.0.1:{self.webhook_port}{path}", "caBundle": self.authority}
            self.api.create(f"/apis/admissionregistration.k8s.io/v1/{document['kind'].lower()}s", document)

    def _predictor(self, revision):
        return [{"name": "kserve-container", "image": image(revision), "ports": [{"containerPort": 8080, "protocol": "TCP"}]}]

    def objects(self, name):
        return [(self.collection, {
            "apiVersion": GROUP_VERSION, "kind": "InferenceService",
            "metadata": {"name": name, "annotations": {"serving.kserve.io/deploymentMode": "Standard",
                                                       "serving.kserve.io/autoscalerClass": "none"}},
            "spec": {"predictor": {"minReplicas": REPLICAS, "maxReplicas": REPLICAS, "containers": self._predictor(1)}}})]

    def update(self, name, revision):
        return f"{self.collection}/{name}", {"spec": {"predictor": {"containers": self._predictor(revision)}}}

    def is_created(self, found):
        return found["kind"] == "InferenceService" and has_condition(found, "Ready")

    def is_updated(self, found, revision):
        """Its own status says Ready all the time; the Deployment tells."""
        if found["kind"] != "Deployment":
            return False
        return is_rolled_out(found, revision)

    def own_faults(self, objects, revision):
        names = {found["metadata"]["name"] for found in objects}
        rolled_out = {self.key(found) for found in self.api.list(DEPLOYMENTS) if is_rolled_out(found, revision)}
        return {"objects that are not Ready": sum(not has_condition(found, "Ready") for found in objects),
                "objects without a Deployment that is rolled out": len(names - rolled_out),
                "objects without a Service": len(names - {self.key(found) for found in self.api.list(SERVICES)})}
