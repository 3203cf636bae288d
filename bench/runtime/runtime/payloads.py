"""What is asked: three models and what they are given, as requests of every protocol, and the reading of the answers. A
server is measured only after its answer to the same request was found right."""
import dataclasses
import json
import struct

from . import wire

IMAGE, CLASSES = 784, 10
BATCH = 256                       # images of a large request
WIDE = 2048                       # units of the wide model's two layers
FLOAT = 1                         # in TensorFlow's types.proto

REST = ("tfs-rest", "oip-rest", "oip-rest-binary")
GRPC = ("oip-grpc", "tfs-grpc")
PROTOCOLS = REST + GRPC
GRPC_METHODS = {"oip-grpc": "inference.GRPCInferenceService/ModelInfer",
                "tfs-grpc": "tensorflow.serving.PredictionService/Predict"}


@dataclasses.dataclass(frozen=True)
class Payload:
    """A model and its input x. Rows of one number have the shape [rows]."""
    name: str
    model: str
    rows: int
    columns: int

    @property
    def shape(self):
        return [self.rows, self.columns] if self.columns > 1 else [self.rows]

    def values(self):
        """Flat: the numbers 1, 2, 5, or grey values as people send them, of four digits."""
        if self.columns == 1:
            return [1.0, 2.0, 5.0][:self.rows]
        return [round((row * 37 + column * 101) % 256 / 255, 4) for row in range(self.rows) for column in range(self.columns)]

    def nested(self):
        values = self.values()
        if self.columns == 1:
            return values
        return [values[begin:begin + self.columns] for begin in range(0, len(values), self.columns)]


PAYLOADS = {payload.name: payload for payload in (
    Payload("small", "half_plus_two", 3, 1), Payload("large", "mlp", BATCH, IMAGE), Payload("row", "mlp", 1, IMAGE),
    Payload("wide", "wide", 1, IMAGE))}


@dataclasses.dataclass(frozen=True)
class Request:
    """What a load generator sends: of gRPC the frame."""
    body: bytes
    headers: tuple = ()


def request(protocol, payload):
    return {"tfs-rest": _tfs_json, "oip-rest": _oip_json, "oip-rest-binary": _oip_binary, "oip-grpc": _model_infer,
            "tfs-grpc": _predict}[protocol](payload)


def _raw(payload):
    values = payload.values()
    return struct.pack(f"<{len(values)}f", *values)


def _json(document):
    return json.dumps(document, separators=(",", ":")).encode()


def _tfs_json(payload):
    return Request(_json({"instances": payload.nested()}), (("Content-Type", "application/json"),))


def _oip_json(payload):
    told = {"name": "x", "shape": payload.shape, "datatype": "FP32", "data": payload.values()}
    return Request(_json({"inputs": [told]}), (("Content-Type", "application/json"),))


def _oip_binary(payload):
    raw = _raw(payload)
    told = {"name": "x", "shape": payload.shape, "datatype": "FP32", "parameters": {"binary_data_size": len(raw)}}
    head = _json({"inputs": [told], "outputs": [{"name": "y", "parameters": {"binary_data": True}}]})
    return Request(head + raw, (("Content-Type", "application/octet-stream"), ("Inference-Header-Content-Length", str(len(head)))))


def _model_infer(payload):
    shape = b"".join(wire.varint(size) for size in payload.shape)
    told = wire.field(1, "x") + wire.field(2, "FP32") + wire.field(3, shape)
    return Request(wire.frame(wire.field(1, payload.model) + wire.field(5, told) + wire.field(7, _raw(payload))))


def _predict(payload):
    shape = b"".join(wire.field(2, wire.field(1, size)) for size in payload.shape)
    tensor = wire.field(1, FLOAT) + wire.field(2, shape) + wire.field(4, _raw(payload))
    named = wire.field(1, "x") + wire.field(2, tensor)
    return Request(wire.frame(wire.field(1, wire.field(1, payload.model)) + wire.field(2, named)))


def answered_values(protocol, body, json_bytes=None):
    """The numbers of y in an answer's body (of gRPC the message), flat. `json_bytes`: the answer's
    Inference-Header-Content-Length. ValueError or KeyError when it does not say."""
    if protocol == "oip-grpc":
        return _floats(wire.last(body, 6))
    if protocol == "tfs-grpc":
        return _floats(wire.last(body, 1, 2, 5))
    if json_bytes is not None:
        return _floats(body[json_bytes:])
    document = json.loads(body)
    return _flat(document["predictions"] if "predictions" in document else document["outputs"][0]["data"])


def _floats(raw):
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


def _flat(values):
    if not isinstance(values, list):
        return [values]
    return [number for value in values for number in _flat(value)]
