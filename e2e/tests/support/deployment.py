"""One ModelDeployment under test: applied, watched, waited for."""
import json
import time

from kube import Watch
from timeline import Timeline, condition


class Deployment:
    def __init__(self, kube, namespace, name, uri, **defaults):
        """`defaults`: spec fields that every apply carries."""
        self.kube, self.namespace, self.name, self.uri, self.defaults = kube, namespace, name, uri, defaults
        self.timeline = Timeline()
        self.generation = 0
        self.watch = Watch(kube, "modeldeployments", name, namespace,
                           lambda found: self.timeline.saw_object(time.time(), found))

    @property
    def status(self):
        return self.timeline.status

    def manifest(self, version, uri=None, secret="store", **spec):
        model = {"uri": uri or self.uri, "version": version, "credentials": {"secretName": secret}}
        return {"apiVersion": "tidegate.dev/v1alpha1", "kind": "ModelDeployment",
                "metadata": {"name": self.name, "namespace": self.namespace},
                "spec": {"model": model} | self.defaults | spec}

    def apply(self, version, **spec):
        self.kube("apply", "--validate=strict", "-f", "-", stdin=json.dumps(self.manifest(version, **spec)))
        self.generation = self.kube.get("modeldeployment", self.name, self.namespace)["metadata"]["generation"]

    def annotate(self, command, argument):
        self.kube("annotate", "--overwrite", "modeldeployment", self.name, "-n", self.namespace, f"tidegate.dev/{command}={argument}")

    def wait(self, what, happened, seconds=90):
        """Until `happened(status)` holds of a status that speaks of the present spec; fails with the status it has instead."""
        deadline = time.monotonic() + seconds
        with self.timeline.changed:
            while not (self.status.get("observedGeneration", 0) >= self.generation and happened(self.status)):
                left = deadline - time.monotonic()
                assert left > 0, (f"{self.namespace}/{self.name}: not within {seconds} s: {what}; the status is\n" +
                                  json.dumps(self.status, indent=1))
                self.timeline.changed.wait(left)
            return self.status

    def wait_healthy(self, version, seconds=120):
        return self.wait(f"healthy with version {version}", lambda status: status.get("phase") == "Healthy"
                         and status.get("stable", {}).get("version") == version and not status.get("canary"), seconds)

    def wait_condition(self, kind, value, reason=None, seconds=90):
        def holds(status):
            found = condition(status, kind)
            return found["status"] == value and reason in (None, found["reason"])
        return condition(self.wait(f"condition {kind}={value} {reason or ''}", holds, seconds), kind)

    def pods(self, revision=None):
        selector = f"tidegate.dev/deployment={self.name}" + (f",tidegate.dev/revision={revision}" if revision else "")
        return self.kube.get("pods", namespace=self.namespace, selector=selector)

    def close(self):
        self.watch.stop()
