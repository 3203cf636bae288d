"""When a phase of bench/scale has ended as asked, and what is measured of it."""
import pytest
from conftest import program
from scale import measure, processes, progress
from scale.peers.base import Peer, image


class SomePeer(Peer):
    """Objects are {"name", "stage", "weight"}: ready at stage "done"."""
    collection = "/objects"

    def __init__(self, lists=None):
        self.api = type("Api", (), {"list": staticmethod(lambda path: (lists or {})[path])})

    command = is_up = objects = update = is_created = lambda self, *_: None

    def key(self, found):
        return found["name"]

    def is_updated(self, found, revision):
        return found["stage"] == "done"

    def weight(self, found):
        return found["weight"]

    def has_given_up(self, found):
        return found["stage"] == "lost"


def follow(*seen):
    """A phase in which the watch saw these objects: (name, stage, weight)."""
    peer = SomePeer()
    followed = progress.Progress(peer)
    followed.begin(lambda found: peer.is_updated(found, 2), lambda found: peer.is_updated(found, 2))
    for when, (name, stage, weight) in enumerate(seen):
        followed.saw({"name": name, "stage": stage, "weight": weight}, when)
    return followed


def test_an_object_is_ready_when_it_first_says_so():
    followed = follow(("a", "begun", 20), ("a", "done", None), ("a", "done", None))
    followed.wait(["a"], 0, lambda: None)
    assert followed.ready_at == {"a": 1}


def test_objects_that_are_not_ready_in_time_are_a_failure_and_not_a_number():
    with pytest.raises(processes.CannotRun, match="1 of 2 objects, b among them"):
        follow(("a", "done", None), ("b", "begun", None)).wait(["a", "b"], 0, lambda: None)


def test_an_object_that_its_controller_gave_up_ends_the_phase_at_once():
    with pytest.raises(processes.CannotRun, match="given up, b among them"):
        follow(("a", "done", None), ("b", "lost", None)).wait(["a", "b"], 1000, lambda: None)


@pytest.mark.parametrize("weights, missed", [
    ((0, 20, 20, 50, 100), []), ((20, 50), []), ((50, 20), ["a"]), ((20,), ["a"]), ((None, 20, None, 50), []), ((), ["a"])])
def test_an_update_must_be_seen_at_every_step_in_order(weights, missed):
    assert follow(*(("a", "begun", weight) for weight in weights)).without_steps(["a"], (20, 50)) == missed


def test_what_was_seen_before_a_phase_does_not_count_for_it():
    followed = follow(("a", "begun", 20), ("a", "done", 50))
    followed.begin(lambda _: False, lambda _: False)
    assert followed.without_steps(["a"], (20, 50)) == ["a"] and not followed.ready_at


def pod(name, revision=2, ready="True", deleted=False):
    meta = {"name": name} | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {})
    return {"metadata": meta, "spec": {"containers": [{"image": image(revision)}]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]}}


@pytest.mark.parametrize("pods, faults", [
    ([pod("a-1"), pod("a-2")], {}),
    ([pod("a-1")], {"objects without 2 pods, both ready": 1}),
    ([pod("a-1"), pod("a-2", ready="False")], {"objects without 2 pods, both ready": 1}),
    ([pod("a-1"), pod("a-2"), pod("a-3", deleted=True)], {"objects without 2 pods, both ready": 1}),
    ([pod("a-1"), pod("a-2", revision=1)], {"pods of another version": 1})])
def test_the_pods_say_whether_an_object_is_in_the_state_that_was_asked_for(pods, faults):
    peer = SomePeer({"/objects": [{"metadata": {"name": "a"}}], "/api/v1/namespaces/bench/pods": pods})
    assert peer.faults(["a"], 2) == faults


def test_an_object_that_is_not_there_is_a_fault():
    peer = SomePeer({"/objects": [], "/api/v1/namespaces/bench/pods": []})
    assert peer.faults(["a"], 1) == {"objects that are not there": 1, "objects without 2 pods, both ready": 1}


