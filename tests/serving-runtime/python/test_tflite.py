"""TFLite models through the real binary and the real LiteRT, with TensorFlow Serving's and Triton's clients; what the
models should answer is what tf.lite.Interpreter answers."""

import concurrent.futures
import json

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from conftest import BUILD, failed_start, run
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tfs_clients import predict_request


def interpreter(path, signature="serving_default"):
    return tf.lite.Interpreter(model_path=str(path)).get_signature_runner(signature)


def file_of(models, name):
    return next(models.glob(f"{name}/*/model.tflite"))


def predict_grpc(runtime, signature="", **inputs):
    request = predict_request(runtime.model, signature, **inputs)
    with grpc.insecure_channel(runtime.grpc) as channel:
        response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=30)
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


# ---- the protocols

def test_predict_over_rest_with_any_number_of_rows(running):
    runtime = running("lite_half")
    for rows in ([2, 3, 4], [1], list(range(40)), [5, 6], [7]):
        assert runtime.predict({"instances": rows}).json() == {"predictions": [x / 2 + 2 for x in rows]}
    assert runtime.predict({"inputs": [2]}).json() == {"outputs": [3.0]}


def test_predict_over_grpc(running):
    assert predict_grpc(running("lite_half"), x=np.array([2, 3], np.float32))["y"].tolist() == [3.0, 3.5]


