"""Starts the servers, sees that they answer right, and measures them in turn: in each round every case is measured with
every server that has it, one straight after the other, so that what the machine does meanwhile hits all alike."""
import dataclasses
import http.client
import json
import subprocess
import urllib.parse

from scale.processes import CannotRun, Processes, say, wait_until

from . import payloads, process_tree
from .load import BadOutput, Generators
from .payloads import GRPC, PAYLOADS

TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class Case:
    """What is asked, how, and over how many connections."""
    payload: str
    protocol: str
    connections: int

    @property
    def name(self):
        return f"{self.payload}/{self.protocol}/{self.connections}"


def cases_of(server, connections):
    """Those that it has. Small tensors go as text alone over REST: as bytes they would be asked for by no one."""
    return [Case(payload, protocol, count) for payload in server.payloads for protocol in server.protocols for count in connections
            if server.connections in (None, count) and not (protocol == "oip-rest-binary" and payload == "small")]


class Bench:
    """One run. `results` gets a list of samples for each case and server, and why a server has none."""

    def __init__(self, paths, folder, seconds, results):
        self.paths, self.folder, self.seconds, self.results = paths, folder, seconds, results
        self.generators = Generators(folder)
        self.expected = json.loads((paths.models / "expected.json").read_text())
        self.requests = {}      # by protocol and payload
        self.pids = {}          # of the servers that run
        self.processes = Processes(folder)
        self.tried = {}         # by server and case: bytes of data of its answer
        self.suspects = set()   # servers of which the last measurement failed: one may hang without having died

    def start(self, server):
        """CannotRun when it does not come up."""
        say(f"starting {server.title}")
        pid = self.processes.start(server.name, server.command(), server.environment())
        self.pids[server.name] = pid

        def is_up():
            if self._has_died(server):
                raise CannotRun(f"ended with {self.processes.children[server.name].returncode}; see {self.folder}/{server.name}.log")
            return server.is_up()
        try:
            wait_until(is_up, f"{server.title} is ready", server.start_seconds)
        except CannotRun:
            self.stop(server)
            raise

    def stop(self, server):
        """With everything that it has started."""
        process_tree.end(self.pids.pop(server.name))
        self.processes.end(server.name)

    def stop_all(self, servers):
        for server in servers:
            if server.name in self.pids:
                self.stop(server)

    def request(self, case):
        key = case.protocol, case.payload
        if key not in self.requests:
            self.requests[key] = payloads.request(case.protocol, PAYLOADS[case.payload])
        return self.requests[key]

    def measure(self, server, case):
        """Adds a sample, or why there is none. A server that has died, or failed the last time, is started anew."""
        key = server.name, case
        try:
            if self._has_died(server) or server.name in self.suspects:
                self.stop(server)
                self.start(server)
            if key not in self.tried:
                self.tried[key] = self.try_once(server, case)
                self._load(server, case, min(1, self.seconds))
            sample = self._sample(server, case)
        except (CannotRun, BadOutput, OSError, http.client.HTTPException, ValueError, KeyError, subprocess.SubprocessError) as error:
            sample = {"error": f"{type(error).__name__}: {error}"}
        self.results["cells"].setdefault(case.name, {}).setdefault(server.name, []).append(sample)
        self.suspects.discard(server.name)
        if "error" in sample:
            self.suspects.add(server.name)
            say(f"{case.name} {server.name}: {sample['error']}")
        return sample

    def _has_died(self, server):
        return self.processes.children[server.name].poll() is not None

    def _sample(self, server, case):
        pid = self.pids[server.name]
        before = process_tree.cpu_seconds(pid)
        counts = self._load(server, case, self.seconds)
        used = process_tree.cpu_seconds(pid) - before
        if self._has_died(server):   # what it has answered before tells nothing
            raise CannotRun("died while it was measured")
        if not counts.answered:
            raise CannotRun(f"answered nothing while it was measured, {counts.failed} requests failed")
        return {**dataclasses.asdict(counts), "memory_mib": round(process_tree.memory_mib(pid), 1),
                "cpu_us": round(used / counts.answered * 1e6, 2), "per_second": round(counts.answered / counts.seconds, 1)}

    def _load(self, server, case, seconds):
        url = server.url(case.protocol, PAYLOADS[case.payload].model)
        if case.protocol in GRPC:
            return self.generators.grpc(url, self.request(case), case.connections, seconds, self.tried[server.name, case])
        return self.generators.rest(url, self.request(case), case.connections, seconds)

    def try_once(self, server, case):
        """Asks once and compares the answer with the expected one; its bytes of data in gRPC, 0 in REST."""
        url = server.url(case.protocol, PAYLOADS[case.payload].model)
        if case.protocol in GRPC:
            framed = self._ask_grpc(url, self.request(case))
            body, json_bytes, size = framed[payloads.wire.FRAME_HEAD.size:], None, len(framed)
        else:
            body, json_bytes = ask_rest(url, self.request(case))
            size = 0
        if server.checks_answers:
            check(payloads.answered_values(case.protocol, body, json_bytes), self.expected[case.payload])
        return size

    def _ask_grpc(self, url, request):
        """The answer's frame, by nghttp: without a gRPC library, whose cost would be in this process."""
        body = self.folder / "question"
        body.write_bytes(request.body)
        asked = subprocess.run(["nghttp", "--no-dep", f"--data={body}", "-H:method: POST", "-Hcontent-type: application/grpc",
                                "-Hte: trailers", url], capture_output=True, timeout=30, check=False)
        if asked.returncode != 0 or len(asked.stdout) <= payloads.wire.FRAME_HEAD.size:
            raise CannotRun(f"no answer to gRPC: {asked.stderr.decode(errors='replace')[-500:]}")
        return asked.stdout


def ask_rest(url, request):
    """Body and Inference-Header-Content-Length of the answer. CannotRun when its status is not 200."""
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=30)
    try:
        connection.request("POST", where.path, request.body, dict(request.headers))
        answer = connection.getresponse()
        body, length = answer.read(), answer.getheader("Inference-Header-Content-Length")
    finally:
        connection.close()
    if answer.status != 200:
        raise CannotRun(f"answered {answer.status}: {body[:300]!r}")
    return body, int(length) if length else None


def check(got, expected):
    """CannotRun when the answer is wrong."""
    if len(got) != len(expected):
        raise CannotRun(f"the answer has {len(got)} numbers, not {len(expected)}")
    for a, b in zip(got, expected):
        if not abs(a - b) <= TOLERANCE:   # so that NaN is wrong
            raise CannotRun(f"the answer has {a} where {b} is right")


def raw_loop(paths, backend, payload, folder, seconds):
    """The same model without a server: tidegate-runtime bench, one thread. A sample."""
    inputs = folder / "inputs.json"
    inputs.write_bytes(payloads.request("tfs-rest", payload).body)
    flags = [f"--backend-dir={paths.null_backend.parent}"] if backend == "null" else []
    ran = subprocess.run([paths.runtime, "bench", paths.models / backend / payload.model / "1", f"--inputs={inputs}", "--threads=1",
                          f"--seconds={seconds}", "--warm-up-seconds=0.3", "--json", *flags],
                         capture_output=True, text=True, check=False, timeout=120)
    if ran.returncode != 0:
        return {"error": ran.stderr[-500:]}
    found = json.loads(ran.stdout)
    return {"answered": found["answered"], "failed": found["failed"], "seconds": found["seconds"],
            "p50_us": found["p50Microseconds"], "p99_us": found["p99Microseconds"], "cpu_us": round(found["cpuMicroseconds"], 2),
            "per_second": round(found["requestsPerSecond"], 1)}
