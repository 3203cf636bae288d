"""Envoy's aggregated discovery service in its incremental form: the types of resources in the order in which a proxy comes
to need them, and messages with the fields that a proxy here needs, numbered as in envoy/service/discovery/v3/discovery.proto.
No network.
"""
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
PREFIX = "type.googleapis.com/envoy.config."
CLUSTERS = PREFIX + "cluster.v3.Cluster"
ENDPOINTS = PREFIX + "endpoint.v3.ClusterLoadAssignment"
LISTENERS = PREFIX + "listener.v3.Listener"
ROUTES = PREFIX + "route.v3.RouteConfiguration"
VIRTUAL_HOSTS = PREFIX + "route.v3.VirtualHost"
ROUTES_NAME = "tidegate"
NODE_CLUSTER = "tidegate-gateway"
# The operator says by the version of this cluster's endpoints what a gateway has applied; Envoy has it as this statistic.
VERSION_CLUSTER = "tidegate/version"
VERSION_STATISTIC = f"cluster.{VERSION_CLUSTER}.version_text"

_FIELDS = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"string": _FIELDS.TYPE_STRING, "bytes": _FIELDS.TYPE_BYTES, "int32": _FIELDS.TYPE_INT32}
_MESSAGES = {
    "Node": ["1 id string", "2 cluster string"],
    "Status": ["1 code int32", "2 message string"],
    "Any": ["1 type_url string", "2 value bytes"],
    "Version": ["1 key string", "2 value string"],   # what an entry of map<string, string> is on the wire
    "DeltaRequest": ["1 node Node", "2 type_url string", "3 resource_names_subscribe string*",
                     "4 resource_names_unsubscribe string*", "5 initial_resource_versions Version*",
                     "6 response_nonce string", "7 error_detail Status"],
    "Resource": ["1 version string", "2 resource Any", "3 name string"],
    "DeltaResponse": ["1 system_version_info string", "2 resources Resource*", "4 type_url string", "5 nonce string",
                      "6 removed_resources string*"],
    "Routes": ["1 name string", "9 vhds bytes"],   # of a RouteConfiguration
}


def _make_messages():
    file = descriptor_pb2.FileDescriptorProto(name="bench/discovery.proto", package="bench", syntax="proto3")
    for name, fields in _MESSAGES.items():
        declared = file.message_type.add(name=name)
        for field in fields:
            number, field_name, kind = field.split()
            label = declared.field.add(name=field_name, number=int(number), label=3 if kind.endswith("*") else 1)
            kind = kind.rstrip("*")
            label.type = _SCALARS.get(kind, _FIELDS.TYPE_MESSAGE)
            if kind not in _SCALARS:
                label.type_name = f".bench.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"bench.{name}")) for name in _MESSAGES}


MESSAGES = _make_messages()

