"""Command lines of tensorflow_model_server: every flag of its main.cc is understood, does what it says there, or is said to
have no effect or to be refused."""

import json
import shutil
import tempfile

import grpc
import numpy as np
import pytest
import tensorflow as tf
from conftest import RUNTIME, run
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc, prediction_log_pb2, prediction_service_pb2_grpc
from tfs_clients import predict_request

# By name, with the value that manifests often have. --port, --rest_api_port, --model_name and --model_base_path are in each
# test; files that must be there have tests of their own.
WITH_EFFECT = {
    "rest_api_num_threads": "4", "rest_api_timeout_in_ms": "30000", "rest_api_enable_cors_support": "false",
    "enable_batching": "true", "allow_version_labels_for_unavailable_models": "false",
    "enable_per_model_batching_parameters": "false", "model_config_file_poll_wait_seconds": "0", "num_load_threads": "0",
    "max_num_load_retries": "0", "load_retry_interval_micros": "-1", "file_system_poll_wait_seconds": "1",
    "tensorflow_session_parallelism": "0", "tensorflow_intra_op_parallelism": "1", "tensorflow_inter_op_parallelism": "0",
    "per_process_gpu_memory_fraction": "0.0", "saved_model_tags": "serve", "grpc_channel_arguments": "grpc.max_connection_age_ms=60000",
    "enable_model_warmup": "true", "num_request_iterations_for_warmup": "0", "enable_signature_method_name_check": "false",
    "enable_serialization_as_tensor_content": "false",
}
WITHOUT_EFFECT = {
    "num_unload_threads": "1", "flush_filesystem_caches": "true", "grpc_max_threads": "8",
    "remove_unused_fields_from_bundle_metagraph": "true", "enable_grpc_healthcheck_service": "true", "enable_profiler": "true",
    "xla_cpu_compilation_enabled": "true", "xla_gpu_compilation_enabled": "true", "skip_initialize_tpu": "true",
    "num_tflite_pools": "2", "num_tflite_interpreters_per_pool": "1",
}
REFUSED = {
    "prefer_tflite_model": "true", "use_alts_credentials": "true", "platform_config_file": "x", "mixed_precision": "bfloat16",
    "thread_pool_factory_config_file": "x",
}


def flags(values):
    return [f"--{name}={value}" for name, value in values.items()]


def two_and_four(model="half_plus_two"):
    return predict_request(model, x=np.array([2, 4], np.float32))


def predict(address, model="half_plus_two"):
    with grpc.insecure_channel(address) as channel:
        return prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(two_and_four(model), timeout=30).outputs["y"]


def test_a_manifest_for_tensorflow_serving_starts_the_server_as_it_stands(start, tmp_path):
    """By the name of its program, which our images have as a link, and with no command of ours."""
    program = tmp_path / "tensorflow_model_server"
    program.symlink_to(RUNTIME.resolve())
    runtime = start("half_plus_two", *flags(WITH_EFFECT), *flags(WITHOUT_EFFECT), program=(program,))
    assert runtime.predict({"instances": [2]}).json() == {"predictions": [3.0]}
    assert tf.make_ndarray(predict(runtime.grpc)).tolist() == [3.0, 4.0]
    log = runtime.log_path.read_text()
    for name in WITHOUT_EFFECT:
        assert f"--{name} of TensorFlow Serving has no effect: " in log
    assert log.count("of TensorFlow Serving has no effect") == len(WITHOUT_EFFECT)


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_server_cannot_do_is_refused_by_name(start, name):
    runtime = start("half_plus_two", f"--{name}={REFUSED[name]}", wait=False)
    assert runtime.process.wait(60) == 1
    assert f"--{name} of TensorFlow Serving is not supported: " in runtime.log_path.read_text()


def test_the_version_is_printed_with_and_without_a_command():
    for words in (["--version"], ["serve", "--version"]):
        told = run(*words)
        assert told.returncode == 0 and told.stdout.startswith("tidegate-runtime ")


def test_of_a_flag_that_comes_twice_the_last_counts(start):
    runtime = start("half_plus_two", "--model_name=two", "--enable_batching", "--enable_batching=false")
    assert runtime.predict({"instances": [2]}, model="two").json() == {"predictions": [3.0]}


def test_the_graph_with_the_tags_that_are_named_is_loaded(start):
    runtime = start("untagged", "--saved_model_tags=train")
    (status,) = runtime.get("/v1/models/untagged").json()["model_version_status"]
    assert status["state"] == "AVAILABLE"
    missing = start("half_plus_two", "--saved_model_tags=serve,gpu", wait=False)
    assert missing.process.wait(60) == 1
    message = json.loads(missing.termination_log.read_text())["message"]
    assert "exactly the tags 'serve, gpu'" in message and "{serve}" in message


