"""The users' pod: starts it, reads its counts as they arise, stops it and gets the final ones."""
import json
import urllib.error
import urllib.request

from kube import CommandFailed

STATS_PORT = 9090


class UsersGone(Exception):
    """The users' pod does not answer; what it would have told is not known."""


class Users:
    def __init__(self, kube, namespace, timeline, name="users"):
        self.kube, self.namespace, self.timeline, self.name = kube, namespace, timeline, name
        self.address, self.second, self.failure = None, 0, 0

    def start(self, pod, requests):
        """`pod`: its YAML or JSON, which mounts the ConfigMap `requests`; `requests`: file with one body a line."""
        self.kube("delete", "pod", self.name, "-n", self.namespace, "--ignore-not-found", "--wait=true")
        self.kube.apply(self.kube("create", "configmap", "requests", "-n", self.namespace, "--dry-run=client", "-o", "yaml",
                                  f"--from-file=requests.jsonl={requests}"))
        self.kube.apply(pod)
        self.kube("wait", f"pod/{self.name}", "-n", self.namespace, "--for=condition=Ready", "--timeout=60s")
        self.address = self.kube.get("pod", self.name, self.namespace)["status"]["podIP"]

    def poll(self):
        """Brings the timeline up to date; returns the totals, or {} before the first request is due."""
        try:
            totals = json.loads(self._get("/stats"))
            seconds = [json.loads(line) for line in self._get(f"/seconds?from={self.second}").splitlines()]
            failures = [json.loads(line) for line in self._get(f"/failures?from={self.failure}").splitlines()]
        except urllib.error.HTTPError as error:   # 503: still knocking
            self.timeline.saw_users(json.loads(error.read()), [], [])
            return {}
        except OSError as error:
            raise UsersGone(f"the pod {self.namespace}/{self.name} does not answer: {error}") from error
        self.second, self.failure = self.second + len(seconds), self.failure + len(failures)
        self.timeline.saw_users(totals, seconds, failures)
        return totals

    def stop(self):
        """Lets the users finish what is in flight; returns their final totals, which are exact."""
        self.poll()
        try:
            self.kube("exec", self.name, "-n", self.namespace, "--", "/bin/sh", "-c", "kill -TERM 1")
        except CommandFailed:
            pass   # the shell may die with the container; whether that ended well is seen next
        self.kube("wait", f"pod/{self.name}", "-n", self.namespace, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=30s")
        lines = [json.loads(line) for line in self.kube("logs", self.name, "-n", self.namespace).splitlines()]
        if not lines or lines[-1]["type"] != "totals":
            raise CommandFailed(f"the log of {self.namespace}/{self.name} does not end with totals")
        rest = [line for line in lines if line["type"] == "failure"][self.failure:]
        self.timeline.saw_users(lines[-1], [line for line in lines if line["type"] == "second"][self.second:], rest)
        return lines[-1]

    def _get(self, path):
        with urllib.request.urlopen(f"http://{self.address}:{STATS_PORT}{path}", timeout=5) as answer:
            return answer.read().decode()
