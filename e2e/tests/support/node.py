"""The node from outside Kubernetes: which process a container is, and how to kill it without anyone being told."""
import os
import signal
import time

from kube import SYSTEM, run

CONTAINERD = "/run/tidegate-cluster/containerd.sock"


def container_pid(pod, container):
    """The process id, on this machine, of a container's first process."""
    status = next(s for s in pod["status"]["containerStatuses"] if s["name"] == container)
    wanted = status["containerID"].removeprefix("containerd://")
    for line in run("ctr", "-a", CONTAINERD, "-n", "k8s.io", "tasks", "ls").splitlines()[1:]:
        name, pid, _ = line.split()
        if name == wanted:
            return int(pid)
    raise AssertionError(f"{pod['metadata']['name']}: containerd runs no process for its container {container}")


def kill_container(pod, container):
    """kill -9 of a container's first process; returns when it happened (seconds since the epoch)."""
    pid = container_pid(pod, container)
    now = time.time()
    os.kill(pid, signal.SIGKILL)
    return now


def leader(kube):
    """The pod of the operator that holds the lease."""
    holder = kube.get("lease", "tidegate-operator", SYSTEM)["spec"]["holderIdentity"]
    for pod in system_pods(kube, "tidegate-operator"):
        if holder == pod["metadata"]["uid"]:
            return pod
    raise AssertionError(f"the lease is held by {holder}, which is the uid of no pod that exists")


def system_pods(kube, deployment):
    """The pods of one of Tidegate's own Deployments."""
    labels = kube.get("deployment", deployment, SYSTEM)["spec"]["selector"]["matchLabels"]
    return kube.get("pods", namespace=SYSTEM, selector=",".join(f"{k}={v}" for k, v in labels.items()))
