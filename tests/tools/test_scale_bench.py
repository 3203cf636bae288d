"""The pure parts of bench/scale: the audit log, what a proxy asks for, the stubs' answers, the table."""
import asyncio
import collections
import http.client
import http.server
import importlib.machinery
import importlib.util
import json
import pathlib
import sys
import threading

import grpc
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/scale"))
from scale import api, audit, measure, processes, progress, report  # noqa: E402
from scale.peers import PEERS  # noqa: E402
from scale.peers.base import Peer, container, image, sum_of  # noqa: E402
from scale.stubs import delta, discovery, gateway, object_store, prometheus  # noqa: E402


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


def test_a_metrics_series_are_added_up_and_no_other_metrics():
    page = """# TYPE tidegate_reconciles_total counter
tidegate_reconciles_total{result="ok"} 40
tidegate_reconciles_total{result="error"} 2
tidegate_reconciles_total_of_another 7
"""
    assert sum_of("tidegate_reconciles_total", page) == 42


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


def resource(name):
    value = name.encode()
    size = bytes([len(value)]) if len(value) < 128 else bytes([len(value) & 0x7F | 0x80, len(value) >> 7])
    return b"\x0a" + size + value + b"\x12\x00"


# What Envoy 1.40 sent to a server that answered so. A request in short: type, subscribed, unsubscribed, versions, nonce.
C, E, L, R, V = discovery.CLUSTERS, discovery.ENDPOINTS, discovery.LISTENERS, discovery.ROUTES, discovery.VIRTUAL_HOSTS


def in_short(request):
    versions = {each.key: each.value for each in request.initial_resource_versions}
    return (request.type_url, sorted(request.resource_names_subscribe), list(request.resource_names_unsubscribe), versions,
            request.response_nonce)


def asks(kind, subscribed=(), versions=None, unsubscribed=()):
    return kind, list(subscribed), list(unsubscribed), versions or {}, ""


def acknowledges(kind, nonce):
    return kind, [], [], {}, nonce


class Delta:
    """A proxy, and the server's side of its stream: nonces are counted from 1."""

    def __init__(self):
        self.proxy, self.nonce = delta.Subscriptions("gateway-0"), 0
        self.began = [in_short(request) for request in self.proxy.first()]

    def send(self, kind, system_version, resources=(), removed=(), type_of_resources=None):
        """`resources`: [(name, version)] or [(name, version, serialized)]; the requests that follow, in short."""
        self.nonce += 1
        made = delta.Response(type_url=kind, system_version_info=system_version, nonce=f"n{self.nonce}", removed_resources=removed)
        for name, version, *value in resources:
            made.resources.add(name=name, version=version, resource={
                "type_url": type_of_resources or kind, "value": value[0] if value else resource(name)})
        self.requests = self.proxy.answer(made)
        return [in_short(request) for request in self.requests]

    def reconnect(self):
        self.proxy.restart()
        return [in_short(request) for request in self.proxy.first()]

    def serving(self):
        """With two clusters, a listener, routes and two virtual hosts."""
        self.send(C, "5", [("c1", "v1"), ("c2", "v1")])
        self.send(E, "5", [("c1", "v1"), ("c2", "v1")])
        self.send(L, "5", [("l", "v1")])
        self.send(R, "5", [("tidegate", "v1", ROUTES_BY_VHDS)])
        self.send(V, "5", [("tidegate/a", "v1"), ("tidegate/b", "v1")])
        return self


ROUTES_BY_VHDS = discovery.MESSAGES["Routes"](name="tidegate", vhds=b"\x0a\x00").SerializeToString()


def test_an_incremental_proxy_asks_for_each_type_when_it_comes_to_need_it():
    stream = Delta()
    assert stream.began == [asks(C)]
    assert stream.send(C, "5", [("c1", "v1"), ("c2", "v1")]) == [asks(E, ["c1", "c2"]), acknowledges(C, "n1")]
    assert stream.send(E, "5", [("c1", "v1")]) == [acknowledges(E, "n2")]
    assert stream.send(E, "6", [("c2", "v1")]) == [asks(L), acknowledges(E, "n3")]
    assert stream.send(L, "5", [("l", "v1")]) == [asks(R, ["tidegate"]), acknowledges(L, "n4")]
    assert stream.send(R, "5", [("tidegate", "v1", ROUTES_BY_VHDS)]) == [asks(V), acknowledges(R, "n5")]
    assert stream.send(V, "7", [("tidegate/a", "v1"), ("tidegate/b", "v1")]) == [acknowledges(V, "n6")]


