"""What the demo makes of what it saw: the record, its faults, the picture. Needs no cluster."""
import itertools
import xml.etree.ElementTree

import pytest

import chart
import record
from s3 import Store
from timeline import Timeline, timestamp_of

START = 1_790_000_000
PLAN = [(0, {"1": 100}), (12, {"1": 90, "2": 10}), (32, {"1": 75, "2": 25}), (46, {"1": 50, "2": 50}), (66, {"2": 100}),
        (82, {"2": 90, "3": 10}), (90, {"2": 100})]
REVISIONS = {"1": "digits-11111111", "2": "digits-22222222", "3": "digits-33333333"}


def object_with(weights, verified=True):
    versions = list(weights)
    canary = {"revision": REVISIONS[versions[-1]], "version": versions[-1], "weight": weights[versions[-1]],
              "verifiedWeight": weights[versions[-1]] if verified else 0}
    stable = {"revision": REVISIONS[versions[0]], "version": versions[0]}
    return {"metadata": {"generation": 1}, "status": {
        "stable": stable, "canary": canary if len(versions) > 1 else None,
        "traffic": [{"revision": REVISIONS[v], "weight": w} for v, w in weights.items()],
        "conditions": [{"type": "TrafficVerified", "status": "True" if verified else "False"}]}}


def users_second(at, weights):
    return {"second": START + at, "sent": 300, "versions": {
        v: {"ok": 3 * w - (at % 4 if v == "3" else 0), "failed": at % 4 if v == "3" else 0, "p50_ms": 1.0,
            "p95_ms": 22.0 if v == "3" else 2.0} for v, w in weights.items()}}


def failure(at, **changed):
    return {"version": "3", "code": 400, "error_source": "model", "ended": timestamp_of(START + at)} | changed


def totals_of(seconds, failures):
    versions = {}
    for second in seconds:
        for version, counts in second["versions"].items():
            entry = versions.setdefault(version, {"ok": 0, "failed": 0, "p50_ms": 1.0, "p95_ms": 2.0})
            entry["ok"] += counts["ok"]
            entry["failed"] += counts["failed"]
            entry["last_due"] = timestamp_of(second["second"] + 0.5)
    ok = sum(entry["ok"] for entry in versions.values())
    return {"sent": ok + len(failures), "ok": ok, "failed": len(failures), "in_flight": 0, "versions": versions,
            "start": timestamp_of(START), "now": timestamp_of(START + 105)}


@pytest.fixture
def timeline():
    """The story as it should be: 105 seconds, version 2 promoted, version 3 taken back."""
    told = Timeline()
    for at, weights in PLAN:
        told.saw_object(START + at + 0.2, object_with(weights, verified=False))
        told.saw_object(START + at + 0.9, object_with(weights))
    told.mark(START + 11, "apply version 2")
    told.mark(START + 66.2, "version 2 promoted")
    told.mark(START + 80, "apply version 3")
    told.mark(START + 90.2, "version 3 taken back")
    seconds = [users_second(at, [w for begin, w in PLAN if begin <= at][-1]) for at in range(105)]
    failures = [failure(s["second"] - START + 0.5) for s in seconds for _ in range(s["versions"].get("3", {"failed": 0})["failed"])]
    told.saw_users(totals_of(seconds, failures), seconds, failures)
    return told


@pytest.fixture
def status():
    return {"stable": {"version": "2"}, "quarantined": [{"version": "3"}],
            "history": [{"version": "1", "outcome": "Promoted"}, {"version": "2", "outcome": "Promoted"}]}


def test_the_story_as_it_should_be_has_no_fault(timeline, status):
    assert record.faults_of(timeline, status, "3") == []


@pytest.mark.parametrize("wrong", [
    failure(20, version="2", error_source=""), failure(20, version="1"), failure(20, version="", code=0, error="timeout"),
    failure(85, error_source="", code=503)])
def test_any_failure_but_version_3s_own_answers_is_a_fault(timeline, status, wrong):
    timeline.failures.append(wrong)
    timeline.totals["failed"] += 1
    timeline.totals["sent"] += 1
    assert len(record.faults_of(timeline, status, "3")) == 1


def test_a_missing_promotion_or_quarantine_or_request_is_a_fault(timeline, status):
    assert record.faults_of(timeline, status | {"history": []}, "3")
    assert record.faults_of(timeline, status | {"quarantined": []}, "3")
    assert record.faults_of(timeline, status | {"stable": {"version": "3"}}, "3")
    timeline.totals["sent"] += 1
    assert record.faults_of(timeline, status, "3")


def test_a_rollback_is_timed_from_the_first_failed_answer_to_each_stage(timeline):
    times = timeline.rollback_times("3")
    first = min(f["ended"] for f in timeline.failures)
    assert times["firstFailure"] == first == timestamp_of(START + 82.5 + 0)
    assert times["toDecision"] == pytest.approx(90.2 - 82.5)
    assert times["toEveryProxy"] == pytest.approx(90.9 - 82.5)
    assert times["toLastRequest"] == pytest.approx(89.5 - 82.5)


def test_phases_add_up_to_all_requests(timeline):
    totals = timeline.totals
    half = {"sent": 1000, "ok": 1000, "failed": 0, "versions": {"1": {"ok": 1000, "failed": 0}}}
    timeline.begin_phase(START, "first", {})
    timeline.begin_phase(START + 50, "second", half)
    timeline.end_phase(START + 105, totals)
    rows = timeline.phase_counts()
    assert [row["phase"] for row in rows] == ["first", "second"]
    for key in ("sent", "ok", "failed"):
        assert sum(row[key] for row in rows) == totals[key]


def test_a_status_in_which_a_version_drains_is_not_confirmed_before_every_proxy_said_so():
    told = Timeline()
    told.saw_object(1, object_with({"1": 50, "2": 50}))
    after = object_with({"1": 100})
    after["status"]["draining"] = [{"revision": REVISIONS["2"], "version": "2", "since": "…"}]
    told.saw_object(2, after)
    assert told.taken_back("2").verified is None
    after["status"]["draining"][0]["verifiedAt"] = "…"
    told.saw_object(3, after)
    assert told.taken_back("2").verified == 3


def boxes(svg):
    """(left, top, right, bottom, words) of each text, with a generous width for its letters."""
    for element in xml.etree.ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        width = 6.9 * len(element.text)
        x, y = float(element.get("x")), float(element.get("y"))
        left = {"start": x, "middle": x - width / 2, "end": x - width}[element.get("text-anchor")]
        yield left, y - 10, left + width, y + 3, element.text


@pytest.mark.parametrize("marks", [[], [(START + 67, "paused"), (START + 69, "version 2 looked at"), (START + 104, "the end of it all")]])
def test_no_words_in_the_picture_touch_others_or_leave_it(timeline, marks):
    timeline.marks = sorted(timeline.marks + marks)
    found = list(boxes(chart.draw(timeline)))
    assert len(found) > 20
    for box in found:
        assert box[0] >= 0 and box[2] <= chart.WIDTH, box
    for a, b in itertools.combinations(found, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (a, b)


def test_the_uploader_signs_as_amazons_example_does(monkeypatch):
    """GET ?lifecycle of docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html."""
    import s3

    class Clock(s3.datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2013, 5, 24, tzinfo=tz)
    monkeypatch.setattr(s3.datetime, "datetime", Clock)
    store = Store("http://examplebucket.s3.amazonaws.com", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    headers = store._sign("GET", "/", "lifecycle=", b"")
    assert headers["authorization"].endswith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