def test_the_methods_of_signatures_count_when_they_are_to(start):
    runtime = start("half_plus_two", "--enable_signature_method_name_check=true")
    answer = runtime.classify({"signature_name": "classify_as_predict", "examples": [{"x": 2.0}]})
    assert answer.status_code == 400
    assert answer.json()["error"] == ("Expected classification signature method_name to be tensorflow/serving/classify. Was: "
                                      "tensorflow/serving/predict")
    assert runtime.classify({"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]}).status_code == 200


def test_grpc_has_the_settings_that_it_is_given(running, start):
    def ask(runtime):
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "half_plus_two"
        with grpc.insecure_channel(runtime.grpc) as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            return stub.GetModelStatus(request, metadata=[("x-large", "a" * 30_000)], timeout=30)

    with pytest.raises(grpc.RpcError) as refused:
        ask(running("half_plus_two"))
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    roomy = start("half_plus_two", "--grpc_channel_arguments=grpc.max_metadata_size=50000,grpc.absolute_max_metadata_size=60000")
    assert ask(roomy).model_version_status[0].version == 123
    wrong = run("serve", "--grpc_channel_arguments=x")
    assert wrong.returncode != 0 and "x is not of the form key=value" in wrong.stderr


def test_a_unix_socket_serves_grpc_too(start):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own paths are longer than a socket's may be
        runtime = start("half_plus_two", f"--grpc_socket_path={folder}/grpc")
        for address in (f"unix:{folder}/grpc", runtime.grpc):
            assert tf.make_ndarray(predict(address)).tolist() == [3.0, 4.0]


def test_numbers_come_as_bytes_when_they_are_to(start):
    output = predict(start("half_plus_two", "--enable_serialization_as_tensor_content=true").grpc)
    assert output.tensor_content == np.array([3, 4], np.float32).tobytes() and not output.float_val
    assert tf.make_ndarray(output).tolist() == [3.0, 4.0]


@pytest.mark.parametrize("service,status", [("", 1), ("PredictionService", 1), ("tensorflow.serving.ModelService", 1)])
def test_grpcs_health_check_tells_that_the_server_is_ready(running, service, status):
    assert check_health(running("half_plus_two"), service) == bytes([8, status])


def test_grpcs_health_check_does_not_know_other_services(running):
    with pytest.raises(grpc.RpcError) as refused:
        check_health(running("half_plus_two"), "nope")
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


def check_health(runtime, service):
    """The answer's bytes. A request of one string is its tag, its length and it."""
    request = b"\x0a" + bytes([len(service)]) + service.encode() if service else b""
    with grpc.insecure_channel(runtime.grpc) as channel:
        return channel.unary_unary("/grpc.health.v1.Health/Check")(request, timeout=30)


def test_pages_of_other_origins_may_ask_when_they_are_to(running, start):
    assert "Access-Control-Allow-Origin" not in running("half_plus_two").predict({"instances": [2]}).headers
    runtime = start("half_plus_two", "--rest_api_enable_cors_support")
    asked = runtime.predict({"instances": [2]})
    assert asked.json() == {"predictions": [3.0]} and asked.headers["Access-Control-Allow-Origin"] == "*"
    assert runtime.predict({}).headers["Access-Control-Allow-Origin"] == "*"
    ahead = runtime.options("/v1/models/half_plus_two:predict")
    assert ahead.status_code == 200 and "POST" in ahead.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in ahead.headers["Access-Control-Allow-Headers"]


def test_a_version_brings_its_batching_parameters(start, models, tmp_path):
    shutil.copytree(models / "half_plus_two", tmp_path / "batched")
    (tmp_path / "batched/123/batching_params.pbtxt").write_text("allowed_batch_sizes: 4 max_batch_size { value: 4 }")
    config = tmp_path / "models.config"
    config.write_text("model_config_list { %s }" % " ".join(
        f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" }}'
        for name, path in (("batched", tmp_path / "batched"), ("plain", models / "half_plus_two"))))
    runtime = start(None, "--enable_batching=true", "--enable_per_model_batching_parameters=true", "--enable_model_warmup=false",
                    f"--model_config_file={config}")
    for model in ("batched", "plain"):
        assert runtime.predict({"instances": [2]}, model=model).json() == {"predictions": [3.0]}
    rows = [line for line in runtime.get("/metrics").text.splitlines() if line.startswith("tidegate_runtime_batch_rows_sum")]
    assert rows == ['tidegate_runtime_batch_rows_sum{model="batched"} 4']


def test_batching_parameters_of_a_version_that_are_wrong_are_told(start, models, tmp_path):
    shutil.copytree(models / "half_plus_two", tmp_path / "batched")
    (tmp_path / "batched/123/batching_params.pbtxt").write_text("max_batch_size { value: 0 }")
    runtime = start("batched", "--enable_batching", "--enable_per_model_batching_parameters", base_path=tmp_path / "batched", wait=False)
    assert runtime.process.wait(60) == 1
    assert "batching_params.pbtxt" in json.loads(runtime.termination_log.read_text())["message"]


def test_recorded_requests_are_run_as_often_as_they_are_to(start, models, tmp_path):
    shutil.copytree(models / "half_plus_two", tmp_path / "warm")
    (tmp_path / "warm/123/assets.extra").mkdir()
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(two_and_four("warm"))
    with tf.io.TFRecordWriter(str(tmp_path / "warm/123/assets.extra/tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())
    runtime = start("warm", "--num_request_iterations_for_warmup=3", "--log-level=debug", base_path=tmp_path / "warm")
    runtime.wait_until(lambda: "recorded=3 synthetic=0" in runtime.log_path.read_text())  # written by a thread of its own
