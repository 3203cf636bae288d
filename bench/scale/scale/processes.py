"""Processes of a run, started and ended together, and what the kernel has counted of one of them."""
import ctypes
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
STOP_SECONDS = 5


class CannotRun(Exception):
    """The bench cannot go on; the message says which part and where its log is."""


def wait_until(holds, what, seconds=60, pause=0.1):
    """Polls until `holds()` is true. What fails in it is not there yet; a CannotRun is final, and one with the last failure
    is raised past `seconds`."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except CannotRun:
            raise
        except Exception as error:
            last = error
        time.sleep(pause)
    raise CannotRun(f"not within {seconds} s: {what}" + (f" (last: {last})" if last else ""))


def _die_with_parent():
    # A killed bench must not leave a control plane behind.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Processes:
    """The children of one run by name; logs in `folder`. `end_all` ends them in reverse order."""

    def __init__(self, folder):
        self.folder, self.children = folder, {}

    def start(self, name, command, environment=None):
        with open(self.folder / f"{name}.log", "ab") as log:
            child = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env={**clean_environment(), **(environment or {})}, start_new_session=True, preexec_fn=_die_with_parent)
        self.children[name] = child
        return child.pid

    def check_alive(self):
        for name, child in self.children.items():
            if child.poll() is not None:
                log = self.folder / f"{name}.log"
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise CannotRun(f"{name} ended with {child.returncode}; the end of {log}:\n{tail}")

    def end(self, name):
        child = self.children.pop(name)
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def end_all(self):
        for name in reversed(list(self.children)):
            self.end(name)


def clean_environment():
    """Ours without what would configure a child: etcd reads every ETCD_*, the operator every TIDEGATE_*."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("ETCD_", "TIDEGATE_", "KUBE"))}


# What is the kernel's to know. A process that has ended has used nothing.

def cpu_seconds(pid):
    """User and system time of all its threads so far; resolution 10 ms."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid):
    """(now, peak since reset_peak) in MiB."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0, 0.0
    return tuple(round(int(re.search(rf"{field}:\s+(\d+)", text)[1]) / 1024, 1) for field in ("VmRSS", "VmHWM"))


def reset_peak(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def bytes_exchanged(pid, port):
    """(sent, received) over the TCP connections that it has open to `port` of the loopback, TLS included. What went over
    connections that are closed by now is not in it; these clients keep theirs."""
    listed = subprocess.run(["ss", "-tinpHO", "dst", f"127.0.0.1:{port}"], capture_output=True, text=True, check=False).stdout
    return sum_bytes(listed, pid)


def sum_bytes(listed, pid):
    """The totals of `ss -tinpHO` over the connections of one process."""
    sent = received = 0
    for line in listed.splitlines():
        if f"pid={pid}," not in line:
            continue
        sent += _number(r"bytes_sent:(\d+)", line)
        received += _number(r"bytes_received:(\d+)", line)
    return sent, received


def _number(pattern, text):
    found = re.search(pattern, text)
    return int(found[1]) if found else 0


def say(*words):
    print(f"[{time.strftime('%H:%M:%S')}]", *words, file=sys.stderr, flush=True)
