"""The main job: a first version serves, a better one is promoted, a broken one is taken back, and every request counts."""
import itertools

from timeline import seconds_of


def promoted(status, version):
    return [entry for entry in status.get("history", []) if entry["version"] == version and entry["outcome"] == "Promoted"]


def test_a_good_version_is_promoted_and_a_broken_one_taken_back_without_a_failure_that_is_not_its_own(deploy, users):
    digits = deploy(replicas=2, rollout={"steps": [{"weight": 20}, {"weight": 50}]})
    crowd = users(digits)

    digits.apply("1")
    digits.wait_healthy("1")
    crowd.begin(300)
    digits.apply("2")
    digits.wait_healthy("2", seconds=240)
    at_promotion = crowd.poll()
    digits.apply("3")
    status = digits.wait("version 3 taken back", lambda s: s.get("phase") == "RolledBack", seconds=120)
    digits.wait("weight 0 confirmed by every proxy", lambda s: digits.timeline.weights[-1].verified, seconds=30)
    crowd.wait_answers(200)
    totals = crowd.stop()

    assert at_promotion["failed"] == 0 and at_promotion["versions"]["2"]["ok"] > 1000
    assert totals["sent"] == totals["ok"] + totals["failed"]
    assert totals["versions"]["1"]["failed"] == totals["versions"]["2"]["failed"] == 0
    assert totals["failed"] == totals["versions"]["3"]["failed"] == len(crowd.timeline.failures) > 0
    assert {failure["error_source"] for failure in crowd.timeline.failures} == {"model"}
    assert promoted(status, "2") and not promoted(status, "3")
    assert [entry["version"] for entry in status["quarantined"]] == ["3"]
    check_weights(digits.timeline.weights)
    check_taken_back_in_time(digits, crowd, totals)


def check_weights(changes):
    """As planned, never a step back before the rollback, always 100 in sum, each confirmed by the proxies."""
    assert all(sum(change.weights.values()) == 100 for change in changes)
    seen = [change.weights for change in changes]
    assert seen[:4] == [{"1": 100}, {"1": 80, "2": 20}, {"1": 50, "2": 50}, {"2": 100}]
    assert seen[4:] in ([{"2": 80, "3": 20}, {"2": 100}], [{"2": 80, "3": 20}, {"2": 50, "3": 50}, {"2": 100}])
    assert all(change.verified for change in changes)
    for before, after in itertools.pairwise(changes):
        assert before.written < after.written


def check_taken_back_in_time(digits, crowd, totals):
    """No request went to version 3 after every proxy had confirmed weight 0, and that did not take long."""
    last_request = seconds_of(totals["versions"]["3"]["last_due"])
    verified = digits.timeline.weights[-1].verified
    first_failure = min(seconds_of(failure["ended"]) for failure in crowd.timeline.failures)
    assert last_request <= verified
    assert verified - first_failure < 60
