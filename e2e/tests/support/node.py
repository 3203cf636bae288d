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


def is_dead(pid):
    """Whether a process has ended, whoever has yet to hear of it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def kill_container(pod, container):
    """kill -9 of a container's first process. (When it was sent, when the process was gone), seconds since the epoch.

    In between, the kernel takes the process apart; until it gets to its sockets, requests still reach them.
    """
    pid = container_pid(pod, container)
    sent = time.time()
    os.kill(pid, signal.SIGKILL)
    while not is_dead(pid):
        time.sleep(0.001)
    return sent, time.time()


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