def test_a_proxy_without_clusters_goes_on_to_its_listeners():
    assert Delta().send(C, "5") == [asks(L), acknowledges(C, "n1")]


def test_routes_that_hold_their_hosts_themselves_lead_to_no_further_request():
    stream = Delta()
    stream.send(C, "5")
    stream.send(L, "5", [("l", "v1")])
    assert stream.send(R, "5", [("tidegate", "v1")]) == [acknowledges(R, "n3")]


def test_only_the_first_request_of_a_stream_names_the_node():
    proxy = Delta().serving().proxy
    proxy.restart()
    assert [request.node.id for request in proxy.first()] == ["gateway-0", "", "", "", ""]


def test_a_new_cluster_is_acknowledged_when_its_endpoints_are_there_and_one_that_goes_is_unsubscribed():
    stream = Delta().serving()
    assert stream.send(C, "6", [("c3", "v1")], ["c1"]) == [asks(E, ["c3"], unsubscribed=["c1"])]
    assert stream.send(E, "7", [("c3", "v1")]) == [acknowledges(C, "n6"), acknowledges(E, "n7")]
    assert stream.proxy.clusters == {"c2", "c3"}


def test_a_changed_cluster_waits_for_endpoints_that_are_not_asked_for_again():
    stream = Delta().serving()
    assert stream.send(C, "7", [("c2", "v2")]) == []
    assert stream.send(C, "8") == []
    assert stream.send(E, "8", [("c2", "v1")]) == [acknowledges(C, "n6"), acknowledges(C, "n7"), acknowledges(E, "n8")]


def test_the_version_of_the_version_clusters_endpoints_is_what_the_gateway_has_applied():
    stream = Delta().serving()
    stream.send(C, "6", [("tidegate/version", "v1")])
    assert stream.proxy.applied_version == ""
    stream.send(E, "6", [("tidegate/version", "6")])
    stream.send(E, "7", [("c1", "v2")])
    assert stream.proxy.applied_version == "6"
    assert stream.reconnect()[1] == asks(E, ["c1", "c2", "tidegate/version"], {"c1": "v2", "c2": "v1", "tidegate/version": "6"})


def test_hosts_of_other_routes_are_nobodys():
    stream = Delta().serving()
    assert stream.send(V, "6", [("other/a", "v1"), ("a", "v1")], ["b"]) == [acknowledges(V, "n6")]
    assert stream.proxy.versions[V].keys() == {"tidegate/a", "tidegate/b"}


@pytest.mark.parametrize("resources, removed, of_type", [
    ([("tidegate/a", "v2"), ("tidegate/a", "v3")], [], V), ([("tidegate/a", "v2")], ["tidegate/a"], V),
    ([("tidegate/a", "v2")], [], C)])
def test_what_contradicts_itself_is_rejected_and_nothing_of_it_is_applied(resources, removed, of_type):
    stream = Delta().serving()
    assert stream.send(V, "6", resources, removed, of_type) == [acknowledges(V, "n6")]
    assert stream.requests[0].error_detail.code == 13 and "tidegate/a" in stream.requests[0].error_detail.message
    assert stream.proxy.versions[V]["tidegate/a"] == "v1"
    stream.send(V, "7", [("tidegate/a", "v2")])
    assert not stream.requests[0].error_detail.code and stream.proxy.versions[V]["tidegate/a"] == "v2"


def test_a_new_stream_is_told_the_versions_of_all_that_is_there():
    stream = Delta().serving()
    stream.send(V, "6", [("tidegate/b", "v2")])
    assert stream.reconnect() == [
        asks(C, versions={"c1": "v1", "c2": "v1"}), asks(E, ["c1", "c2"], {"c1": "v1", "c2": "v1"}), asks(L, versions={"l": "v1"}),
        asks(R, ["tidegate"], {"tidegate": "v1"}), asks(V, versions={"tidegate/a": "v1", "tidegate/b": "v2"})]


