"""tritonclient's two clients under one interface. Test files import the fixture."""

import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

CLIENTS = {
    "rest": (triton_http, lambda runtime: triton_http.InferenceServerClient(runtime.rest)),
    "grpc": (triton_grpc, lambda runtime: triton_grpc.InferenceServerClient(runtime.grpc)),
}


@pytest.fixture(params=CLIENTS)
def triton(request):
    return CLIENTS[request.param]


def tensor(module, name, array, datatype, **options):
    one = module.InferInput(name, list(array.shape), datatype)
    one.set_data_from_numpy(array, **options)
    return one


def as_dict(answer):
    """What a client tells, REST's dictionary or gRPC's message."""
    if isinstance(answer, (dict, list)):
        return answer
    from google.protobuf.json_format import MessageToDict
    return MessageToDict(answer, preserving_proto_field_name=True)
