"""The operator when it is not simply dead: a leader that sleeps, one that is cut off, an API server that is away.

Each time in the middle of a rollout, under users who never stop. What it cost them and how long it took is written to
build/e2e/high-availability.json.
"""
import os
import time

import pytest

from conftest import eventually
from kube import ROOT, SYSTEM
from support.node import api_server_down, asleep, cut_off_from_api_server, kill_container, leader, system_pods
from timeline import seconds_of

RECORD = ROOT / "build/e2e/high-availability.json"
# Longer than the 15 s of a lease, shorter than the half minute after which the kubelet ends a container that hangs.
SLEEP = 25
PARTITION = 40
OUTAGE = int(os.environ.get("TIDEGATE_API_OUTAGE", "60"))   # the figures in the docs come from 300
WHOLE_ROLLOUT = [{"1": 100}, {"1": 80, "2": 20}, {"1": 50, "2": 50}, {"2": 100}]


@pytest.fixture
def rollout(deploy, users, request):
    """A deployment of its own whose version 2 has its first confirmed weight; (it, its users)."""
    deployment = deploy(name=request.node.name.split("_")[1], replicas=2,
                        rollout={"steps": [{"weight": 20, "hold": "20s"}, {"weight": 50}]})
    deployment.apply("1")
    deployment.wait_healthy("1")
    crowd = users(deployment, f"users-{deployment.name}")
    crowd.begin(200)
    deployment.apply("2")
    deployment.wait("the canary's first weight, confirmed", lambda s: s.get("canary", {}).get("verifiedWeight"), seconds=60)
    return deployment, crowd


def lease(kube):
    return kube.get("lease", "tidegate-operator", SYSTEM)["spec"]


def write_down(record, name, deployment, totals, **facts):
    record[name] = {"sent": totals["sent"], "failed": totals["failed"],
                    "weights": [change.weights for change in deployment.timeline.weights]} | facts


def gateway(kube, name):
    """What the kubelet says of the proxy in a gateway's pod."""
    return kube.get("pod", name, SYSTEM)["status"]["containerStatuses"][0]


def seconds_to_next_weights(deployment, begun):
    return next(round(change.written - begun, 1) for change in deployment.timeline.weights if change.written > begun)


def wait_for_other_leader(kube, old, seconds=60):
    """(the Lease of the next leader, seconds since the epoch when it took over)."""
    deadline = time.monotonic() + seconds
    while (spec := lease(kube)).get("holderIdentity") in (old, "", None):
        assert time.monotonic() < deadline, f"the lease is still held by {old} after {seconds} s"
        time.sleep(0.1)   # between two questions to the API server
    return spec, seconds_of(spec["acquireTime"])


def test_sleeping_leader_is_replaced_and_writes_nothing_when_it_wakes(tidegate, rollout, record):
    deployment, crowd = rollout
    old = leader(tidegate)
    begun = time.time()
    with asleep(old, "operator"):
        spec, taken = wait_for_other_leader(tidegate, old["metadata"]["uid"])
        crowd.wait_answers(int(200 * max(1, SLEEP - (time.time() - begun))), seconds=60)
    status = deployment.wait_healthy("2", seconds=300)
    totals = crowd.stop()

    write_down(record, "leader asleep", deployment, totals, secondsToNextLeader=round(taken - begun, 1),
               secondsToItsFirstWeights=seconds_to_next_weights(deployment, begun))
    assert totals["failed"] == 0, crowd.timeline.failures[:20]
    assert [change.weights for change in deployment.timeline.weights] == WHOLE_ROLLOUT
    assert status["leaderEpoch"] == spec["leaseTransitions"]
    assert lease(tidegate)["holderIdentity"] == spec["holderIdentity"], "the sleeper took the lease back"


def test_partitioned_leader_stops_writing_and_the_other_goes_on(tidegate, rollout, record):
    deployment, crowd = rollout
    old = leader(tidegate)
    begun = time.time()
    with cut_off_from_api_server(old):
        spec, taken = wait_for_other_leader(tidegate, old["metadata"]["uid"])
        crowd.wait_answers(int(200 * max(1, PARTITION - (time.time() - begun))), seconds=90)
    deployment.wait_healthy("2", seconds=300)
    totals = crowd.stop()

    write_down(record, "leader cut off", deployment, totals, secondsToNextLeader=round(taken - begun, 1),
               secondsToItsFirstWeights=seconds_to_next_weights(deployment, begun))
    assert totals["failed"] == 0, crowd.timeline.failures[:20]
    assert [change.weights for change in deployment.timeline.weights] == WHOLE_ROLLOUT


def test_gateways_serve_on_without_any_operator_and_a_new_one_waits_for_its_configuration(tidegate, rollout, record):
    deployment, crowd = rollout
    tidegate("scale", "deployment", "tidegate-operator", "-n", SYSTEM, "--replicas=0")
    try:
        tidegate("wait", "pods", "-n", SYSTEM, "-l", "app.kubernetes.io/name=tidegate-operator", "--for=delete", "--timeout=60s")
        victim = system_pods(tidegate, "tidegate-gateway")[0]["metadata"]["name"]
        restarts = gateway(tidegate, victim)["restartCount"]
        kill_container(tidegate.get("pod", victim, SYSTEM), "envoy")
        eventually(lambda: gateway(tidegate, victim), lambda found: found["restartCount"] > restarts and "running" in found["state"],
                   what="the killed gateway's next process")
        crowd.wait_answers(1000)
        assert not gateway(tidegate, victim)["ready"], "it has no configuration"
    finally:
        tidegate("scale", "deployment", "tidegate-operator", "-n", SYSTEM, "--replicas=2")
    tidegate.wait_rollout(SYSTEM, "tidegate-operator", "tidegate-gateway")
    deployment.wait_healthy("2", seconds=300)
    totals = crowd.stop()

    write_down(record, "no operator", deployment, totals)
    # On the killed gateway itself something may have been in flight.
    failures = crowd.timeline.failures
    assert [failure for failure in failures if failure["code"] != 0 or failure["stage"] == "connect"] == []
    assert [change.weights for change in deployment.timeline.weights] == WHOLE_ROLLOUT


def test_outage_of_the_api_server_costs_no_request_and_no_version(tidegate, rollout, record):
    deployment, crowd = rollout
    begun = time.time()
    with api_server_down():
        crowd.wait_answers(200 * OUTAGE, seconds=OUTAGE + 60)
    back = time.time()
    status = deployment.wait_healthy("2", seconds=300)
    totals = crowd.stop()

    write_down(record, "API server down", deployment, totals, secondsDown=round(back - begun, 1),
               secondsToPromotionAfterIt=round(time.time() - back, 1))
    assert totals["failed"] == 0, crowd.timeline.failures[:20]
    assert status.get("quarantined", []) == [], "a false rollback"
    # While Kubernetes hears of one pod again before the other, the one that it knows of may serve alone.
    changes = [change.weights for change in deployment.timeline.weights]
    assert [step for step in WHOLE_ROLLOUT[1:] if step not in changes] == []
    assert changes[-1] == {"2": 100}
