"""What bench/scale's gateways ask for over incremental xDS."""
import asyncio
import collections

import grpc
import pytest
from scale.stubs import delta, discovery, gateway


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
