"""What bench/scale knows of each controller."""
import pytest
from scale.peers import PEERS
from scale.peers.base import container, sum_of


def peer_of(name):
    return PEERS[name].__new__(PEERS[name])


def route(name, weight):
    backends = [{"name": f"{name}-primary", "weight": 100 - weight}, {"name": f"{name}-canary", "weight": weight}]
    return {"kind": "HTTPRoute", "metadata": {"name": name}, "spec": {"rules": [{"backendRefs": backends}]}}


def test_flaggers_weight_is_the_one_of_its_route():
    flagger = peer_of("flagger")
    assert flagger.weight(route("m1", 20)) == 20
    assert flagger.weight({"kind": "Canary", "status": {"canaryWeight": 50}}) is None


@pytest.mark.parametrize("status, weight", [
    ({"currentStepIndex": 1, "updatedReplicas": 1}, 20), ({"currentStepIndex": 3, "updatedReplicas": 1}, 50),
    ({"currentStepIndex": 2, "updatedReplicas": 1}, None), ({"currentStepIndex": 5, "updatedReplicas": 2}, None),
    ({"currentStepIndex": 1}, None), ({}, None)])
def test_a_rollout_in_a_pause_has_the_weight_before_it(status, weight):
    assert peer_of("argo").weight({"status": status}) == weight


def test_our_weight_is_the_one_that_every_gateway_has_confirmed():
    assert peer_of("tidegate").weight({"status": {"canary": {"weight": 50, "verifiedWeight": 20}}}) == 20
    assert peer_of("tidegate").weight({"status": {"phase": "Healthy"}}) is None


def deployment(revision=2, name="m1-predictor", replicas=2, **status):
    return {"kind": "Deployment", "metadata": {"name": name, "generation": 3},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [container(revision)]}}},
            "status": {"observedGeneration": 3, "updatedReplicas": 2, "availableReplicas": 2, "replicas": 2} | status}


@pytest.mark.parametrize("found, updated", [
    (deployment(), True), (deployment(revision=1), False), (deployment(observedGeneration=2), False),
    (deployment(replicas=3), False), (deployment(availableReplicas=1), False),
    ({"kind": "InferenceService", "metadata": {"name": "m1"}}, False)])
def test_an_inference_service_is_updated_when_its_deployment_is_rolled_out(found, updated):
    assert peer_of("kserve").is_updated(found, 2) == updated


READY = {"conditions": [{"type": "Ready", "status": "True"}]}
SERVICE = {"metadata": {"name": "m1-predictor"}}


def replica_set(replicas):
    return {"metadata": {"ownerReferences": [{"name": "m1"}]}, "spec": {"replicas": replicas}}


@pytest.mark.parametrize("name, status, lists, faults", [
    ("argo", {}, {"replicasets": [replica_set(2), replica_set(0)]}, {}),
    ("argo", {"abort": True}, {"replicasets": [replica_set(1), replica_set(1)]}, {
        "objects with other than one ReplicaSet in use": 1, "objects that were aborted": 1}),
    ("flagger", {"failedChecks": 0}, {
        "deployments": [deployment(name="m1", replicas=0), deployment(name="m1-primary")], "httproutes": [route("m1", 0)]}, {}),
    ("flagger", {"failedChecks": 2}, {
        "deployments": [deployment(name="m1"), deployment(1, name="m1-primary")], "httproutes": [route("m1", 50)]}, {
        "primaries that are not rolled out": 1, "canaries that are not scaled to nothing": 1,
        "routes that do not send everything to the primary": 1, "checks that failed": 2}),
    ("kserve", READY, {"deployments": [deployment()], "services": [SERVICE]}, {}),
    ("kserve", {}, {"deployments": [deployment(revision=1)], "services": []}, {
        "objects that are not Ready": 1, "objects without a Deployment that is rolled out": 1, "objects without a Service": 1}),
    ("tidegate", {"conditions": [{"type": "TrafficVerified", "status": "True"}]}, {}, {}),
    ("tidegate", {"conditions": [{"type": "TrafficVerified", "status": "False"}]}, {}, {
        "objects whose weights are not verified": 1})])
def test_what_only_one_controller_makes_is_checked_too(name, status, lists, faults):
    peer = peer_of(name)
    peer.api = type("Api", (), {"list": staticmethod(lambda path: lists[path.rsplit("/", 1)[1]])})
    found = peer.own_faults([{"metadata": {"name": "m1"}, "status": status}], 2)
    assert {what: count for what, count in found.items() if count} == faults


def test_a_pod_of_ours_is_of_the_revision_that_status_names():
    ours, found = peer_of("tidegate"), {"status": {"stable": {"version": "2", "revision": "m1-b"}}}
    of = lambda revision: {"metadata": {"labels": {"tidegate.dev/revision": revision}}}  # noqa: E731
    assert ours.is_of_revision(of("m1-b"), found, 2)
    assert not ours.is_of_revision(of("m1-a"), found, 2) and not ours.is_of_revision(of("m1-b"), found, 3)


def test_a_metrics_series_are_added_up_and_no_other_metrics():
    page = """# TYPE tidegate_reconciles_total counter
tidegate_reconciles_total{result="ok"} 40
tidegate_reconciles_total{result="error"} 2
tidegate_reconciles_total_of_another 7
"""
    assert sum_of("tidegate_reconciles_total", page) == 42


def test_every_peer_says_what_it_is():
    assert all(name == peer.name and peer.title and peer.collection for name, peer in PEERS.items())
