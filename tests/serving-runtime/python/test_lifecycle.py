"""From the start to the end of the process: load, fail to load, new versions, drain, and the command line."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import threading

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from conftest import failed_start, run
from tensorflow_serving.apis import (classification_pb2, inference_pb2, prediction_log_pb2,
                                     prediction_service_pb2_grpc, regression_pb2, session_service_pb2)
from tfs_clients import predict_request


def niceness(task):
    return int((task / "stat").read_text().rpartition(")")[2].split()[16])


@pytest.mark.parametrize("model", ["half_plus_two", "onnx_half_plus_two", "lite_half"])
def test_threads_that_load_give_way_and_none_that_a_library_keeps(start, model):
    """A library's threads have the niceness and the cores of the one that starts them, which first is one that loads."""
    runtime = start(model, "--intra-op-threads=3", "--inter-op-threads=3", "--litert-threads=3", "--load-threads=2")
    assert runtime.predict({"instances": [1.0]}).status_code == 200
    process = pathlib.Path(f"/proc/{runtime.process.pid}")
    tasks = list((process / "task").iterdir())
    names = [(task / "comm").read_text().strip() for task in tasks]
    assert len(tasks) >= 10 and names.count("tidegate-load") == 2
    cores = os.sched_getaffinity(runtime.process.pid)
    half = set(sorted(cores)[-(len(cores) // 2):]) if len(cores) > 1 else cores
    for task, name in zip(tasks, names):
        loads = name == "tidegate-load"
        assert niceness(task) == niceness(process) + (10 if loads else 0), name
        assert os.sched_getaffinity(int(task.name)) == (half if loads else cores), name


def test_a_saved_model_without_the_serve_tag_ends_the_process_with_its_tags(start, models):
    code, message = failed_start(start, "untagged", models / "untagged")
    assert code == 1 and message["error"] == "ModelLoadFailed"
    assert "no graph with exactly the tag 'serve'" in message["message"] and "{train}" in message["message"]


def test_a_corrupt_saved_model_ends_the_process(start, tmp_path):
    folder = tmp_path / "broken" / "1"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"\xff" * 100)
    code, message = failed_start(start, "broken", folder.parent)
    assert code == 1 and "is not a SavedModel" in message["message"]


def test_missing_variables_end_the_process_in_tensorflows_words(start, models, tmp_path):
    shutil.copytree(models / "half_plus_two", tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut/123/variables")
    code, message = failed_start(start, "cut", tmp_path / "cut")
    assert code == 1 and message["error"] == "ModelLoadFailed" and "version 123" in message["message"]


def test_an_empty_base_path_ends_the_process(start, tmp_path):
    (tmp_path / "empty").mkdir()
    code, message = failed_start(start, "empty", tmp_path / "empty")
    assert code == 1 and "No versions of model empty found under base path" in message["message"]


def test_a_base_path_that_is_a_versions_own_is_told_so(start, models):
    code, message = failed_start(start, "deep", models / "onnx_half_plus_two/1")
    assert code == 1 and "and this is a version's: name the one above it" in message["message"]


def record(path, *requests):
    """A TFRecord file of PredictionLogs, as tf.io.TFRecordWriter makes it."""
    fields = {"PredictRequest": "predict_log", "ClassificationRequest": "classify_log", "RegressionRequest": "regress_log",
              "MultiInferenceRequest": "multi_inference_log", "SessionRunRequest": "session_run_log"}
    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for one in requests:
            log = prediction_log_pb2.PredictionLog()
            getattr(log, fields[type(one).__name__]).request.CopyFrom(one)
            writer.write(log.SerializeToString())


def floats(x):
    return predict_request(x=np.array(x, np.float32))


def test_recorded_warm_up_requests_are_replayed_before_the_model_is_ready(start, models, tmp_path):
    shutil.copytree(models / "picky", tmp_path / "warm")
    record(tmp_path / "warm/1/assets.extra/tf_serving_warmup_requests", floats([[1, 2]]), floats([[3, 4]]))
    runtime = start("warm", "--log-level=debug", base_path=tmp_path / "warm")
    runtime.wait_until(lambda: "recorded=2 synthetic=0" in runtime.log_path.read_text())  # written by a thread of its own


def fill(request, signature, x):
    """A request that takes tf.Example protos, with one."""
    request.model_spec.signature_name = signature
    request.input.example_list.examples.add().features.feature["x"].float_list.value.append(x)
    return request


def test_recorded_classify_regress_and_multi_inference_requests_are_replayed(start, models, tmp_path):
    shutil.copytree(models / "shared", tmp_path / "warm")
    several = inference_pb2.MultiInferenceRequest()
    several.input.example_list.examples.add().features.feature["x"].float_list.value.append(3.0)
    for signature in ("classify_x_to_y", ""):
        several.tasks.add().model_spec.signature_name = signature
    record(tmp_path / "warm/5/assets.extra/tf_serving_warmup_requests",
           fill(classification_pb2.ClassificationRequest(), "classify_x_to_y", 1.0),
           fill(regression_pb2.RegressionRequest(), "", 2.0), several)
    runtime = start("warm", "--log-level=debug", base_path=tmp_path / "warm")
    runtime.wait_until(lambda: "recorded=4 synthetic=0" in runtime.log_path.read_text())  # written by a thread of its own


def test_a_recorded_request_that_is_not_replayed_is_said(start, models, tmp_path):
    shutil.copytree(models / "shared", tmp_path / "cold")
    record(tmp_path / "cold/5/assets.extra/tf_serving_warmup_requests", session_service_pb2.SessionRunRequest())
    code, message = failed_start(start, "cold", tmp_path / "cold")
    assert code == 1 and "record 0: is a request that is not replayed" in message["message"]


def test_more_recorded_requests_than_tensorflow_serving_takes_are_refused(start, models, tmp_path):
    shutil.copytree(models / "onnx_half_plus_two", tmp_path / "cold")
    record(tmp_path / "cold/1/assets.extra/tf_serving_warmup_requests", *[floats([1.0])] * 1001)
    code, message = failed_start(start, "cold", tmp_path / "cold")
    assert code == 1 and "holds more than 1000 requests" in message["message"]


def test_recorded_requests_that_cannot_be_read_end_the_start_with_their_path(start, models, tmp_path):
    shutil.copytree(models / "onnx_half_plus_two", tmp_path / "cold")
    path = tmp_path / "cold/1/assets.extra/tf_serving_warmup_requests"
    path.mkdir(parents=True)
    code, message = failed_start(start, "cold", tmp_path / "cold")
    assert code == 1 and f"cannot read {path}: Is a directory" in message["message"]


def test_a_recorded_request_that_fails_ends_the_process(start, models, tmp_path):
    shutil.copytree(models / "picky", tmp_path / "cold")
    record(tmp_path / "cold/1/assets.extra/tf_serving_warmup_requests", floats([[1, 2]]), floats([[-1, 2]]))
    code, message = failed_start(start, "cold", tmp_path / "cold")
    assert code == 1 and "recorded request 1" in message["message"] and "no negative numbers" in message["message"]


def test_a_missing_backend_names_the_image_that_has_it(start, models, tmp_path):
    code, message = failed_start(start, "half_plus_two", models / "half_plus_two", f"--backend-dir={tmp_path}")
    assert code == 1 and "runtime-tensorflow" in message["message"]


def test_a_missing_tensorflow_is_named(start, models, tmp_path):
    code, message = failed_start(start, "half_plus_two", models / "half_plus_two", f"--tensorflow-dir={tmp_path}")
    assert code == 1 and "libtensorflow_cc.so.2" in message["message"]


@pytest.mark.parametrize("old,new", [
    ("half_plus_two/123", "half_plus_three/124"),
    ("onnx_half_plus_two/1", "onnx_half_plus_three/2"),
    ("lite_half/123", "lite_half_plus_three/124"),
])
def test_a_new_version_serves_before_the_old_one_goes(start, models, tmp_path, old, new):
    base, old, new = tmp_path / "growing", models / old, models / new
    shutil.copytree(old, base / old.name)
    runtime = start("growing", "--poll-seconds=0.05", base_path=base)
    shutil.copytree(new, tmp_path / new.name)
    (tmp_path / new.name).rename(base / new.name)
    answers = []

    def both_happened():
        answers.append(runtime.predict({"instances": [2]}))
        states = {v["version"]: v["state"] for v in runtime.get("/v1/models/growing").json()["model_version_status"]}
        return states == {old.name: "END", new.name: "AVAILABLE"}

    runtime.wait_until(both_happened)
    assert all(answer.status_code == 200 for answer in answers)
    assert runtime.predict({"instances": [2]}).json() == {"predictions": [4.0]}


@pytest.mark.parametrize("model,file", [("half_plus_two", "saved_model.pb"), ("onnx_half_plus_two", "model.onnx")])
def test_a_version_that_cannot_be_loaded_leaves_the_old_one_serving(start, models, tmp_path, model, file):
    base = tmp_path / "failing"
    shutil.copytree(models / model, base)
    runtime = start("failing", "--poll-seconds=0.05", base_path=base)
    (tmp_path / "124").mkdir()
    (tmp_path / "124" / file).write_bytes(b"\xff" * 100)
    (tmp_path / "124").rename(base / "124")

    def gave_up():
        states = {v["version"]: v for v in runtime.get("/v1/models/failing").json()["model_version_status"]}
        return states.get("124", {}).get("state") == "END"

    runtime.wait_until(gave_up)
    (status, _) = runtime.get("/v1/models/failing").json()["model_version_status"]
    assert status["status"]["error_code"] == "DATA_LOSS"
    assert runtime.predict({"instances": [2]}).json() == {"predictions": [3.0]}
    assert runtime.get("/v2/health/ready").status_code == 200


def test_sigterm_finishes_what_is_in_flight_and_says_not_ready(start):
    runtime = start("slow", "--drain-seconds=1", "--warm-up=false")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        slow = pool.submit(runtime.predict, {"inputs": 1500})
        runtime.wait_until(lambda: "tidegate_runtime_requests_running 1" in runtime.get("/metrics").text)
        runtime.process.terminate()
        runtime.wait_until(lambda: runtime.get("/v2/health/ready").status_code == 503)
        late = runtime.predict({"inputs": 1})
        assert late.status_code == 200 and late.headers["Connection"] == "close"
        assert slow.result().status_code == 200
    assert runtime.process.wait(30) == 0


def test_sigterm_under_load_fails_no_request(start):
    runtime = start("half_plus_two", "--drain-seconds=0.5")
    answers = []

    def client():
        """Sends until it is told that the connection ends, as a router that takes the hint does."""
        with requests.Session() as session:
            while True:
                answer = session.post(f"http://{runtime.rest}/v1/models/half_plus_two:predict", '{"instances":[2]}', timeout=30)
                answers.append(answer.status_code)
                if answer.headers.get("Connection") == "close":
                    return

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client) for _ in range(8)]
        runtime.wait_until(lambda: len(answers) > 500)
        runtime.process.terminate()
        for one in clients:
            one.result()
    assert runtime.process.wait(30) == 0
    assert set(answers) == {200}


def test_sigterm_under_grpc_load_fails_no_request(start):
    leaving, staying = start("half_plus_two", "--drain-seconds=1"), start("half_plus_two")
    request = floats([2.0])
    request.model_spec.name = "half_plus_two"
    answered, failures, moved = {leaving: 0, staying: 0}, [], threading.Event()

    def client():
        """Calls one after the other, and leaves when it is told that the server is not ready, as a router's clients do."""
        with grpc.insecure_channel(leaving.grpc) as first, grpc.insecure_channel(staying.grpc) as second:
            while answered[staying] < 500:
                runtime = staying if moved.is_set() else leaving
                stub = prediction_service_pb2_grpc.PredictionServiceStub(second if moved.is_set() else first)
                try:
                    stub.Predict(request, timeout=30)
                    answered[runtime] += 1
                except grpc.RpcError as error:
                    failures.append(error)
                    return

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client) for _ in range(8)]
        leaving.wait_until(lambda: failures or answered[leaving] > 500)
        leaving.process.terminate()
        leaving.wait_until(lambda: failures or leaving.get("/v2/health/ready").status_code == 503)
        moved.set()
        for one in clients:
            one.result()
    assert leaving.process.wait(30) == 0 and not failures


