"""All that can be measured, in the order of the tables' rows."""
from . import peers, servers

SERVERS = {kind.name: kind for kind in (
    servers.Onnx, servers.TensorFlow, servers.LiteRt, servers.Null, servers.RestEcho, servers.GrpcEcho, servers.Triton,
    peers.MlServer, peers.KServe, peers.LitServe, peers.BentoMl, peers.RayServe, servers.OnnxAlone, servers.OnnxBatched,
    servers.TensorFlowAlone, servers.TensorFlowBatched)}
LOADING = {kind.name: kind for kind in (servers.OnnxLoading, servers.TensorFlowLoading)}
