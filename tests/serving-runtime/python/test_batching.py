"""Requests that are run together, told by TensorFlow Serving's batching parameters."""

import concurrent.futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tfs_clients import predict_request


def start_batching(start, tmp_path, parameters, model="half_plus_two"):
    path = tmp_path / "batching.config"
    path.write_text(parameters)
    return start(model, "--enable_batching=true", f"--batching_parameters_file={path}", "--enable_model_warmup=false")


def batches(runtime):
    """(runs, rows) so far."""
    lines = [line.split() for line in runtime.get("/metrics").text.splitlines() if line.startswith("tidegate_runtime_batch_rows")]
    values = {line[0].split("{")[0]: int(float(line[1])) for line in lines}
    return values["tidegate_runtime_batch_rows_count"], values["tidegate_runtime_batch_rows_sum"]


def predict_over_grpc(runtime, x, timeout=30):
    request = predict_request(runtime.model, x=np.array(x, np.float32))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(runtime.grpc))
    return tf.make_ndarray(stub.Predict(request, timeout=timeout).outputs["y"]).tolist()


@pytest.mark.parametrize("model", ["half_plus_two", "onnx_half_plus_two", "lite_half"])
def test_requests_that_fill_a_batch_run_together_and_each_gets_its_own_answer(start, tmp_path, model):
    runtime = start_batching(start, tmp_path, "max_batch_size { value: 6 } batch_timeout_micros { value: 60000000 }", model)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda x: runtime.predict({"instances": [x, x + 2]}).json(), [0.0, 10.0, 20.0]))
    assert answers == [{"predictions": [2.0, 3.0]}, {"predictions": [7.0, 8.0]}, {"predictions": [12.0, 13.0]}]
    assert batches(runtime) == (1, 6)


def test_rest_and_grpc_share_a_batch(start, tmp_path):
    runtime = start_batching(start, tmp_path, "max_batch_size { value: 2 } batch_timeout_micros { value: 60000000 }")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        rest = pool.submit(lambda: runtime.predict({"instances": [4.0]}).json())
        assert predict_over_grpc(runtime, [2.0]) == [3.0]
        assert rest.result() == {"predictions": [4.0]}
    assert batches(runtime) == (1, 2)


def test_a_bad_request_in_a_batch_fails_alone(start, tmp_path):
    runtime = start_batching(start, tmp_path, "max_batch_size { value: 2 } batch_timeout_micros { value: 60000000 }", "picky")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        bad, good = pool.map(lambda x: runtime.predict({"instances": [x]}), [[-1.0, -2.0], [1.0, 2.0]])
    assert good.status_code == 200 and bad.status_code == 400 and bad.headers["x-tidegate-error"] == "model"


def test_a_lone_request_waits_no_longer_than_the_timeout_and_is_filled_up(start, tmp_path):
    runtime = start_batching(start, tmp_path, "max_batch_size { value: 8 } batch_timeout_micros { value: 1000 } "
                             "allowed_batch_sizes: 4 allowed_batch_sizes: 8")
    assert runtime.predict({"instances": [2.0, 4.0, 6.0]}).json() == {"predictions": [3.0, 4.0, 5.0]}
    assert batches(runtime) == (1, 4)
    assert runtime.predict({"instances": [2.0] * 20}).json() == {"predictions": [3.0] * 20}
    assert batches(runtime) == (4, 4 + 8 + 8 + 4)


def test_rows_of_different_lengths_are_padded_with_their_first_element(start, tmp_path):
    questions = [{"x": [1.0, 2.0, 3.0], "text": ["a"]}, {"x": [10.0], "text": ["b", "c"]}]
    pad = "pad_variable_length_inputs: true"
    runtime = start_batching(start, tmp_path, f"max_batch_size {{ value: 2 }} batch_timeout_micros {{ value: 60000000 }} {pad}", "ragged")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda x: runtime.predict({"instances": [x]}).json()["predictions"][0], questions))
    assert batches(runtime) == (1, 2)
    assert answers == [{"sum": 6.0, "same": [1.0, 2.0, 3.0], "joined": "aa"}, {"sum": 30.0, "same": [10.0, 10.0, 10.0], "joined": "bc"}]


def test_without_padding_rows_of_different_lengths_run_apart(start, tmp_path):
    runtime = start_batching(start, tmp_path, "max_batch_size { value: 2 }", "ragged")
    for x in ([1.0, 2.0], [10.0]):
        assert runtime.predict({"instances": [{"x": x, "text": ["a"]}]}).json()["predictions"][0]["sum"] == sum(x)


@pytest.mark.parametrize("parameters,part", [
    ("max_batch_size { value: 0 }", "batching.config: max_batch_size must be positive"),
    ("max_batch: 3", "batching.config: line 1"),
])
def test_parameters_that_cannot_be_end_the_start(start, tmp_path, parameters, part):
    path = tmp_path / "batching.config"
    path.write_text(parameters)
    runtime = start("half_plus_two", "--enable_batching", f"--batching_parameters_file={path}", wait=False)
    assert runtime.process.wait(60) == 1 and part in runtime.log_path.read_text()


def test_the_response_cache_answers_what_was_asked_before(start):
    runtime = start("half_plus_two", "--response-cache-bytes=1MB", "--enable_model_warmup=false")
    assert [runtime.predict({"instances": [x]}).json()["predictions"] for x in (2.0, 2.0, 4.0)] == [[3.0], [3.0], [4.0]]
    assert predict_over_grpc(runtime, [4.0]) == [4.0]
    lines = runtime.get("/metrics").text.splitlines()
    assert "tidegate_runtime_response_cache_hits_total 2" in lines and "tidegate_runtime_response_cache_misses_total 2" in lines


def test_parameters_without_batching_are_refused(start, tmp_path):
    runtime = start("half_plus_two", f"--batching_parameters_file={tmp_path}/x", wait=False)
    assert runtime.process.wait(60) == 1 and "is set without --enable-batching" in runtime.log_path.read_text()
