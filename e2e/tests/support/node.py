"""The node from outside Kubernetes: which process a container is, and how to kill it without anyone being told."""
import contextlib
import os
import signal
import time

from kube import CACHE, ROOT, SYSTEM, run

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
    """Whether a process has ended, whoever has yet to hear of it. Its sockets are open until its last thread has ended;
    the first one may be a zombie before."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            first_has_ended = stat.read().rpartition(")")[2].split()[0] in "ZX"
        return first_has_ended and os.listdir(f"/proc/{pid}/task") == [str(pid)]
    except (FileNotFoundError, ProcessLookupError):   # gone before we opened it, or while we read it
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


@contextlib.contextmanager
def asleep(pod, container):
    """The container's first process does nothing at all until the block ends: a machine that swaps, a frozen VM."""
    pid = container_pid(pod, container)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def cut_off_from_api_server(pod):
    """What the pod sends to the API server, on old connections and new ones, gets lost until the block ends."""
    rule = ["INPUT", "-s", pod["status"]["podIP"], "-p", "tcp", "--dport", "6443", "-j", "DROP"]
    run("iptables", "-w", "-I", *rule)
    try:
        yield
    finally:
        run("iptables", "-w", "-D", *rule)


@contextlib.contextmanager
def api_server_down():
    """kill -9 of the API server; it is started again when the block ends."""
    pid = int((CACHE / "cluster/pids/kube-apiserver").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    try:
        yield
    finally:
        while not is_dead(pid):
            time.sleep(0.01)
        run(ROOT / "e2e/cluster/up")


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