def test_a_new_stream_says_nothing_of_clusters_while_one_waits_for_its_endpoints():
    stream = Delta().serving()
    stream.send(C, "6", [("c3", "v1")])
    assert [request[0] for request in stream.reconnect()] == [E, L, R, V]
    assert stream.send(E, "6", [("c3", "v1")]) == [
        asks(C, versions={"c1": "v1", "c2": "v1", "c3": "v1"}), acknowledges(E, "n7")]


class Server:
    """Of the discovery service: answers the first request about each type with one resource, until it was asked about
    `last`."""
    NAMES = {C: "bench/a/a-1", E: "bench/a/a-1", L: "l", R: "tidegate"}

    def __init__(self, last):
        self.last, self.asked, self.was_asked_all = last, [], asyncio.Event()

    async def serve(self, requests, context):
        async for request in requests:
            if request.type_url in self.asked:
                continue
            self.asked.append(request.type_url)
            if request.type_url == self.last:
                self.was_asked_all.set()
            else:
                await context.write(self.response(request.type_url))

    def response(self, kind):
        value = ROUTES_BY_VHDS if kind == R else resource(self.NAMES[kind])
        one = {"name": self.NAMES[kind], "version": "1", "resource": {"type_url": kind, "value": value}}
        return delta.Response(type_url=kind, system_version_info="1", nonce="1", resources=[one])


async def follow_one_stream(proxy, server):
    host = grpc.aio.server()
    handler = grpc.stream_stream_rpc_method_handler(
        server.serve, delta.Request.FromString, delta.Response.SerializeToString)
    _, service, method = delta.METHOD.split("/")
    host.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {method: handler})])
    port = host.add_insecure_port("127.0.0.1:0")
    await host.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        following = asyncio.create_task(proxy.follow_stream(channel))
        await asyncio.wait_for(server.was_asked_all.wait(), 30)
        following.cancel()
    await host.stop(None)


def test_a_gateway_subscribes_over_a_real_stream_and_knows_its_revisions():
    order = [C, E, L, R, V]
    server = Server(order[-1])
    proxy = gateway.Gateway("gateway-0", "127.0.0.1", 0, None, collections.Counter())
    asyncio.run(follow_one_stream(proxy, server))
    assert server.asked == order
    assert [revision for revision, _ in proxy.revisions.of(None)] == ["bench/a/a-1"]


OPERATORS = r"^(tidegate\.(requests|ended)\.cluster\.(b/a|b/b)/|cluster\.tidegate/version\.version_text$|server\.uptime$)"


def test_the_version_that_a_gateway_has_applied_is_a_statistic():
    assert gateway.process_statistics("7", 5, OPERATORS) == ['cluster.tidegate/version.version_text: "7"', "server.uptime: 5"]
    assert gateway.process_statistics("", 5, OPERATORS) == ["server.uptime: 5"]


def test_the_names_of_objects_are_read_from_the_operators_expression():
    assert gateway.wanted_objects(OPERATORS) == {"b/a", "b/b"}
    assert gateway.wanted_objects(OPERATORS.replace("(b/a|b/b)/", "")) is None


def test_prometheus_says_that_it_is_there_and_that_all_is_well():
    assert (prometheus.answer("vector(1)"), prometheus.answer("histogram_quantile(0.99, x)"), prometheus.answer("sum(x)")) == (
        "1", "0.1", "100")


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


def command_line(*arguments):
    path = str(pathlib.Path(measure.__file__).parents[1] / "measure")
    loader = importlib.machinery.SourceFileLoader("measure_script", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("measure_script", loader))
    loader.exec_module(module)
    return module.parse(list(arguments))


@pytest.mark.parametrize("arguments, seconds", [
    ((), 900), (("--objects=300",), 900), (("--objects=1000",), 3000), (("--objects=1000", "--phase-seconds=60"), 60)])
def test_a_phase_may_take_longer_with_more_objects(arguments, seconds):
    assert command_line(*arguments).phase_seconds == seconds


def test_a_peer_that_there_is_not_is_told(capsys):
    with pytest.raises(SystemExit):
        command_line("--peers=argo,other")
    assert "there is no 'other'; there are: tidegate" in capsys.readouterr().err


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


