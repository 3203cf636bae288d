"""ONNX models through the built binary and ONNX Runtime's library, asked in every protocol by its own client."""

import concurrent.futures
import json
import shutil
import struct

import grpc
import ml_dtypes
import numpy as np
import pytest
import requests
import tensorflow as tf
from conftest import failed_start, run
from tensorflow_serving.apis import get_model_metadata_pb2, prediction_service_pb2_grpc
from tfs_clients import predict_request
from triton_clients import tensor, triton  # noqa: F401 (triton is a fixture)
from tritonclient.utils import InferenceServerException

# Values of every type that a model may take, with what Triton calls it.
VALUES = {
    "float": ("FP32", np.array([1.5, -np.inf], np.float32)), "double": ("FP64", np.array([1e300, 2.0])),
    "float16": ("FP16", np.array([0.5, 65504], np.float16)), "bfloat16": ("BF16", np.array([1.5, -2.0], ml_dtypes.bfloat16)),
    "int8": ("INT8", np.array([-128, 127], np.int8)), "int16": ("INT16", np.array([-32768, 32767], np.int16)),
    "int32": ("INT32", np.array([-1, 2**31 - 1], np.int32)), "int64": ("INT64", np.array([-(2**63), 2**63 - 1])),
    "uint8": ("UINT8", np.array([0, 255], np.uint8)), "uint16": ("UINT16", np.array([0, 65535], np.uint16)),
    "uint32": ("UINT32", np.array([0, 2**32 - 1], np.uint32)), "uint64": ("UINT64", np.array([0, 2**64 - 1], np.uint64)),
    "bool": ("BOOL", np.array([True, False])), "string": ("BYTES", np.array([b"a\x00b", b""], np.object_)),
}


def predict(runtime, **inputs):
    message = predict_request(runtime.model, **inputs)
    return prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(runtime.grpc)).Predict.with_call(
        message, timeout=10)


# ---- what is answered

def test_tensorflow_servings_rest_predicts_by_row_and_by_column(running):
    runtime = running("onnx_half_plus_two")
    assert runtime.predict('{"instances":[2,3,4]}').text == '{"predictions":[3.0,3.5,4.0]}'
    assert runtime.predict({"inputs": {"x": [2, 3, 4]}}).json() == {"outputs": [3.0, 3.5, 4.0]}
    many = running("onnx_many").predict({"instances": [{"a": [1, 2, 3], "flip": True}, {"a": [4, 5, 6], "flip": False}]})
    assert many.json() == {"predictions": [{"signed": [-1, -2, -3], "mean": 2.0, "half": [1.0, 2.0, 3.0]},
                                           {"signed": [4, 5, 6], "mean": 5.0, "half": [4.0, 5.0, 6.0]}]}


def test_tensorflow_servings_grpc_predicts_and_tells_the_signature(running):
    answer, call = predict(running("onnx_half_plus_two"), x=np.array([2, 3], np.float32))
    assert list(answer.outputs["y"].float_val) == [3.0, 3.5]
    assert dict(call.initial_metadata())["x-tidegate-model-version"] == "1"
    answer, _ = predict(running("onnx_strings"), text=[b"a\x00b", b"\xff", b""])
    assert tf.make_ndarray(answer.outputs["louder"]).tolist() == [b"a\x00b!", b"\xff!", b"!"]
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "onnx_many"
    channel = grpc.insecure_channel(running("onnx_many").grpc)
    metadata = prediction_service_pb2_grpc.PredictionServiceStub(channel).GetModelMetadata(request, timeout=10)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert metadata.metadata["signature_def"].Unpack(signatures)
    (signature,) = signatures.signature_def.values()
    assert signature.method_name == "tensorflow/serving/predict"
    assert [d.size for d in signature.inputs["a"].tensor_shape.dim] == [-1, 3]
    assert signature.inputs["flip"].dtype == tf.bool.as_datatype_enum


