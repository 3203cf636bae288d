"""bench/scale's table and ratios."""
from scale import report


def result(peer, cpu=1.0, writes=10):
    numbers = {"seconds": 30, "allReadySeconds": 25.5, "cpuSeconds": cpu, "rssPeakMiB": 50, "rssAfterMiB": 40,
               "bytesSent": 1e6, "bytesReceived": 2e6, "othersCpuSeconds": {"etcd": 1.5, "kwok": 1, "stubs": 40, "bench": 9},
               "reactionMs": {"samples": 2, "of": 2, "p50": 1.0, "p99": 2.0},
               "api": {"requests": 20, "writes": writes, "events": 3, "writesAnObject": 1, "statusWritesAnObject": 0.5}}
    return {"peer": peer, "title": peer.title(), "objects": 1000, "phases": {"update": numbers}}


def test_the_table_has_a_line_a_controller_and_phase():
    lines = report.table([result("tidegate"), result("argo")]).splitlines()
    assert len(lines) == 4 and len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| Tidegate | 1,000 | update | 25.5 | 1.00 | 2.5 + 40.0 | 50 / 40 |")


def test_a_phase_that_was_ended_before_the_controller_was_done_is_marked():
    unfinished = result("argo")
    unfinished["phases"]["update"] |= {"fellQuiet": False, "reactionMs": {"samples": 3, "of": 20, "p50": 1, "p99": 2}}
    line = report.table([unfinished]).splitlines()[2]
    assert "| 1.00 + |" in line and "1 / 2 (3 of 20)" in line


def test_a_controller_that_failed_has_a_line_that_says_why():
    failed = {"peer": "argo", "title": "Argo", "objects": 5, "phases": {}, "error": "it ended\nlog"}
    assert "| Argo | 5 | failed: it ended |" in report.table([failed])


def test_ours_is_compared_with_theirs_in_the_phases_that_both_have():
    assert report.ratios([result("tidegate", 1, 5), result("argo", 4, 0)])["update"] == {
        "cpuSeconds": 0.25, "rssPeakMiB": 1.0, "writes": None, "requests": 1.0}
    assert report.ratios([result("tidegate")]) == {}
