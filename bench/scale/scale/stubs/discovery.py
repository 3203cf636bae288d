"""The two messages of Envoy's discovery service with the fields that a proxy here needs, numbered as in
envoy/service/discovery/v3/discovery.proto; and what a proxy asks for next. No network."""
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
PREFIX = "type.googleapis.com/envoy.config."
CLUSTERS = PREFIX + "cluster.v3.Cluster"
ENDPOINTS = PREFIX + "endpoint.v3.ClusterLoadAssignment"
LISTENERS = PREFIX + "listener.v3.Listener"
ROUTES = PREFIX + "route.v3.RouteConfiguration"
ROUTES_NAME = "tidegate"

_STRING, _BYTES, _MESSAGE = (getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{kind}") for kind in
                             ("STRING", "BYTES", "MESSAGE"))


def _messages():
    file = descriptor_pb2.FileDescriptorProto(name="bench/discovery.proto", package="bench", syntax="proto3")

    def message(name, *fields):
        declared = file.message_type.add(name=name)
        for number, field, kind, repeated in fields:
            label = declared.field.add(name=field, number=number, label=3 if repeated else 1,
                                       type=kind if isinstance(kind, int) else _MESSAGE)
            if not isinstance(kind, int):
                label.type_name = f".bench.{kind}"

    message("Node", (1, "id", _STRING, False), (2, "cluster", _STRING, False))
    message("Resource", (1, "type_url", _STRING, False), (2, "value", _BYTES, False))
    message("Request", (1, "version_info", _STRING, False), (2, "node", "Node", False),
            (3, "resource_names", _STRING, True), (4, "type_url", _STRING, False), (5, "response_nonce", _STRING, False))
    message("Response", (1, "version_info", _STRING, False), (2, "resources", "Resource", True),
            (4, "type_url", _STRING, False), (5, "nonce", _STRING, False))
    made = message_factory.GetMessages([file], descriptor_pool.DescriptorPool())
    return made["bench.Request"], made["bench.Response"]


Request, Response = _messages()


def resource_name(value):
    """The first field of a serialized resource: its name, for all four types."""
    size, start, shift = 0, 1, 0
    while True:
        byte = value[start]
        size |= (byte & 0x7F) << shift
        start, shift = start + 1, shift + 7
        if byte < 0x80:
            return value[start:start + size].decode()


class Subscriptions:
    """One proxy's side of a stream. Like Envoy it asks for clusters and listeners whole, then by name for the endpoints
    of every cluster that it has and for the routes; acknowledges every response; and presents on a new stream what it
    has applied."""

    def __init__(self, node):
        self.node = node
        self.clusters = []
        self.applied = {}   # version by type
        self.restart()

    def restart(self):
        """A new stream: nothing is subscribed to, and no nonce counts."""
        self.nonces = {}

    def first(self):
        return [self._request(CLUSTERS), self._request(LISTENERS)]

    def answer(self, response):
        """What the proxy sends because of `response`, in order."""
        kind = response.type_url
        self.applied[kind], self.nonces[kind] = response.version_info, response.nonce
        requests = []
        if kind == CLUSTERS:
            names = [resource_name(resource.value) for resource in response.resources]
            if names != self.clusters or ENDPOINTS not in self.nonces:
                self.clusters = names
                requests.append(self._request(ENDPOINTS))
        if kind == LISTENERS and ROUTES not in self.nonces:
            requests.append(self._request(ROUTES))
        return requests + [self._request(kind)]

    def _request(self, kind):
        names = {ENDPOINTS: self.clusters, ROUTES: [ROUTES_NAME]}.get(kind, [])
        self.nonces.setdefault(kind, "")
        return Request(node={"id": self.node, "cluster": "tidegate-gateway"}, type_url=kind, resource_names=names,
                       version_info=self.applied.get(kind, ""), response_nonce=self.nonces[kind])