def test_triton_s_client_finds_an_onnx_model(running, triton):
    module, connect = triton
    client = connect(running("onnx_half_plus_two"))
    model = client.get_model_metadata("onnx_half_plus_two")
    if not isinstance(model, dict):
        model = {"platform": model.platform, "versions": list(model.versions),
                 "inputs": [{"name": i.name, "datatype": i.datatype, "shape": list(i.shape)} for i in model.inputs],
                 "outputs": [{"name": o.name, "datatype": o.datatype, "shape": list(o.shape)} for o in model.outputs]}
    assert (model["platform"], model["versions"]) == ("onnx_onnxv1", ["1"])
    assert model["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1]}]
    assert model["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [-1]}]


def test_every_type_goes_and_comes_back_whole(running, triton):
    module, connect = triton
    inputs = [tensor(module, name, array, datatype) for name, (datatype, array) in VALUES.items()]
    answer = connect(running("onnx_types")).infer("onnx_types", inputs)
    for name, (_, array) in VALUES.items():
        assert answer.as_numpy(f"{name}_out").tolist() == array.tolist(), name


def test_open_inference_rest_answers_json_and_binary(running):
    runtime = running("onnx_half_plus_two")
    body = {"id": "7", "inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [2, 3]}]}
    assert runtime.post("/v2/models/onnx_half_plus_two/infer", body).json() == {
        "model_name": "onnx_half_plus_two", "model_version": "1", "id": "7",
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [2], "data": [3.0, 3.5]}]}
    head = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}],
                       "outputs": [{"name": "y", "parameters": {"binary_data": True}}]})
    answer = runtime.post("/v2/models/onnx_half_plus_two/infer", head.encode() + struct.pack("<2f", 2, 3),
                          headers={"Inference-Header-Content-Length": str(len(head))})
    assert struct.unpack("<2f", answer.content[int(answer.headers["Inference-Header-Content-Length"]):]) == (3.0, 3.5)


def test_scalars_and_inputs_of_any_rank_are_served(running):
    ranks = running("onnx_ranks")
    assert ranks.predict({"inputs": {"number": 1, "anything": [[1, 2]]}}).json() == {"outputs": [[2.0, 3.0]]}
    assert ranks.predict({"inputs": {"number": 1, "anything": 2}}).json() == {"outputs": 3.0}


def test_no_elements_are_as_good_as_some(running, triton):
    module, connect = triton
    empty = tensor(module, "x", np.zeros([0], np.float32), "FP32")
    assert connect(running("onnx_half_plus_two")).infer("onnx_half_plus_two", [empty]).as_numpy("y").shape == (0,)


def test_an_output_that_is_an_input_outlives_it(running, triton):
    module, connect = triton
    x = np.arange(100_000, dtype=np.float32)
    answer = connect(running("onnx_same_name")).infer("onnx_same_name", [tensor(module, "x", x, "FP32")])
    assert (answer.as_numpy("x") == x).all() and (answer.as_numpy("z") == -x).all()


def test_weights_may_lie_in_files_beside_the_model(running, models, start, tmp_path):
    answer = running("onnx_weights_outside").predict({"inputs": [2] * 1000})
    assert answer.json() == {"outputs": [3.0] * 1000}
    shutil.copytree(models / "onnx_weights_outside", tmp_path / "lost")
    (tmp_path / "lost/1/weights.bin").unlink()
    code, message = failed_start(start, "lost", tmp_path / "lost")
    assert code == 1 and "lost/1/model.onnx" in message["message"] and "weights.bin" in message["message"]


# ---- what is refused

