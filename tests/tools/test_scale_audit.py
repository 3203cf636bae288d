"""bench/scale's audit log: its lines, what is counted of them, and how fast a controller reacts."""
import json

import pytest
from scale import audit


def event(verb, resource, name, received, answered, user="controller", subresource=None, code=200):
    """One line of an audit log; times are seconds after noon."""
    reference = {"resource": resource, "name": name, "namespace": "bench"}
    if subresource:
        reference["subresource"] = subresource
    return json.dumps({
        "user": {"username": user}, "verb": verb, "objectRef": reference, "requestURI": f"/{resource}/{name}",
        "requestReceivedTimestamp": f"2026-01-01T12:00:{received:09.6f}Z",
        "stageTimestamp": f"2026-01-01T12:00:{answered:09.6f}Z", "responseStatus": {"code": code}})


def requests(*lines):
    return [audit.parse(line) for line in lines]


def test_a_line_of_the_log_becomes_a_request():
    request = audit.parse(event("patch", "modeldeployments", "m00001", 1.5, 1.75, subresource="status"))
    assert (request.verb, request.resource, request.name, request.code) == ("patch", "modeldeployments/status", "m00001", 200)
    assert request.answered - request.received == pytest.approx(0.25)


def test_a_request_without_an_object_is_known_by_its_path():
    line = json.dumps({"user": {"username": "controller"}, "verb": "get", "requestURI": "/version?timeout=32s",
                       "requestReceivedTimestamp": "2026-01-01T12:00:00.000000Z", "stageTimestamp": "2026-01-01T12:00:00.000000Z"})
    assert audit.parse(line).resource == "/version"


def test_the_reader_waits_for_the_end_of_a_line(tmp_path):
    log = tmp_path / "audit.log"
    whole = event("get", "pods", "a", 1, 1) + "\n"
    log.write_text(whole + whole[:20])
    reader = audit.Reader(log)
    assert len(reader.read()) == 1
    with log.open("a") as file:
        file.write(whole[20:])
    assert len(reader.read()) == 1
    assert reader.read() == []


def test_reads_writes_events_and_status_writes_are_counted_apart():
    counted = audit.count(requests(
        event("list", "pods", "", 1, 1), event("watch", "pods", "", 1, 1), event("create", "events", "x", 1, 1),
        event("patch", "rollouts", "a", 1, 1, subresource="status"), event("update", "replicasets", "a-1", 1, 1, code=409)), 2)
    assert (counted["requests"], counted["reads"], counted["writes"], counted["events"]) == (5, 2, 2, 1)
    assert (counted["writesAnObject"], counted["statusWritesAnObject"], counted["failed"]) == (1.0, 0.5, 1)
    assert counted["byKind"]["patch rollouts/status"] == 1


def reactions_to(*lines):
    return audit.reactions(requests(*lines), {"a": (0, 0)}, "controller", lambda name: name.split("-")[0])


def test_a_reaction_runs_from_the_stored_object_to_the_first_write_for_it():
    assert reactions_to(
        event("patch", "rollouts", "a", 1, 2, user="harness"), event("create", "replicasets", "a-77", 2.5, 2.6),
        event("patch", "rollouts", "a", 3, 3.1)) == {"a": pytest.approx(0.5)}


@pytest.mark.parametrize("other", [
    event("create", "events", "a-1", 2.1, 2.2), event("patch", "rollouts", "b", 2.1, 2.2),
    event("get", "rollouts", "a", 2.1, 2.2), event("update", "rollouts", "a", 2.1, 2.2, code=409),
    event("patch", "rollouts", "a", 0.1, 0.2)])
def test_what_is_no_write_because_of_the_object_is_no_reaction(other):
    assert reactions_to(event("patch", "rollouts", "a", 1, 2, user="harness"), other) == {}


def test_a_controller_that_is_faster_than_the_answer_has_reacted_at_once():
    assert reactions_to(event("patch", "rollouts", "a", 1, 2, user="harness"), event("patch", "rollouts", "a", 1.9, 2.1)) == {"a": 0}


@pytest.mark.parametrize("share, expected", [(0.5, 2), (0.99, 4), (1, 4), (0.01, 1)])
def test_a_percentile_is_one_of_the_values(share, expected):
    assert audit.percentile([4, 2, 1, 3], share) == expected


def test_nothing_has_no_percentile():
    assert audit.percentile([], 0.5) is None
