"""What loading a model does to the tail of the one beside it: requests at a constant rate while nothing else happens, while
another model is unloaded and loaded without a pause, and while a process that has nothing to do with the server keeps a
core busy: what competition for two cores does by itself, whoever competes."""
import http.client
import sys
import threading

from .load import Generators
from .measure import Case

CONNECTIONS = 8
RATE = 1000            # requests a second
OTHER = "wide"
CASE = Case("row", "oip-grpc", CONNECTIONS)
PHASES = ("quiet", "loading", "busy")

# As little of a core's share as the threads that load have. Where the kernel shares cores out by session first, a
# niceness counts within one only, so the session gets the same.
BUSY = """
import os
os.nice(10)
try:
    open("/proc/self/autogroup", "w").write("10")
except OSError:
    pass
while True:
    pass
"""


class Reloads(threading.Thread):
    """Unloads and loads a model until it is told to stop."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.count, self.error = server, 0, None
        self._stopped = threading.Event()

    def run(self):
        try:
            while not self._stopped.is_set():
                self.server.change(OTHER, "unload")
                self.server.change(OTHER, "load")
                self.count += 1
        except (OSError, http.client.HTTPException) as error:
            self.error = f"{type(error).__name__}: {error}"

    def stop(self):
        self._stopped.set()
        self.join()


def order(number):
    """The phases of a round: each comes first, in the middle and last equally often."""
    turn = number % len(PHASES)
    return PHASES[turn:] + PHASES[:turn]


def measure(bench, server, seconds, number):
    """One sample, of the round of this number: each phase for so many seconds."""
    answer_bytes = bench.try_once(server, CASE)
    sample = {"failed": 0, "answered": 0}
    for phase in order(number):
        counts = _PHASES[phase](bench, server, seconds, answer_bytes, sample)
        sample |= {f"{phase}_p50_us": counts.p50_us, f"{phase}_p99_us": counts.p99_us,
                   "failed": sample["failed"] + counts.failed, "answered": sample["answered"] + counts.answered}
    return sample


def _quiet(bench, server, seconds, answer_bytes, _sample):
    return _load(bench.generators, bench, server, seconds, answer_bytes)


def _loading(bench, server, seconds, answer_bytes, sample):
    reloads = Reloads(server)
    reloads.start()
    try:
        counts = _load(bench.generators, bench, server, seconds, answer_bytes)
    finally:
        reloads.stop()
    sample["loads"] = reloads.count
    if reloads.error:
        sample["error"] = reloads.error
    return counts


def _busy(bench, server, seconds, answer_bytes, _sample):
    bench.processes.start("busy", [sys.executable, "-c", BUSY])
    try:
        return _load(bench.generators, bench, server, seconds, answer_bytes)
    finally:
        bench.processes.end("busy")


_PHASES = {"quiet": _quiet, "loading": _loading, "busy": _busy}


def _load(generators: Generators, bench, server, seconds, answer_bytes):
    return generators.grpc(server.url(CASE.protocol, "mlp"), bench.request(CASE), CONNECTIONS, seconds, answer_bytes,
                           rate=RATE // CONNECTIONS)