def test_what_contradicts_the_signature_is_the_clients_mistake(running, triton):
    module, connect = triton
    client = connect(running("onnx_many"))
    a, flip = np.array([[1, 2, 3]]), np.array([True])
    for inputs, part in [
        ([("a", a.astype(np.float32), "FP32"), ("flip", flip, "BOOL")], "the model takes INT64"),
        ([("a", np.array([[1, 2]]), "INT64"), ("flip", flip, "BOOL")], "invalid dimensions"),
        ([("a", a[0], "INT64"), ("flip", flip, "BOOL")], "rank"),
        ([("a", a, "INT64")], "Missing but required: {flip}"),
    ]:
        with pytest.raises(InferenceServerException) as caught:
            client.infer("onnx_many", [tensor(module, *one) for one in inputs])
        assert part in caught.value.message()


@pytest.mark.parametrize("value", [np.array([[1.0]], np.float32), np.array([1.0])])
def test_a_wrong_shape_or_type_over_grpc_is_not_marked_as_the_models_error(running, value):
    with pytest.raises(grpc.RpcError) as caught:
        predict(running("onnx_half_plus_two"), x=value)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "x" in caught.value.details()
    assert "x-tidegate-error" not in dict(caught.value.trailing_metadata())


def test_an_error_inside_the_graph_is_marked_as_the_models_own(running):
    runtime = running("onnx_picky")
    assert runtime.predict({"inputs": [2, -1]}).json() == {"outputs": [30.0, 30.0]}
    answer = runtime.predict({"inputs": [3]})
    assert answer.status_code == 400 and "Gather" in answer.json()["error"]
    assert answer.headers["x-tidegate-error"] == "model"
    with pytest.raises(grpc.RpcError) as caught:
        predict(runtime, index=np.array([3]))
    assert dict(caught.value.trailing_metadata())["x-tidegate-error"] == "model"
    assert "Gather" not in runtime.log_path.read_text(), "a client's requests fill no log"


# ---- what is not loaded

def test_a_damaged_file_is_named_with_the_byte_that_shows_it(start, models, tmp_path):
    shutil.copytree(models / "onnx_many", tmp_path / "cut")
    file = tmp_path / "cut/1/model.onnx"
    file.write_bytes(file.read_bytes()[:-40])
    code, message = failed_start(start, "cut", tmp_path / "cut")
    assert code == 1 and f"{file} (" in message["message"] and "is not an ONNX model: byte " in message["message"]
    inspected = run("inspect", file.parent)
    assert inspected.returncode == 1 and "is not an ONNX model: byte " in inspected.stderr


@pytest.mark.parametrize("model,part", [
    ("onnx_sequence", "output 'list' is a sequence, which no request can carry"),
    ("onnx_unknown_operator", "Frobnicate"),
])
def test_what_cannot_be_served_says_why(start, models, model, part):
    code, message = failed_start(start, model, models / model)
    assert code == 1 and part in message["message"] and f"{model}/1/model.onnx" in message["message"]


@pytest.mark.parametrize("flags,part", [
    (["--onnxruntime-dir=/nowhere"], "libonnxruntime.so is in none of: /nowhere"),
    (["--backend-dir=/nowhere"], "runtime-onnx"),
    (["--visible-gpus=0"], "GPU 0 is asked for, but ONNX Runtime"),
    (["--visible-gpus=0,1"], "visible_gpus of the onnx backend is '0,1'"),
])
def test_a_backend_that_cannot_be_opened_says_why(start, models, flags, part):
    code, message = failed_start(start, "onnx_half_plus_two", models / "onnx_half_plus_two", *flags)
    assert code == 1 and part in message["message"]


def test_a_library_that_is_not_onnx_runtime_is_refused(start, models, tmp_path):
    (tmp_path / "libonnxruntime.so").write_bytes(b"not a library")
    code, message = failed_start(start, "onnx_half_plus_two", models / "onnx_half_plus_two", f"--onnxruntime-dir={tmp_path}")
    assert code == 1 and "cannot open ONNX Runtime" in message["message"]


# ---- options and life

@pytest.mark.parametrize("flags", [
    ["--intra-op-threads=2", "--inter-op-threads=2", "--onnx-graph-optimization=none"], ["--intra-op-threads=0"]])
