"""What loading a model does to the tail of the one beside it: requests at a constant rate, with and without another model
being loaded and unloaded all the time."""
import threading

from .load import Generators
from .measure import Case

CONNECTIONS = 8
RATE = 1000            # requests a second
OTHER = "wide"
CASE = Case("row", "oip-grpc", CONNECTIONS)


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
        except OSError as error:
            self.error = str(error)

    def stop(self):
        self._stopped.set()
        self.join()


def measure(bench, server, seconds):
    """One sample: the tail at rest and the tail while the other model is loaded, in this order."""
    answer_bytes = bench.try_once(server, CASE)
    quiet = _load(bench.generators, bench, server, seconds, answer_bytes)
    reloads = Reloads(server)
    reloads.start()
    try:
        loading = _load(bench.generators, bench, server, seconds, answer_bytes)
    finally:
        reloads.stop()
    if reloads.error:
        return {"error": reloads.error}
    return {"quiet_p50_us": quiet.p50_us, "quiet_p99_us": quiet.p99_us, "loading_p50_us": loading.p50_us,
            "loading_p99_us": loading.p99_us, "loads": reloads.count, "failed": quiet.failed + loading.failed,
            "answered": quiet.answered + loading.answered}


def _load(generators: Generators, bench, server, seconds, answer_bytes):
    return generators.grpc(server.url(CASE.protocol, "mlp"), bench.request(CASE), CONNECTIONS, seconds, answer_bytes,
                           rate=RATE // CONNECTIONS)