def test_the_objects_of_a_list_know_their_kind():
    assert api.items_of({"kind": "DeploymentList", "items": [{"metadata": {}}, {"kind": "Other"}]}) == [
        {"kind": "Deployment", "metadata": {}}, {"kind": "Other"}]


def test_the_gateway_answers_for_the_objects_that_are_asked_for():
    known = gateway.Revisions()
    known.note({"bench/a/a-1", "bench/b/b-1"}, 0)
    wanted = gateway.wanted_objects(r"^(tidegate\.(requests|ended|latency)\.cluster\.)(bench/a|bench/c)/|x")
    lines = gateway.statistics(known.of(wanted), True, now=100)
    assert f"tidegate.requests.cluster.bench/a/a-1: {100 * gateway.REQUESTS_PER_SECOND}" in lines
    assert not any("bench/b" in line for line in lines)
    assert sum(gateway.DURATIONS.values()) == 100


def test_a_revision_is_known_since_its_cluster_appeared():
    known = gateway.Revisions()
    known.note({"bench/a/a-1", "not-a-revision"}, 1)
    known.note({"bench/a/a-1", "bench/a/a-2", "bench/b/b-1"}, 2)
    known.note({"bench/a/a-1", "bench/b/b-1"}, 3)
    known.note({"bench/a/a-1", "bench/a/a-2"}, 4)
    assert sorted(known.of(None)) == [("bench/a/a-1", 1), ("bench/a/a-2", 4)]
    assert known.of(["bench/b", "bench/c"]) == []


def test_a_filter_without_names_is_for_all():
    assert gateway.wanted_objects(r"^(tidegate\.(requests|ended)\.cluster\.)|server\.uptime$") is None


def test_two_versions_of_a_model_are_different_files():
    first, second = (object_store.listing("models", f"m1/{version}/", "") for version in (1, 2))
    assert "m1/1/saved_model.pb" in first and first.replace("m1/1/", "m1/2/") != second
    assert "<Prefix>m1/2/</Prefix>" in object_store.listing("models", "m1/", "/")
    assert "<KeyCount>0</KeyCount>" in object_store.listing("models", "m1/none/", "")


def test_every_peer_says_what_it_is():
    assert all(name == peer.name and peer.title and peer.collection for name, peer in PEERS.items())


class WatchServer(http.server.BaseHTTPRequestHandler):
    """Lists one object at version 5, refuses the first watch as too old, and ends each later one after a change of it."""
    refused = False

    def do_GET(self):
        watched = "watch=1" in self.path
        refuse = watched and not WatchServer.refused
        WatchServer.refused |= refuse
        self.send_response(410 if refuse else 200)
        self.end_headers()
        one = {"metadata": {"name": "a", "resourceVersion": "6" if watched else "5"}}
        if watched:
            self.wfile.write(json.dumps({"type": "MODIFIED", "object": one}).encode() + b"\n")
        else:
            self.wfile.write(json.dumps({"kind": "ThingList", "metadata": {"resourceVersion": "5"}, "items": [one]}).encode())

    def log_message(self, *_):
        pass


def watched(on_object, until):
    """A Watch of such a server, when `until` of it holds."""
    WatchServer.refused = False
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), WatchServer)
    server.handle_error = lambda *_: None   # the watch goes away in the middle of an answer
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = api.Api.__new__(api.Api)
    client.token, client.local = "", threading.local()
    client.connect = lambda timeout=10: http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=timeout)
    watch = api.Watch(client, "/things", on_object)
    try:
        processes.wait_until(lambda: until(watch), "the watch", 30, pause=0.01)
    finally:
        watch.close()
        server.shutdown()
        server.server_close()
    return watch


def test_a_watch_that_is_too_old_begins_with_a_list_again():
    seen = []
    watched(lambda found, _: seen.append(found), lambda _: len(seen) >= 3)
    assert [found["metadata"]["resourceVersion"] for found in seen[:3]] == ["5", "5", "6"] and seen[0]["kind"] == "Thing"


def test_a_watch_whose_reader_fails_says_so_instead_of_falling_silent():
    def on_object(found, _):
        if found["metadata"]["resourceVersion"] == "6":
            raise KeyError("kind")
    with pytest.raises(processes.CannotRun, match="the watch of /things ended: KeyError"):
        watched(on_object, lambda watch: watch.failure).check()


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