def run_in(monkeypatch, numbers):
    """A Run without a cluster, whose every phase has these numbers."""
    run = measure.Run.__new__(measure.Run)
    run.peer, run.pid, run.result = SomePeer(), 0, {"phases": {}}
    run.audit = type("Audit", (), {"read": staticmethod(list)})
    monkeypatch.setattr(measure, "reset_peak", lambda _: None)
    monkeypatch.setattr(measure, "Snapshot", lambda _: None)
    monkeypatch.setattr(run, "_numbers_since", lambda _: dict(numbers))
    monkeypatch.setattr(measure, "summary", lambda _: "")
    return run


def wrong():
    raise processes.CannotRun("3 objects are not there")


def test_a_phase_has_numbers_only_when_it_ended_as_asked(monkeypatch):
    run = run_in(monkeypatch, {"cpuSeconds": 1})
    run._measure("create", lambda _: {"allReadySeconds": 2})
    with pytest.raises(processes.CannotRun, match="update: 3 objects are not there"):
        run._measure("update", lambda _: {"allReadySeconds": 3}, wrong)
    assert run.result["phases"] == {"create": {"cpuSeconds": 1, "allReadySeconds": 2}}


def test_the_state_that_was_asked_for_may_come_a_little_later(monkeypatch):
    run = run_in(monkeypatch, {})
    run.names, run.revision = ["a"], 2
    states = iter([{"pods of another version": 1}, {}])
    monkeypatch.setattr(run.peer, "faults", lambda names, revision: next(states))
    monkeypatch.setattr(measure.time, "sleep", lambda _: None)
    run._demand_state()
    assert next(states, "asked twice") == "asked twice"


def test_a_state_that_does_not_come_is_a_failure(monkeypatch):
    run = run_in(monkeypatch, {})
    run.names, run.revision = ["a"], 2
    monkeypatch.setattr(run.peer, "faults", lambda names, revision: {"pods of another version": 1})
    monkeypatch.setattr(measure, "STATE_SECONDS", -1)
    with pytest.raises(processes.CannotRun, match="pods of another version"):
        run._demand_state()


def phases_with(*mib):
    return {"create": {"rssAfterMiB": 9}} | {f"update {n}": {"rssAfterMiB": value} for n, value in enumerate(mib)}


@pytest.mark.parametrize("mib, slope", [((50, 50, 50), 0), ((50, 51, 52), 10240), ((52, 50), -20480), ((50,), None)])
def test_memory_growth_is_the_slope_over_the_rounds_of_updates(mib, slope):
    assert measure.memory_growth(phases_with(*mib), objects=100)["kibPerThousandUpdates"] == slope


def test_the_bytes_of_one_process_are_summed_over_its_connections():
    line = 'ESTAB 0 0 127.0.0.1:1 127.0.0.1:2 users:(("x",pid={pid},fd=3)) cubic bytes_sent:100 bytes_acked:90 bytes_received:{got}'
    listed = "\n".join([line.format(pid=7, got=5), line.format(pid=7, got=6), line.format(pid=77, got=1000)])
    assert processes.sum_bytes(listed, 7) == (200, 11)


def command_line(*arguments):
    return program("scale/measure").parse(list(arguments))


@pytest.mark.parametrize("arguments, seconds", [
    ((), 900), (("--objects=300",), 900), (("--objects=1000",), 3000), (("--objects=1000", "--phase-seconds=60"), 60)])
def test_a_phase_may_take_longer_with_more_objects(arguments, seconds):
    assert command_line(*arguments).phase_seconds == seconds


def test_a_peer_that_there_is_not_is_told(capsys):
    with pytest.raises(SystemExit):
        command_line("--peers=argo,other")
    assert "there is no 'other'; there are: tidegate" in capsys.readouterr().err
