"""More models than memory: --max-resident with real models, through REST, gRPC and tritonclient."""

import concurrent.futures
import re
import shutil

import grpc
import numpy as np
import pytest
import tensorflow as tf
import tritonclient.grpc
import tritonclient.http
from tensorflow_serving.apis import (get_model_metadata_pb2, get_model_status_pb2, model_service_pb2_grpc,
                                     prediction_service_pb2_grpc)
from tfs_clients import predict_request

COUNT = 6
NAMES = [f"m{i}" for i in range(COUNT)]


@pytest.fixture
def many(models, tmp_path):
    """A config file with six models of 4 MB, the i-th adds i."""
    entries = []
    for name in NAMES:
        shutil.copytree(models / "onnx_heavy" / name, tmp_path / "many" / name)
        entries.append(f'config {{ name: "{name}" base_path: "{tmp_path / "many" / name}" }}')
    path = tmp_path / "models.config"
    path.write_text("model_config_list {" + "".join(entries) + "}")
    return path


@pytest.fixture
def runtime(start, many):
    """Room for two or three of them."""
    return start("m0", f"--model-config-file={many}", "--max-resident=30MB", base_path="/nowhere")


def metric(runtime, name, model):
    return float(re.search(rf'^tidegate_runtime_{name}\{{model="{model}"\}} (\S+)$', runtime.get("/metrics").text, re.M)[1])


def resident(runtime):
    return [name for name in NAMES if metric(runtime, "model_resident_bytes", name) > 0]


def states(runtime):
    return {entry["name"]: entry["state"] for entry in runtime.post("/v2/repository/index", "").json()}


def test_nothing_is_loaded_before_it_is_asked_for_and_the_server_is_ready(runtime):
    assert states(runtime) == dict.fromkeys(NAMES, "UNAVAILABLE") and resident(runtime) == []
    (status,) = runtime.get("/v1/models/m3").json()["model_version_status"]
    assert status["state"] == "START"
    assert runtime.get("/v2/models/m3/ready").json()["ready"] is True
    assert runtime.predict({"instances": [1.0]}, model="m3").json() == {"predictions": [4.0]}
    assert states(runtime) == {**dict.fromkeys(NAMES, "UNAVAILABLE"), "m3": "READY"} and resident(runtime) == ["m3"]
    assert metric(runtime, "model_resident_bytes", "m3") >= 4 << 20


def test_requests_over_more_models_than_fit_are_all_answered_within_the_budget(runtime):
    def ask(i):
        model = i * 5 % COUNT
        answer = runtime.predict({"instances": [1.0]}, model=f"m{model}")
        return answer.status_code, answer.json() == {"predictions": [1.0 + model]}

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(120)))
    assert set(answers) == {(200, True)}
    taken = [metric(runtime, "model_resident_bytes", name) for name in NAMES]
    loads = sum(metric(runtime, "model_loads_on_demand_total", name) for name in NAMES)
    evictions = sum(metric(runtime, "model_evictions_total", name) for name in NAMES)
    assert 0 < sum(taken) <= 30 << 20
    assert loads >= COUNT and evictions >= 3 and loads - evictions == sum(value > 0 for value in taken)


def test_a_model_is_loaded_for_clients_of_every_protocol(runtime):
    channel = grpc.insecure_channel(runtime.grpc)
    request = predict_request("m1", x=np.array([1], np.float32))
    answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=30)
    assert tf.make_ndarray(answer.outputs["y"]).tolist() == [2.0]
    metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    metadata.model_spec.name = "m2"
    assert prediction_service_pb2_grpc.PredictionServiceStub(channel).GetModelMetadata(metadata, timeout=30).model_spec.version.value == 1
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "m0"
    (one,) = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(status, timeout=30).model_version_status
    assert one.state == 10  # START: nobody has asked for it
    for triton, model in ((tritonclient.grpc, "m3"), (tritonclient.http, "m4")):
        client = triton.InferenceServerClient(runtime.grpc if triton is tritonclient.grpc else runtime.rest)
        assert client.is_model_ready(model)
        assert client.get_model_metadata(model)
        x = triton.InferInput("x", [1], "FP32")
        x.set_data_from_numpy(np.array([1], np.float32))
        assert client.infer(model, [x]).as_numpy("y").tolist() == [1.0 + int(model[1:])]
    assert runtime.get("/v1/models/m5/metadata").json()["model_spec"]["name"] == "m5"
    assert runtime.predict({"instances": [1.0]}, model="stranger").status_code == 404


def test_a_model_that_can_never_fit_is_refused_with_both_sizes_and_harms_no_other(start, many):
    runtime = start("m0", f"--model-config-file={many}", "--max-resident=3MB", base_path="/nowhere")
    answer = runtime.predict({"instances": [1.0]}, model="m2")
    assert answer.status_code == 429
    assert re.fullmatch(r"Model m2 takes \d{7} bytes, more than the 3145728 of --max-resident", answer.json()["error"])
    text = runtime.get("/metrics").text
    assert 'tidegate_runtime_requests_refused_total{api="tfs_rest",code="RESOURCE_EXHAUSTED",model="m2"} 1' in text
    assert runtime.get("/v2/health/ready").status_code == 200


def test_a_model_that_cannot_be_loaded_leaves_the_others_serving(start, many):
    (many.parent / "many/m1/1/model.onnx").write_bytes(b"\xff" * 100)
    runtime = start("m0", f"--model-config-file={many}", "--max-resident=30MB", base_path="/nowhere")
    assert runtime.predict({"instances": [1.0]}, model="m1").status_code >= 500
    assert runtime.get("/v2/models/m1/ready").status_code == 503
    assert runtime.predict({"instances": [1.0]}, model="m2").json() == {"predictions": [3.0]}
    assert runtime.get("/v2/health/ready").status_code == 200


def test_sigterm_answers_requests_that_still_need_a_model(start, many):
    runtime = start("m0", f"--model-config-file={many}", "--max-resident=30MB", "--drain-seconds=2", base_path="/nowhere")
    runtime.process.terminate()
    runtime.wait_until(lambda: runtime.get("/v2/health/ready").status_code == 503)
    assert runtime.predict({"instances": [1.0]}, model="m4").json() == {"predictions": [5.0]}
    assert runtime.process.wait(30) == 0