def test_infer_over_the_open_inference_protocol(running):
    runtime = running("lite_half")
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [2, 4]}]}
    answer = runtime.post("/v2/models/lite_half/infer", body).json()
    assert answer["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [2], "data": [3.0, 4.0]}]


@pytest.mark.parametrize("module,address", [(triton_http, "rest"), (triton_grpc, "grpc")])
def test_infer_with_tritons_client(running, module, address):
    runtime = running("lite_half")
    client = module.InferenceServerClient(getattr(runtime, address))
    x = module.InferInput("x", [3], "FP32")
    x.set_data_from_numpy(np.array([2, 4, 6], np.float32))
    assert client.infer("lite_half", [x]).as_numpy("y").tolist() == [3.0, 4.0, 5.0]
    metadata = client.get_model_metadata("lite_half")
    platform = metadata["platform"] if isinstance(metadata, dict) else metadata.platform
    assert platform == "tensorflow_lite"


def test_metadata_tells_the_signature(running):
    metadata = running("lite_half").get("/v1/models/lite_half/metadata").json()["metadata"]
    signature = metadata["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert signature["inputs"]["x"]["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]
    assert signature["method_name"] == "tensorflow/serving/predict"


# ---- signatures and types

def test_each_signature_has_its_own_inputs_and_outputs_by_name(running):
    runtime = running("lite_several")
    z, a = np.array([[1, 2], [3, 4]], np.float32), np.array([[10, 20], [30, 40]], np.float32)
    answer = predict_grpc(runtime, z=z, a=a)
    assert answer["less"].tolist() == (z - a).tolist()
    assert answer["both"].tolist() == np.concatenate([z, a], 1).tolist()
    assert predict_grpc(runtime, "double", v=np.array([1, 2, 3], np.float32))["twice"].tolist() == [2, 4, 6]
    one = runtime.post("/v2/models/lite_several/infer", {
        "inputs": [{"name": "a", "datatype": "FP32", "shape": [1, 2], "data": [1, 1]},
                   {"name": "z", "datatype": "FP32", "shape": [1, 2], "data": [5, 7]}], "outputs": [{"name": "less"}]})
    assert [(o["name"], o["data"]) for o in one.json()["outputs"]] == [("less", [4.0, 6.0])]


def test_a_file_without_signatures_serves_its_graph(running):
    runtime = running("lite_unsigned")
    metadata = runtime.get("/v2/models/lite_unsigned").json()
    (given,), (returned,) = metadata["inputs"], metadata["outputs"]
    assert given["shape"] == [-1]
    body = {"inputs": [{"name": given["name"], "datatype": "FP32", "shape": [2], "data": [2, 4]}]}
    answer = runtime.post("/v2/models/lite_unsigned/infer", body).json()
    assert answer["outputs"] == [{"name": returned["name"], "datatype": "FP32", "shape": [2], "data": [3.0, 4.0]}]


def test_other_types_than_float_go_and_come_back(running):
    answer = predict_grpc(running("lite_types"), a=np.array([[1, -2, 1 << 40], [4, 5, 6]], np.int64),
                          flip=np.array([[True], [False]]), bytes=np.array([7, 255], np.uint8), scalar=np.int32(41))
    assert answer["signed"].tolist() == [[-1, 2, -(1 << 40)], [4, 5, 6]]
    assert answer["positive"].tolist() == [[True, False, True], [True, True, True]]
    assert answer["half"].dtype == np.float16 and answer["half"][1].tolist() == [4.0, 5.0, 6.0]
    assert answer["backwards"].tolist() == [255, 7] and answer["next"].tolist() == 42


def test_outputs_that_nothing_computes_are_returned(running):
    runtime = running("lite_handed")
    for rows in ([1, 2, 3], [4]):
        answer = predict_grpc(runtime, x=np.array(rows, np.float32))
        assert answer["same"].tolist() == rows
        assert answer["constant"].tolist() == [1.0, 2.0]
        assert answer["more"].tolist() == [x + 1 for x in rows]


# ---- quantisation

@pytest.mark.parametrize("name", ["lite_int8", "lite_uint8"])
def test_a_quantised_model_takes_and_gives_floats(running, models, name):
    rows = np.random.default_rng(3).normal(size=(5, 4)).astype(np.float32)
    served = predict_grpc(running(name), x=rows)["scores"]
    assert served.dtype == np.float32
    raw = interpreter(file_of(models, name))
    (given,), (returned,) = raw.get_input_details().values(), raw.get_output_details().values()
    scale, zero_point = given["quantization"]
    ends = np.iinfo(given["dtype"])
    # Half away from zero, as TFLite rounds.
    integers = np.clip(np.trunc(rows / np.float32(scale) + np.copysign(np.float32(0.5), rows)) + zero_point, ends.min, ends.max)
    answer = raw(x=integers.astype(given["dtype"]))["scores"].astype(np.int32)
    scale, zero_point = returned["quantization"]
    np.testing.assert_array_equal(served, (answer - zero_point).astype(np.float32) * np.float32(scale))
    # The float model that it was made of is not far.
    np.testing.assert_allclose(served, interpreter(file_of(models, "lite_dense"))(x=rows)["scores"], atol=0.1)


def test_raw_io_shows_the_integers(start, models):
    runtime = start("lite_int8", "--litert-raw-io")
    assert runtime.get("/v2/models/lite_int8").json()["inputs"] == [{"name": "x", "datatype": "INT8", "shape": [-1, 4]}]
    integers = np.array([[1, 2, 3, 4], [-128, 127, 0, 5]], np.int8)
    served = predict_grpc(runtime, x=integers)["scores"]
    assert served.dtype == np.int8
    assert served.tolist() == interpreter(file_of(models, "lite_int8"))(x=integers)["scores"].tolist()


def test_numbers_beyond_the_integers_are_cut(running):
    answer = predict_grpc(running("lite_int8"), x=np.array([[1e30, -1e30, np.inf, -np.inf]], np.float32))
    assert np.isfinite(answer["scores"]).all()
    near = predict_grpc(running("lite_int8"), x=np.array([[1e6, -1e6, 1e6, -1e6]], np.float32))
    assert answer["scores"].tolist() == near["scores"].tolist()


# ---- threads, kernels, many at once

@pytest.mark.parametrize("flags", [("--litert-threads=2",), ("--litert-threads=0",), ("--litert-xnnpack=false",)])
def test_threads_and_kernels_change_no_answer(start, models, flags):
    runtime = start("lite_dense", *flags)
    rows = np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32)
    expected = interpreter(file_of(models, "lite_dense"))(x=rows)["scores"]
    np.testing.assert_allclose(predict_grpc(runtime, x=rows)["scores"], expected, rtol=1e-5)


