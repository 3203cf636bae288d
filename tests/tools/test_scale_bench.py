"""The pure parts of bench/scale: the audit log, what a proxy asks for, the stubs' answers, the table."""
import http.client
import http.server
import json
import pathlib
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/scale"))
from scale import api, audit, measure, processes, report  # noqa: E402
from scale.peers import PEERS  # noqa: E402
from scale.stubs import discovery, gateway, object_store  # noqa: E402


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


def phases_with(*mib):
    return {"create": {"rssAfterMiB": 9}} | {f"update {n}": {"rssAfterMiB": value} for n, value in enumerate(mib)}


@pytest.mark.parametrize("mib, slope", [((50, 50, 50), 0), ((50, 51, 52), 10240), ((52, 50), -20480), ((50,), None)])
def test_memory_growth_is_the_slope_over_the_rounds_of_updates(mib, slope):
    assert measure.memory_growth(phases_with(*mib), objects=100)["kibPerThousandUpdates"] == slope


def test_the_bytes_of_one_process_are_summed_over_its_connections():
    line = 'ESTAB 0 0 127.0.0.1:1 127.0.0.1:2 users:(("x",pid={pid},fd=3)) cubic bytes_sent:100 bytes_acked:90 bytes_received:{got}'
    listed = "\n".join([line.format(pid=7, got=5), line.format(pid=7, got=6), line.format(pid=77, got=1000)])
    assert processes.sum_bytes(listed, 7) == (200, 11)


def result(peer, cpu=1.0, writes=10):
    numbers = {"seconds": 30, "allReadySeconds": 25.5, "cpuSeconds": cpu, "rssPeakMiB": 50, "rssAfterMiB": 40,
               "bytesSent": 1e6, "bytesReceived": 2e6, "reactionMs": {"samples": 2, "of": 2, "p50": 1.0, "p99": 2.0},
               "api": {"requests": 20, "writes": writes, "events": 3, "writesAnObject": 1, "statusWritesAnObject": 0.5}}
    return {"peer": peer, "title": peer.title(), "objects": 1000, "phases": {"update": numbers}}


def test_the_table_has_a_line_a_controller_and_phase():
    lines = report.table([result("tidegate"), result("argo")]).splitlines()
    assert len(lines) == 4 and len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| Tidegate | 1,000 | update | 25.5 | 1.00 | 50 / 40 |")


def test_a_controller_that_failed_has_a_line_that_says_why():
    failed = {"peer": "argo", "title": "Argo", "objects": 5, "phases": {}, "error": "it ended\nlog"}
    assert "| Argo | 5 | failed: it ended |" in report.table([failed])


def test_ours_is_compared_with_theirs_in_the_phases_that_both_have():
    assert report.ratios([result("tidegate", 1, 5), result("argo", 4, 0)])["update"] == {
        "cpuSeconds": 0.25, "rssPeakMiB": 1.0, "writes": None, "requests": 1.0}
    assert report.ratios([result("tidegate")]) == {}


def resource(name):
    value = name.encode()
    size = bytes([len(value)]) if len(value) < 128 else bytes([len(value) & 0x7F | 0x80, len(value) >> 7])
    return b"\x0a" + size + value + b"\x12\x00"


@pytest.mark.parametrize("name", ["ns/a/a-1", "n" * 300])
def test_a_resource_is_known_by_its_first_field(name):
    assert discovery.resource_name(resource(name)) == name


def response(kind, version, nonce, *names):
    made = discovery.Response(type_url=kind, version_info=version, nonce=nonce)
    for name in names:
        made.resources.add(value=resource(name))
    return made


def test_a_proxy_asks_for_the_endpoints_of_its_clusters_and_acknowledges():
    proxy = discovery.Subscriptions("gateway-0")
    assert [request.type_url for request in proxy.first()] == [discovery.CLUSTERS, discovery.LISTENERS]
    endpoints, acknowledged = proxy.answer(response(discovery.CLUSTERS, "7-a", "1", "x", "y"))
    assert (endpoints.type_url, list(endpoints.resource_names)) == (discovery.ENDPOINTS, ["x", "y"])
    assert (acknowledged.version_info, acknowledged.response_nonce) == ("7-a", "1")


def test_a_proxy_that_connects_again_presents_what_it_has_applied():
    proxy = discovery.Subscriptions("gateway-0")
    proxy.first()
    proxy.answer(response(discovery.CLUSTERS, "7-a", "1", "x"))
    proxy.restart()
    assert [(request.version_info, request.response_nonce) for request in proxy.first()] == [("7-a", ""), ("", "")]


def test_the_gateway_answers_for_the_objects_that_are_asked_for():
    known = {"bench/a/a-1": 0, "bench/b/b-1": 0}
    wanted = gateway.wanted_objects(r"^(tidegate\.(requests|ended|latency)\.cluster\.)(bench/a|bench/c)/|x")
    lines = gateway.statistics(known, wanted, True, now=100)
    assert f"tidegate.requests.cluster.bench/a/a-1: {100 * gateway.REQUESTS_PER_SECOND}" in lines
    assert not any("bench/b" in line for line in lines)
    assert sum(gateway.DURATIONS.values()) == 100


def test_a_filter_without_names_is_for_all():
    assert gateway.wanted_objects(r"^(tidegate\.(requests|ended)\.cluster\.)|server\.uptime$") is None


def test_two_versions_of_a_model_are_different_files():
    first, second = (object_store.listing("models", f"m1/{version}/", "") for version in (1, 2))
    assert "m1/1/saved_model.pb" in first and first.replace("m1/1/", "m1/2/") != second
    assert "<Prefix>m1/2/</Prefix>" in object_store.listing("models", "m1/", "/")
    assert "<KeyCount>0</KeyCount>" in object_store.listing("models", "m1/none/", "")


def test_every_peer_says_what_it_is():
    assert all(name == peer.name and peer.title and peer.collection for name, peer in PEERS.items())


class OneAnswerServer(http.server.BaseHTTPRequestHandler):
    """Closes each connection after one answer without saying so, as a server does with an idle one."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
        self.close_connection = True

    def log_message(self, *_):
        pass


def test_a_request_that_meets_a_closed_connection_is_sent_again():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OneAnswerServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = api.Api.__new__(api.Api)
    client.token, client.local = "", threading.local()
    client.connect = lambda: http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        assert [client.get("/a"), client.get("/b")] == [{}, {}]
    finally:
        server.shutdown()
        server.server_close()
