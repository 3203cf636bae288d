"""What a server has used, all its processes together."""
import os
import pathlib
import re
import signal
import time

TICKS = os.sysconf("SC_CLK_TCK")
GONE = (FileNotFoundError, ProcessLookupError)


def tree(pid):
    """The process and everything that descends from it."""
    found = [pid]
    for process in found:
        try:
            for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
                found += [int(child) for child in (thread / "children").read_text().split()]
        except GONE:
            pass
    return found


def parse_cpu(stat):
    """Seconds in a line of /proc/PID/stat: the process's own, and those of children that it has buried."""
    fields = stat.rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICKS


def cpu_seconds(pid):
    """User and system time so far; resolution 10 ms a process."""
    total = 0.0
    for process in tree(pid):
        try:
            total += parse_cpu(pathlib.Path(f"/proc/{process}/stat").read_text())
        except GONE:
            pass
    return total


def memory_mib(pid):
    """Proportional set size: pages that several processes share are divided among them."""
    total = 0
    for process in tree(pid):
        try:
            total += int(re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)[1])
        except (*GONE, TypeError):
            pass
    return total / 1024


def end(pid, seconds=10):
    """Asks all of them to end and kills those that are still there after so long."""
    processes = tree(pid)
    for process in reversed(processes):
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(_runs(process) for process in processes):
        time.sleep(0.05)
    for process in processes:
        _signal(process, signal.SIGKILL)


def _signal(process, number):
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


def _runs(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except GONE:
        return False