@pytest.mark.parametrize("flags", [(), ("--litert-instances=1", "--concurrency=8")])
def test_many_requests_at_once_get_their_own_answers(start, flags):
    runtime = start("lite_half", *flags)

    def client(seed):
        random = np.random.default_rng(seed)
        with requests.Session() as session:
            for _ in range(60):
                rows = random.integers(0, 1000, size=random.integers(1, 9)).tolist()
                answer = session.post(f"http://{runtime.rest}/v1/models/lite_half:predict", json.dumps({"instances": rows}), timeout=30)
                assert answer.json() == {"predictions": [x / 2 + 2 for x in rows]}
        return True

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(client, range(8)))


def test_a_model_with_variables_starts_afresh_for_each_request(running):
    runtime = running("lite_counter")
    for _ in range(3):
        assert runtime.predict({"inputs": [2.0]}).json() == {"outputs": [2.0]}


def test_one_process_serves_all_formats_side_by_side(start, models, tmp_path):
    platforms = {"half_plus_two": "tensorflow", "onnx_half_plus_two": "onnx", "lite_half": "tflite"}
    (tmp_path / "models.config").write_text("model_config_list {" + "".join(
        f'config {{ name: "{name}" base_path: "{models / name}" model_platform: "{platform}" }}'
        for name, platform in platforms.items()) + "}")
    runtime = start("lite_half", f"--model_config_file={tmp_path / 'models.config'}", base_path="/nowhere")
    for name in platforms:
        assert runtime.predict({"instances": [2, 4]}, name).json() == {"predictions": [3.0, 4.0]}


# ---- without a server

def test_a_tflite_model_is_compared_with_the_saved_model_of_the_same_function(models):
    same = run("compare", models / "half_plus_two/123", models / "lite_half/123", "--max-difference=1e-6")
    assert same.returncode == 0, same.stderr
    other = run("compare", models / "half_plus_two/123", models / "lite_half_plus_three/124", "--max-difference=0.5")
    assert other.returncode == 1


def test_a_tflite_model_is_validated(models):
    told = run("validate", models / "lite_several/1")
    assert told.returncode == 0 and "runs on litert" in told.stdout, told.stdout + told.stderr
    lost = run("validate", models / "lite_several/1", "--litert-dir=/nowhere")
    assert lost.returncode == 2 and "libLiteRt.so" in lost.stderr


# ---- what does not fit

@pytest.mark.parametrize("inputs,part", [
    ({"x": np.array([1], np.int64)}, "input 'x' of signature serving_default is int64; the model takes float"),
    ({"x": np.array([[1]], np.float32)}, "input 'x' of signature serving_default has shape [1,1]; the model takes [-1]"),
    ({"x": np.array([], np.float32)}, "has shape [0]; LiteRT takes sizes from 1"),
    ({"z": np.array([1], np.float32)}, "Sent extra: {z}"),
])
def test_inputs_that_do_not_fit_are_named(running, inputs, part):
    runtime = running("lite_half")
    with pytest.raises(grpc.RpcError) as caught:
        predict_grpc(runtime, **inputs)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT and part in caught.value.details()
    assert runtime.predict({"instances": [2]}).json() == {"predictions": [3.0]}


def test_a_fixed_shape_stays_fixed(running):
    with pytest.raises(grpc.RpcError) as caught:
        predict_grpc(running("lite_several"), "double", v=np.array([1, 2], np.float32))
    assert "has shape [2]; the model takes [3]" in caught.value.details()


def test_an_error_inside_the_graph_is_the_models_own(running):
    runtime = running("lite_rows")
    for _ in range(3):
        answer = runtime.predict({"instances": [9]})
        assert answer.status_code >= 400 and answer.headers["x-tidegate-error"] == "model"
        assert "index" in answer.json()["error"] or "gather" in answer.json()["error"].lower()
        assert runtime.predict({"instances": [1, 2]}).json() == {"predictions": [2.0, 3.0]}


@pytest.mark.parametrize("name,parts", [
    ("lite_names", ["output 'names'", "STRING"]),
    ("lite_custom", ["has no operator Sharpen"]),
    ("lite_flex", ["FlexErf", "SELECT_TF_OPS"]),
    ("lite_dynamic", ["dynamic"]),
])
def test_what_litert_cannot_do_is_said_at_the_start(start, models, name, parts):
    code, message = failed_start(start, name, models / name)
    assert code == 1 and message["error"] == "ModelLoadFailed"
    for part in ["model.tflite", *parts]:
        assert part in message["message"]


