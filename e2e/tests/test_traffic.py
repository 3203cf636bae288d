"""tidegate-traffic against a small server of its own: what a reader of its lines and its statistics port sees.

Run with TIDEGATE_TRAFFIC=…, by default that of build/release; needs no cluster.
"""
import collections
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("TIDEGATE_TRAFFIC", str(ROOT / "build/release/e2e/traffic/tidegate-traffic"))


class Server:
    """Counts what arrives, byte for byte; `answer(number of the request)` says what to do with it."""

    def __init__(self, answer):
        self.answer, self.requests, self.connections = answer, 0, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            while self.read_request(stream):
                with self.lock:
                    self.requests += 1
                    number = self.requests
                answer = self.answer(number)
                if answer is None:
                    return   # closes the connection with the request unanswered
                code, version, body = answer
                connection.sendall(f"HTTP/1.1 {code} X\r\nx-tidegate-model-version: {version}\r\n"
                                   f"content-length: {len(body)}\r\n\r\n{body}".encode())

    @staticmethod
    def read_request(stream):
        length = 0
        line = stream.readline()
        if not line:
            return False
        while line not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            line = stream.readline()
        stream.read(length)
        return True


@pytest.fixture
def serve():
    servers = []

    def start(answer):
        servers.append(Server(answer))
        return servers[-1]
    yield start
    for server in servers:
        server.listener.close()


def run(port, *flags):
    done = subprocess.run([PROGRAM, f"--url=http://127.0.0.1:{port}/predict", *flags],
                          capture_output=True, text=True, timeout=60, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines[-1], [line for line in lines if line["type"] == "failure"]


def test_sends_exactly_rate_times_duration_and_counts_each(serve):
    server = serve(lambda number: (200, "1", "{}"))
    totals, failures = run(server.port, "--rate=100", "--duration=1s")
    assert (totals["sent"], totals["ok"], totals["failed"], totals["in_flight"]) == (100, 100, 0, 0)
    assert server.requests == 100 and failures == []
    assert totals["versions"]["1"]["ok"] == 100


def test_a_broken_connection_fails_one_request_and_nothing_is_sent_twice(serve):
    server = serve(lambda number: None if number == 20 else (200, "1", "{}"))
    totals, failures = run(server.port, "--rate=100", "--duration=500ms", "--connections=1")
    assert (totals["sent"], totals["ok"], totals["failed"]) == (50, 49, 1)
    assert server.requests == 50
    assert failures[0]["stage"] == "exchange" and "closed before the answer" in failures[0]["error"]


def test_an_error_answer_keeps_its_version_and_words(serve):
    server = serve(lambda number: (400, "3", "too much ink") if number == 5 else (200, "2", "{}"))
    totals, failures = run(server.port, "--rate=50", "--duration=200ms")
    assert [(f["code"], f["version"], f["excerpt"]) for f in failures] == [(400, "3", "too much ink")]
    assert totals["versions"]["3"] == totals["versions"]["3"] | {"ok": 0, "failed": 1}


def test_new_connections_opens_one_for_each_request(serve):
    server = serve(lambda number: (200, "1", "{}"))
    run(server.port, "--rate=100", "--duration=200ms", "--new-connections")
    assert server.connections == 20


def test_keep_alive_opens_no_more_connections_than_needed(serve):
    server = serve(lambda number: (200, "1", "{}"))
    run(server.port, "--rate=100", "--duration=500ms", "--connections=4")
    assert server.connections <= 4


def test_refused_connections_are_failures_of_new_connections():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    totals, failures = run(port, "--rate=50", "--duration=100ms")
    assert totals["failed"] == totals["sent"] == 5
    assert {(f["stage"], f["new_connection"], f["error"]) for f in failures} == {("connect", True, "Connection refused")}


def test_a_slow_server_does_not_slow_the_users_down(serve):
    event = threading.Event()
    server = serve(lambda number: (event.wait(10), (200, "1", "{}"))[1])
    threading.Timer(0.6, event.set).start()
    totals, _ = run(server.port, "--rate=100", "--duration=500ms", "--connections=100")
    assert totals["ok"] == 50   # all were sent while none had been answered
    assert totals["versions"]["1"]["p95_ms"] > 400   # measured from when each was due


def test_a_request_that_gets_no_answer_in_time_is_a_timeout(serve):
    event = threading.Event()
    server = serve(lambda number: (event.wait(10), (200, "1", "{}"))[1])
    totals, failures = run(server.port, "--rate=20", "--duration=100ms", "--timeout=200ms", "--connections=1")
    event.set()
    assert totals["failed"] == 2
    assert all(f["error"].startswith("timeout") and f["code"] == 0 for f in failures)


def test_starts_to_count_with_the_first_good_answer(serve):
    server = serve(lambda number: (404, "", "") if number <= 2 else (200, "1", "{}"))
    totals, failures = run(server.port, "--rate=50", "--duration=200ms", "--start-when-served")
    assert (totals["sent"], totals["failed"], totals["knocks"]) == (10, 0, 3)
    assert failures == []


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()


def test_sigterm_finishes_what_is_in_flight_and_the_statistics_add_up(serve, tmp_path):
    server = serve(lambda number: (time.sleep(0.05), (500 if number % 10 == 0 else 200, "1", "{}"))[1])
    with socket.create_server(("127.0.0.1", 0)) as free:
        stats = free.getsockname()[1]
    bodies = tmp_path / "bodies"
    bodies.write_text('{"instances":[1]}\n{"instances":[2]}\n')
    process = subprocess.Popen([PROGRAM, f"--url=http://127.0.0.1:{server.port}/", "--rate=100", f"--bodies={bodies}",
                                f"--stats-port={stats}"], stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    seen = {"next_second": 0}
    while seen["next_second"] < 2 and time.monotonic() < deadline:
        try:
            seen = json.loads(get(stats, "/stats"))
            assert seen["sent"] == seen["ok"] + seen["failed"] + seen["in_flight"]
        except urllib.error.URLError:
            pass
    failures = get(stats, "/failures?from=0").splitlines()
    seconds = [json.loads(line) for line in get(stats, "/seconds?from=0").splitlines()]
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    totals = json.loads(output.splitlines()[-1])
    assert process.returncode == 0
    assert totals["in_flight"] == 0 and totals["sent"] == totals["ok"] + totals["failed"] == server.requests
    assert collections.Counter(json.loads(line)["code"] for line in failures) == {500: len(failures)} and failures
    assert all(second["sent"] <= 101 for second in seconds)


@pytest.mark.parametrize("flags", [["--rate=5"], ["--url=https://x/"], ["--url=http://x/", "--bodies=/none"]])
def test_wrong_usage_exits_2_with_a_sentence(flags):
    done = subprocess.run([PROGRAM, *flags], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2
    assert done.stderr.startswith("tidegate-traffic: ")