def test_sigterm_does_not_wait_for_a_model_that_is_being_loaded(start, models, tmp_path):
    shutil.copytree(models / "onnx_slow", tmp_path / "slow")
    hours = predict_request(rounds=np.int64(10**9))
    record(tmp_path / "slow/1/assets.extra/tf_serving_warmup_requests", hours)
    runtime = start("slow", base_path=tmp_path / "slow", wait=False)
    runtime.wait_until(lambda: "model version is being loaded" in runtime.log_path.read_text())
    assert runtime.terminate() == 0
    assert "still being loaded is given up" in runtime.log_path.read_text()


def test_too_large_a_body_is_refused(start):
    runtime = start("half_plus_two", "--max-request-bytes=1000")
    assert runtime.predict(" " * 2000).status_code == 413
    assert runtime.predict({"instances": [2]}).status_code == 200


def test_a_full_queue_answers_429(start):
    runtime = start("slow", "--concurrency=1", "--queue-limit=1", "--warm-up=false")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = [f.result().status_code for f in [pool.submit(runtime.predict, {"inputs": 500}) for _ in range(8)]]
    assert set(codes) == {200, 429}


def test_inspect_prints_signatures_as_text_and_json(models):
    text = run("inspect", models / "many/1").stdout
    assert "input  a: int64 (-1, 3)" in text and "output mean: float64" not in text and "output mean: double (-1)" in text
    report = json.loads(run("inspect", models / "many/1", "--json").stdout)
    (graph,) = report["graphs"]
    assert graph["tags"] == ["serve"]
    assert [i["name"] for i in graph["signatures"]["serving_default"]["inputs"]] == ["a", "flip"]
    missing = run("inspect", models / "nowhere")
    assert missing.returncode == 1 and "is not a folder" in missing.stderr


def test_the_command_line_refuses_what_it_does_not_know():
    assert run("serve", "--no-such-flag").returncode != 0
    assert run("serve", "--model-base-path=/x", "--version-label=stable").returncode == 1
    assert "--model-base-path" in run("serve", "--help").stdout