def test_threads_and_optimization_do_not_change_what_is_answered(start, flags):
    assert start("onnx_half_plus_two", *flags).predict({"instances": [2, 3]}).json() == {"predictions": [3.0, 3.5]}


def test_sigterm_finishes_what_is_in_flight(start):
    runtime = start("onnx_slow", "--drain-seconds=1", "--warm-up=false")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(runtime.predict, {"inputs": 1500})
        runtime.wait_until(lambda: "tidegate_runtime_requests_running 1" in runtime.get("/metrics").text)
        runtime.process.terminate()
        runtime.wait_until(lambda: runtime.get("/v2/health/ready").status_code == 503)
        assert slow.result().status_code == 200
    assert runtime.process.wait(30) == 0


def test_onnx_runtime_reports_nothing_to_its_maker(start, tmp_path, monkeypatch):
    # It writes an identifier and a queue of reports there, though not where it takes itself to be in CI.
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("CI", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "home").mkdir()
    assert start("onnx_half_plus_two").predict({"instances": [2]}).status_code == 200
    assert list((tmp_path / "home").rglob("*")) == []


def test_many_clients_at_once_get_each_their_own_answer(running):
    runtime = running("onnx_half_plus_two")

    def client(number):
        with requests.Session() as session:
            for i in range(50):
                answer = session.post(f"http://{runtime.rest}/v1/models/onnx_half_plus_two:predict",
                                      json.dumps({"instances": [number] * (i + 1)}), timeout=30)
                assert answer.json() == {"predictions": [number / 2 + 2] * (i + 1)}

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(client, number) for number in range(8)]:
            done.result()


# ---- without a server

def test_an_onnx_model_is_compared_with_the_saved_model_that_it_was_made_from(models):
    same = run("compare", models / "half_plus_two/123", models / "onnx_half_plus_two/1", "--max-difference=1e-6")
    assert same.returncode == 0, same.stderr
    other = run("compare", models / "half_plus_two/123", models / "onnx_half_plus_three/2", "--max-difference=0.5")
    assert other.returncode == 1


def test_an_onnx_model_is_validated(models):
    assert run("validate", models / "onnx_many/1").returncode == 0
    lost = run("validate", models / "onnx_many/1", "--onnxruntime-dir=/nowhere")
    assert lost.returncode == 2 and "libonnxruntime.so is in none of: /nowhere" in lost.stderr


def test_inspect_tells_what_an_onnx_model_takes_and_where_it_comes_from(models):
    text = run("inspect", models / "onnx_many/1").stdout
    assert "model.onnx: ONNX, IR version 10, written by tidegate-tests\n" in text
    assert "operators ai.onnx 20\n" in text and "domain dev.tidegate.tests\n" in text and "model version 3\n" in text
    assert "input  a: int64 (batch, 3)\n" in text and "output mean: double (batch)\n" in text
    assert "output list: seq(tensor(float)), which cannot be served\n" in run("inspect", models / "onnx_sequence/1").stdout
    report = json.loads(run("inspect", models / "onnx_many/1", "--json").stdout)
    assert report["format"] == "ONNX" and report["operators"] == {"ai.onnx": 20}
    (name, signature), = report["signatures"].items()
    assert (name, [one["name"] for one in signature["inputs"]]) == ("serving_default", ["a", "flip"])
    assert signature["inputs"][0] == {"name": "a", "type": "tensor(int64)", "dtype": "int64", "shape": [-1, 3],
                                      "dimensions": ["batch", ""]}
    outside = json.loads(run("inspect", models / "onnx_weights_outside/1", "--json").stdout)
    assert outside["externalData"] == ["weights.bin"] and outside["metadata"] == {"author": "the tests"}
    assert json.loads(run("inspect", models / "onnx_ranks/1", "--json").stdout)[
        "signatures"]["serving_default"]["inputs"][0]["shape"] is None
