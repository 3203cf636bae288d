#!/usr/bin/env python3
"""slow_connections.py [--connections=10000] [--out=FILE]: that many connections each to REST and then to gRPC send a byte
every five seconds, until the server has ended them all; meanwhile others ask it for predictions. Prints what it took and how
long others waited, and writes that as JSON. TIDEGATE_BUILD names the build folder."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import requests
from conftest import HERE, Runtime
from processes import open_descriptors, resident_bytes
from slow_crowd import GRPC, REST, SlowCrowd, allow_descriptors

PAUSE_SECONDS = 5
LONGEST_SECONDS = 180


class Asker(threading.Thread):
    """Somebody else, who sends twenty requests a second, each on a connection of its own."""

    def __init__(self, runtime):
        super().__init__()
        self.runtime, self.times, self.failures, self.done = runtime, [], [], threading.Event()

    def run(self):
        while not self.done.wait(0.05):
            begin = time.monotonic()
            try:
                answer = requests.post(f"http://{self.runtime.rest}/v1/models/half_plus_two:predict", '{"instances":[2]}', timeout=30)
                if answer.status_code != 200:
                    self.failures.append(answer.status_code)
            except requests.RequestException as error:
                self.failures.append(str(error))
            self.times.append(time.monotonic() - begin)

    def percentile_ms(self, share):
        return round(sorted(self.times)[int(share * (len(self.times) - 1))] * 1000, 1)


def watch(runtime, crowd, begin):
    """Until all are ended: when the first and the last one was, and the most memory and descriptors on the way."""
    count, ends, memory, descriptors = len(crowd.open), [], 0, 0
    while crowd.open and time.monotonic() - begin < LONGEST_SECONDS:
        left = crowd.go_on()
        ends += [round(time.monotonic() - begin, 1)] * (count - len(ends) - left)
        memory = max(memory, resident_bytes(runtime.process.pid))
        descriptors = max(descriptors, open_descriptors(runtime.process.pid))
        time.sleep(PAUSE_SECONDS if left == count else 0.2)
    return ends, memory, descriptors


def measure(runtime, address, manner, count):
    asker = Asker(runtime)
    before = resident_bytes(runtime.process.pid)
    begin = time.monotonic()
    with SlowCrowd(address, count, manner) as crowd:
        asker.start()
        connected = time.monotonic() - begin
        ends, memory, descriptors = watch(runtime, crowd, begin)
        left = len(crowd.open)
    asker.done.set()
    asker.join()
    return {
        "connections": count, "connected_after_s": round(connected, 1), "first_ended_after_s": ends[0] if ends else None,
        "last_ended_after_s": ends[-1] if ends else None, "never_ended": left, "descriptors": descriptors,
        "rss_before_mib": before >> 20, "rss_most_mib": memory >> 20, "kib_each": round((memory - before) / count / 1024, 1),
        "rss_after_mib": resident_bytes(runtime.process.pid) >> 20, "others_requests": len(asker.times),
        "others_failures": asker.failures, "others_p50_ms": asker.percentile_ms(0.5), "others_p99_ms": asker.percentile_ms(0.99),
        "others_longest_ms": asker.percentile_ms(1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    if allow_descriptors() < options.connections + 100:
        sys.exit(f"this process may have only {allow_descriptors()} descriptors; raise the hard limit (ulimit -Hn)")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([sys.executable, HERE / "make_models.py", folder / "models"], check=True)
        runtime = Runtime(folder / "run", "half_plus_two", base_path=folder / "models" / "half_plus_two")
        runtime.predict({"instances": [2]})
        result = {name: measure(runtime, getattr(runtime, name), manner, options.connections)
                  for name, manner in (("rest", REST), ("grpc", GRPC))}
        result["exit_code"] = runtime.terminate()
        runtime.close()
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    bad = result["exit_code"] != 0 or any(result[name]["never_ended"] or result[name]["others_failures"] for name in ("rest", "grpc"))
    sys.exit(bad)


if __name__ == "__main__":
    main()
