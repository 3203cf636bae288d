"""Processes that die at the worst moment: the operator's leader in a rollout, a gateway, a serving pod.

Killed with SIGKILL from the host: no preStop, no drain, no farewell. What it cost the users is counted and written to
build/e2e/faults.json, each failed request with its time, phase, revision and Envoy's response flags.
"""
import json
import pathlib
import subprocess
import sys
import time

import pytest

from conftest import eventually
from kube import ROOT, SYSTEM
from support import node
from support.node import kill_container, leader, system_pods
from timeline import seconds_of, timestamp_of

RECORD = ROOT / "build/e2e/faults.json"


@pytest.fixture(scope="module")
def digits(deploy):
    deployment = deploy(replicas=2, rollout={"steps": [{"weight": 20}, {"weight": 50}]})
    deployment.apply("1")
    deployment.wait_healthy("1")
    return deployment


def access_log(kube):
    """What the gateways wrote about each of the users' requests, by request id: flags, code, revision."""
    entries = {}
    for pod in system_pods(kube, "tidegate-gateway"):
        for previous in (["--previous"], []):
            try:
                text = kube("logs", "-n", SYSTEM, pod["metadata"]["name"], "-c", "envoy", *previous)
            except Exception:   # there is no previous container
                continue
            for line in text.splitlines():
                if line.startswith("{"):
                    entry = json.loads(line)
                    entries[entry["request_id"]] = entry
    return entries


def write_down(kube, record, name, kill, crowds, phase):
    """Adds a fault's facts to the record; returns the failures in flight when the process ended, and all others."""
    log = access_log(kube) if any(crowd.timeline.failures for crowd in crowds) else {}
    in_flight, others = [], []
    for crowd in crowds:
        for failure in crowd.timeline.failures:
            entry = log.get(failure["request_id"])
            failure |= {"users": crowd.name, "phase": phase(failure),
                        "envoy": {key: entry.get(key) for key in ("flags", "details", "endpoint")} if entry else "not in its log"}
            was_sent = failure["stage"] in ("exchange", "answered")
            in_flight_then = was_sent and seconds_of(failure["due"]) <= kill[1]
            (in_flight if in_flight_then else others).append(failure)
    record[name] = {"killed": timestamp_of(kill[0]), "gone": timestamp_of(kill[1]),
                    "sent": sum(crowd.timeline.totals["sent"] for crowd in crowds),
                    "inFlightOnTheKilledProcess": in_flight, "others": others}
    return in_flight, others


def test_a_process_that_ends_while_it_is_looked_at_is_dead(monkeypatch):
    class Vanishing:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return False

        def read(self):
            raise ProcessLookupError("No such process")

    monkeypatch.setattr(node, "open", lambda *_, **__: Vanishing(), raising=False)
    assert node.is_dead(1)


def test_a_process_is_not_dead_while_one_of_its_threads_lives():
    only_the_first_thread_ends = ("import ctypes, threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); "
                                  "ctypes.CDLL(None).syscall(60, 0)")   # exit, not exit_group
    process = subprocess.Popen([sys.executable, "-c", only_the_first_thread_ends])
    stat = pathlib.Path(f"/proc/{process.pid}/stat")
    eventually(lambda: stat.read_text().rpartition(")")[2].split()[0], lambda state: state == "Z", 10)
    assert not node.is_dead(process.pid)
    process.kill()
    process.wait()
    assert node.is_dead(process.pid)


def test_killing_the_leader_in_the_middle_of_a_rollout_costs_no_request_and_no_step(tidegate, digits, users, record):
    crowd = users(digits, "users-leader")
    crowd.begin(300)
    digits.apply("2")
    digits.wait("the canary's first weight, confirmed", lambda s: s.get("canary", {}).get("verifiedWeight"), seconds=60)
    old = leader(tidegate)
    kill = kill_container(old, "operator")
    status = digits.wait_healthy("2", seconds=300)
    totals = crowd.stop()

    _, others = write_down(tidegate, record, "leader killed", kill, [crowd], lambda failure: "version 2 on trial")
    record["leader killed"]["secondsToPromotion"] = round(time.time() - kill[0], 1)
    assert totals["failed"] == 0, others
    assert [change.weights for change in digits.timeline.weights] == [
        {"1": 100}, {"1": 80, "2": 20}, {"1": 50, "2": 50}, {"2": 100}]
    assert status["history"][-1]["outcome"] == "Promoted"


def test_killing_one_of_two_gateways_costs_at_most_what_was_in_flight_on_it(tidegate, digits, users, record):
    fresh, kept = users(digits, "users-new-connections"), users(digits, "users-keep-alive")
    fresh.begin(100, "--new-connections")
    kept.begin(200)
    victim = system_pods(tidegate, "tidegate-gateway")[0]
    kill = kill_container(victim, "envoy")
    fresh.wait_answers(1000)
    kept.wait_answers(1000)
    fresh.stop()
    kept.stop()

    in_flight, others = write_down(tidegate, record, "gateway killed", kill, [fresh, kept],
                                   lambda failure: "before the kill" if seconds_of(failure["due"]) < kill[0] else "after the kill")
    assert others == []
    assert all(failure["code"] == 0 for failure in in_flight)
    tidegate.wait_rollout(SYSTEM, "tidegate-gateway")


def test_killing_a_serving_pod_costs_at_most_what_was_in_flight_on_it(tidegate, digits, users, record):
    crowd = users(digits, "users-pod")
    crowd.begin(300)
    revision = digits.status["stable"]["revision"]
    victim = digits.pods(revision)[0]
    kill = kill_container(victim, "runtime")
    crowd.wait_answers(1500)
    digits.wait("both pods again", lambda s: s["stable"].get("available") == 2, seconds=60)
    crowd.stop()

    in_flight, others = write_down(tidegate, record, "serving pod killed", kill, [crowd], lambda failure: "pod killed")
    assert others == []
    assert all(failure["revision"] == revision for failure in in_flight)
