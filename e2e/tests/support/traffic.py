"""Users for a test: a pod of tidegate-traffic in front of one ModelDeployment."""
import json
import time

from timeline import Timeline
from users import STATS_PORT, Users


class TestUsers(Users):
    """Counts exactly; `stop` returns the final totals, `timeline.failures` has each failed request."""
    __test__ = False   # for pytest: no tests in here

    def __init__(self, kube, deployment, requests, name="users"):
        super().__init__(kube, deployment.namespace, Timeline(), name)
        self.deployment, self.requests = deployment, requests

    def begin(self, rate, *flags):
        """Starts them and returns when a hundred requests were answered well."""
        url = f"http://{self.deployment.name}.{self.namespace}.svc/v1/models/{self.deployment.name}:predict"
        arguments = [f"--url={url}", f"--rate={rate}", "--bodies=/requests/requests.jsonl", "--start-when-served",
                     f"--stats-port={STATS_PORT}", *flags]
        container = {"name": "traffic", "image": "tidegate.local/traffic:dev", "args": arguments,
                     "volumeMounts": [{"name": "requests", "mountPath": "/requests"}]}
        spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 5, "automountServiceAccountToken": False,
                "containers": [container], "volumes": [{"name": "requests", "configMap": {"name": "requests"}}]}
        self.start(json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": spec,
                               "metadata": {"name": self.name, "namespace": self.namespace}}), self.requests)
        self.wait_answers(100)

    def wait_answers(self, count, seconds=30):
        """Until so many more requests than now were answered well."""
        deadline = time.monotonic() + seconds
        wanted = self.poll().get("ok", 0) + count
        while (totals := self.poll()).get("ok", 0) < wanted:
            assert time.monotonic() < deadline, f"{count} more good answers did not come within {seconds} s: {totals}"
            time.sleep(0.1)   # between questions to the users' statistics port
        return totals
