"""The load generators: wrk for REST, h2load for gRPC. Both keep one request in flight on each connection. Every answer
is counted: one that failed, in whatever way, is told."""
import dataclasses
import math
import pathlib
import re
import subprocess

TIMEOUT_SECONDS = 30

WRK_SCRIPT = """
local file = io.open(os.getenv("BENCH_BODY"), "rb")
wrk.method, wrk.body = "POST", file:read("*all")
file:close()
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), e.status, e.connect, e.read, e.write, e.timeout))
end
"""


class BadOutput(Exception):
    """A load generator did not say what it has done; the message is the end of its output."""


@dataclasses.dataclass(frozen=True)
class Counts:
    """Of one run of a generator. `failed` are answers that are no good and requests that got none."""
    answered: int
    failed: int
    seconds: float
    p50_us: float
    p99_us: float


def quantile(ordered, share):
    """Of a sorted list: the smallest number that so large a share of them does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


# wrk

def wrk_command(url, request, connections, seconds, script):
    headers = [word for name, value in request.headers for word in ("-H", f"{name}: {value}")]
    return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{TIMEOUT_SECONDS}s", "-s", script, *headers, url]


def parse_wrk(output):
    """What WRK_SCRIPT printed. Answers with a status of 400 and more are among wrk's requests."""
    found = re.search(r"^RESULT((?: \d+){9})$", output, re.MULTILINE)
    if not found:
        raise BadOutput(output[-1000:])
    requests, microseconds, p50, p99, status, *others = map(int, found[1].split())
    return Counts(requests - status, status + sum(others), microseconds / 1e6, p50, p99)


# h2load

def h2load_command(url, body, connections, seconds, log, rate=None):
    """`rate`: requests a second of each connection, which then may have several in flight; None: one after the other."""
    paced = ["-m8", f"--rps={rate}"] if rate else ["-m1"]
    return ["h2load", "-t1", f"-c{connections}", *paced, f"--duration={round(seconds * 1000)}ms", f"--data={body}", f"--log-file={log}",
            "-H", "content-type: application/grpc", "-H", "te: trailers", url]


def parse_h2load(output, log, seconds, answer_bytes):
    """`log`: lines of start, HTTP status and microseconds. A call that fails in gRPC is answered with status 200 and no
    data, so they are counted by the bytes that came: every good answer of a run has `answer_bytes`."""
    requests = re.search(r"^requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, "
                         r"(\d+) timeout$", output, re.MULTILINE)
    data = re.search(r"^traffic: .*?, \S+ \((\d+)\) data$", output, re.MULTILINE)
    if not requests or not data:
        raise BadOutput(output[-1000:])
    lines = [line.split() for line in log.splitlines()]
    times = sorted(int(line[2]) for line in lines if line[1] == "200")
    without_data = max(0, len(times) - int(data[1]) // answer_bytes) if answer_bytes else 0
    wrong_status = len(lines) - len(times)
    failed = int(requests[5]) + int(requests[6]) + int(requests[7])
    if not times:
        return Counts(0, max(1, failed, wrong_status), seconds, 0, 0)
    return Counts(len(times) - without_data, max(failed, wrong_status) + without_data, seconds, quantile(times, 0.5),
                  quantile(times, 0.99))


# Before every thread that is not real-time: its own waits for a core are then none of what it measures. Needs root.
FIRST = ("chrt", "--fifo", "1")


class Generators:
    """Runs them; files go to `folder`. `prefix`: what they are run with, FIRST or nothing."""

    def __init__(self, folder, prefix=()):
        self.folder, self.prefix = pathlib.Path(folder), prefix
        self.script = self.folder / "wrk.lua"
        self.script.write_text(WRK_SCRIPT)

    def rest(self, url, request, connections, seconds):
        body = self._write(request)
        return parse_wrk(self._run(wrk_command(url, request, connections, max(1, round(seconds)), self.script),
                                   seconds, {"BENCH_BODY": str(body)}))

    def grpc(self, url, request, connections, seconds, answer_bytes, rate=None):
        log = self.folder / "h2load.log"
        log.unlink(missing_ok=True)
        output = self._run(h2load_command(url, self._write(request), connections, seconds, log, rate), seconds, {})
        return parse_h2load(output, log.read_text() if log.exists() else "", seconds, answer_bytes)

    def _write(self, request):
        path = self.folder / "body"
        path.write_bytes(request.body)
        return path

    def _run(self, command, seconds, environment):
        done = subprocess.run([str(word) for word in (*self.prefix, *command)], capture_output=True, text=True, check=False,
                              timeout=seconds + 4 * TIMEOUT_SECONDS, env={"PATH": "/usr/bin:/bin", **environment})
        if done.returncode != 0:
            raise BadOutput(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-1000:]}")
        return done.stdout
