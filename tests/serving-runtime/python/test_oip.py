"""The Open Inference Protocol with Triton's own Python client, tritonclient, over REST and gRPC."""

import json
import struct

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from triton_clients import tensor, triton  # noqa: F401 (triton is a fixture)


def test_the_server_and_the_model_introduce_themselves(running, triton):
    module, connect = triton
    client = connect(running("half_plus_two"))
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("half_plus_two", "123")
    assert not client.is_model_ready("half_plus_two", "9")
    server = client.get_server_metadata()
    name = server["name"] if isinstance(server, dict) else server.name
    assert name == "tidegate-runtime"
    model = client.get_model_metadata("half_plus_two")
    if not isinstance(model, dict):
        model = {"platform": model.platform, "versions": list(model.versions),
                 "inputs": [{"name": i.name, "datatype": i.datatype, "shape": list(i.shape)} for i in model.inputs]}
    assert model["versions"] == ["123"] and model["platform"] == "tensorflow_savedmodel"
    assert model["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1]}]


def test_numbers_of_several_types_go_and_come_back(running, triton):
    module, connect = triton
    inputs = [tensor(module, "a", np.array([[1, 2, 3]], np.int64), "INT64"),
              tensor(module, "flip", np.array([True]), "BOOL")]
    answer = connect(running("many")).infer("many", inputs, request_id="seven")
    assert answer.as_numpy("signed").tolist() == [[-1, -2, -3]]
    assert answer.as_numpy("half").dtype == np.float16 and answer.as_numpy("half").tolist() == [[1.0, 2.0, 3.0]]
    response = answer.get_response()
    assert (response["id"] if isinstance(response, dict) else response.id) == "seven"


def test_strings_go_and_come_back(running, triton):
    module, connect = triton
    text = np.array([b"abc", b"", b"\x00\xff"], dtype=np.object_)
    answer = connect(running("strings")).infer("strings", [tensor(module, "text", text, "BYTES")],
                                               outputs=[module.InferRequestedOutput("copy_bytes")])
    assert answer.as_numpy("copy_bytes").tolist() == [b"abc", b"", b"\x00\xff"]
    assert answer.as_numpy("upper") is None


def test_bad_requests_are_refused(running, triton):
    module, connect = triton
    client = connect(running("half_plus_two"))
    x = tensor(module, "x", np.array([2], np.float32), "FP32")
    for call, part in [
        (lambda: client.infer("foo", [x]), "Servable not found"),
        (lambda: client.infer("half_plus_two", [x], model_version="9"), "Specific(half_plus_two, 9)"),
        (lambda: client.infer("half_plus_two", []), "input"),
        (lambda: client.infer("half_plus_two", [tensor(module, "z", np.array([2], np.float32), "FP32")]), "Sent extra: {z}"),
        (lambda: client.infer("half_plus_two", [tensor(module, "x", np.array([2], np.int64), "INT64")]), "the model takes FP32"),
        (lambda: client.infer("half_plus_two", [x], outputs=[module.InferRequestedOutput("nope")]), "nope"),
    ]:
        with pytest.raises(InferenceServerException) as caught:
            call()
        assert part in caught.value.message()


def test_json_data_may_be_nested_or_flat_and_come_before_its_shape(running):
    runtime = running("many")
    for data in ([1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]]):
        body = {"inputs": [{"data": data, "name": "a", "datatype": "INT64", "shape": [2, 3]},
                           {"name": "flip", "shape": [2], "datatype": "BOOL", "data": [False, True]}],
                "outputs": [{"name": "signed"}]}
        answer = runtime.post("/v2/models/many/infer", body)
        assert answer.json() == {"model_name": "many", "model_version": "1", "outputs": [
            {"name": "signed", "datatype": "INT64", "shape": [2, 3], "data": [1, 2, 3, -4, -5, -6]}]}
        assert answer.headers["x-tidegate-model-version"] == "1"


@pytest.mark.parametrize("shape,data,part", [
    ([4, (1 << 60) + 2], [1], "more elements than any tensor"),
    ([-1], [1], "negative dimension"),
    ([2], [1], "only 1 elements"),
    ([1], [1, 2], "more than 1 elements"),
    ([1], ["one"], "not of expected type: float"),
    ([1], 1, "data must be an array"),
    (["a"], [1], "must be a whole number"),
])
def test_json_that_contradicts_itself_is_refused(running, shape, data, part):
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": shape, "data": data}]}
    answer = running("half_plus_two").post("/v2/models/half_plus_two/infer", body)
    assert answer.status_code == 400 and part in answer.json()["error"]
    assert "x-tidegate-error" not in answer.headers


def test_hostile_bodies_are_refused_and_the_server_lives(running):
    runtime = running("half_plus_two")
    huge = runtime.post("/v2/models/half_plus_two/infer", "{}", headers={"Inference-Header-Content-Length": "1" * 30})
    assert huge.status_code == 400
    assert runtime.post("/v2/models/half_plus_two/infer", "{}",
                        headers={"Inference-Header-Content-Length": "3"}).status_code == 400
    deep = "[" * 200_000
    assert runtime.post("/v2/models/half_plus_two/infer", '{"inputs":' + deep).status_code == 400
    assert runtime.predict('{"instances":' + deep).status_code == 400
    assert runtime.predict('{"instances":' + "[" * 300 + "1" + "]" * 300 + "}").status_code == 400
    head = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}]})
    answer = runtime.post("/v2/models/half_plus_two/infer", head.encode() + struct.pack("<f", 1.0),
                          headers={"Inference-Header-Content-Length": str(len(head))})
    assert answer.status_code == 400 and "only 4 bytes" in answer.json()["error"]
    assert runtime.predict({"instances": [2]}).status_code == 200


def test_an_error_inside_the_graph_is_marked_as_the_models_own(running):
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, -1]}]}
    answer = running("picky").post("/v2/models/picky/infer", body)
    assert answer.status_code == 400 and answer.headers["x-tidegate-error"] == "model"