@pytest.mark.parametrize("content,part", [
    (b"", "(0 bytes) is not a whole TFLite model: at offset 0: the file is empty"),
    (b"\xff" * 100, "no TFLite identifier"),
    (b"\x10\x00\x00\x00TFL3", "reaches beyond the end of the file"),
])
def test_a_corrupt_file_is_named(start, tmp_path, content, part):
    folder = tmp_path / "broken" / "1"
    folder.mkdir(parents=True)
    (folder / "broken.tflite").write_bytes(content)
    code, message = failed_start(start, "broken", folder.parent)
    assert code == 1 and "broken.tflite" in message["message"] and part in message["message"]


def test_a_missing_library_is_named(start, models, tmp_path):
    code, message = failed_start(start, "lite_half", models / "lite_half", f"--litert-dir={tmp_path}")
    assert code == 1 and "libLiteRt.so" in message["message"] and "runtime-litert" in message["message"]


def test_another_library_is_refused(start, models, tmp_path):
    (tmp_path / "libLiteRt.so").symlink_to(BUILD.resolve() / "serving-runtime/backends/libtidegate_backend_litert.so")
    code, message = failed_start(start, "lite_half", models / "lite_half", f"--litert-dir={tmp_path}")
    assert code == 1 and "2.3.0 is needed" in message["message"]


def test_inspect_prints_a_tflite_model_as_text_and_json(models):
    text = run("inspect", models / "lite_int8/1").stdout
    assert "model.tflite: TFLite" in text and "signature serving_default" in text
    assert "input  x: int8 (-1, 4), quantised: scale" in text and "operator FULLY_CONNECTED version" in text
    report = json.loads(run("inspect", models / "lite_int8/1", "--json").stdout)
    raw = interpreter(file_of(models, "lite_int8"))
    (given,) = report["signatures"]["serving_default"]["inputs"]
    scale, zero_point = raw.get_input_details()["x"]["quantization"]
    assert given["dtype"] == "int8" and given["shape"] == [-1, 4]
    assert given["quantization"]["zeroPoints"] == [zero_point]
    assert np.float32(given["quantization"]["scales"][0]) == np.float32(scale)
    assert {"name": "FULLY_CONNECTED", "custom": False, "count": 2}.items() <= report["operators"][0].items()
    assert report["bytes"] == file_of(models, "lite_int8").stat().st_size
    assert sorted(json.loads(run("inspect", models / "lite_several/1", "--json").stdout)["signatures"]) == [
        "double", "serving_default"]


def test_inspect_names_custom_operators_and_bad_files(models, tmp_path):
    assert "operator FlexErf (custom)" in run("inspect", models / "lite_flex/1").stdout
    content = file_of(models, "lite_half").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(content[:len(content) // 2])
    cut = run("inspect", tmp_path)
    assert cut.returncode == 1 and "cut.tflite" in cut.stderr and "at offset" in cut.stderr


# ---- damaged files

def test_damaged_files_are_refused_or_served_but_end_no_process_in_a_crash(start, models, tmp_path):
    """Every version that cannot be loaded is reported; the process goes on with the one that can."""
    good = file_of(models, "lite_dense").read_bytes()
    base = tmp_path / "damaged"
    (base / "1").mkdir(parents=True)
    (base / "1/model.tflite").write_bytes(good)
    random = np.random.default_rng(11)
    for version in range(2, 42):
        bad = bytearray(good)
        for position in random.integers(0, len(bad), size=version % 7 + 1):
            bad[position] = random.integers(0, 256)
        (base / str(version)).mkdir()
        (base / str(version) / "model.tflite").write_bytes(bad)
    runtime = start("damaged", "--latest-versions=41", base_path=base)

    def all_settled():
        states = runtime.get("/v1/models/damaged").json()["model_version_status"]
        return len(states) == 41 and all(s["state"] in ("AVAILABLE", "END") for s in states)

    runtime.wait_until(all_settled)
    assert runtime.post("/v1/models/damaged/versions/1:predict", {"instances": [[1, 2, 3, 4]]}).status_code == 200
