"""Recorded predictions: in files, over HTTP, replayed against other versions; and the trace that they belong to."""

import http.server
import json
import queue
import threading

import grpc
import numpy as np
import pytest
from conftest import run
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tfs_clients import predict_request

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def sink():
    """An HTTP server that keeps what is posted to it: (content type, decoded body)."""
    posts, answers = queue.Queue(), queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            posts.put((self.headers["content-type"], json.loads(body)))
            self.send_response(200 if answers.empty() else answers.get())
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url, server.posts, server.answers = f"http://127.0.0.1:{server.server_port}/events", posts, answers
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def metric(runtime, name):
    return next(float(line.split()[-1]) for line in runtime.get("/metrics").text.splitlines() if line.startswith(name))


def test_predictions_of_every_api_are_written_a_line_each(start, tmp_path):
    log = tmp_path / "log.jsonl"
    runtime = start("half_plus_two", f"--request-log={log}", "--request-log-sample=1")
    runtime.post("/v1/models/half_plus_two:predict", {"instances": [2.0, 4.0]}, headers={"x-request-id": "a", "traceparent": TRACE})
    runtime.predict({"instances": ["no number"]})
    runtime.post("/v2/models/half_plus_two/infer", {"id": "b", "inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [6]}]})
    request = predict_request("half_plus_two", x=np.array([8.0], np.float32))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(runtime.grpc))
    stub.Predict(request, metadata=[("x-request-id", "c")], timeout=30)
    runtime.classify({"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]})
    runtime.wait_until(lambda: len(lines_of(log)) == 5)
    first, bad, oip, tfs_grpc, classify = lines_of(log)
    assert first["inputs"] == {"x": [2.0, 4.0]} and first["outputs"] == {"y": [3.0, 4.0]}
    assert (first["model"], first["version"], first["code"], first["api"]) == ("half_plus_two", 123, "OK", "tfs_rest")
    assert (first["request_id"], first["traceparent"], first["signature_name"]) == ("a", TRACE, "serving_default")
    assert first["latency_us"] > 0 and first["queue_us"] >= 0 and first["time"].endswith("Z")
    assert bad["code"] == "INVALID_ARGUMENT" and "not of expected type" in bad["error"] and bad["payload"] == "none"
    assert oip["request_id"] == "b" and oip["api"] == "oip_rest" and oip["outputs"] == {"y": [5.0]}
    assert tfs_grpc["request_id"] == "c" and tfs_grpc["api"] == "tfs_grpc" and tfs_grpc["inputs"] == {"x": [8.0]}
    assert classify["signature_name"] == "classify_x_to_y" and "b64" in classify["inputs"]["inputs"][0]
    assert metric(runtime, "tidegate_runtime_request_log_records_total") == 5


def test_what_was_recorded_can_be_asked_of_another_version(start, models, tmp_path):
    log = tmp_path / "log.jsonl"
    runtime = start("half_plus_two", f"--request-log={log}", "--request-log-sample=1")
    for x in (2.0, 4.0):
        runtime.predict({"instances": [x, x + 10]})
    runtime.predict({"instances": [[2.0], "broken"]})
    runtime.classify({"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]})
    assert runtime.terminate() == 0
    assert len(lines_of(log)) == 4
    told = run("compare", models / "half_plus_two/123", models / "half_plus_three/124", f"--inputs={log}")
    assert told.returncode == 0 and "4 elements, 4 differ; |a - b| mean 1, max 1" in told.stdout, told.stdout + told.stderr
    told = run("compare", models / "half_plus_two/123", models / "half_plus_two/123", f"--inputs={log}", "--signature=classify_x_to_y")
    assert told.returncode == 0 and "scores" in told.stdout, told.stdout + told.stderr
    told = run("bench", models / "half_plus_three/124", f"--inputs={log}", "--seconds=0.1", "--json")
    assert json.loads(told.stdout)["failed"] == 0
    none = run("compare", models / "half_plus_two/123", models / "half_plus_two/123", f"--inputs={log}", "--signature=regress_x_to_y")
    assert none.returncode == 2 and "holds no request for signature regress_x_to_y" in none.stderr


def test_files_are_bounded(start, tmp_path):
    log = tmp_path / "log.jsonl"
    runtime = start("half_plus_two", f"--request-log={log}", "--request-log-sample=1", "--request-log-file-bytes=2000",
                    "--request-log-files=3")
    for _ in range(100):
        runtime.predict({"instances": [1.0]})
    assert runtime.terminate() == 0
    files = sorted(tmp_path.glob("log.jsonl*"))
    assert [file.name for file in files] == ["log.jsonl", "log.jsonl.1", "log.jsonl.2"]
    assert all(0 < file.stat().st_size <= 2000 and lines_of(file) for file in files)


def test_payloads_can_be_left_out_and_are_when_large(start, tmp_path):
    log = tmp_path / "log.jsonl"
    runtime = start("half_plus_two", f"--request-log={log}", "--request-log-sample=1", "--request-log-payload-bytes=100")
    runtime.predict({"instances": [1.0] * 12})
    runtime.predict({"instances": [1.0] * 13})
    runtime.wait_until(lambda: len(lines_of(log)) == 2)
    small, large = lines_of(log)
    assert "inputs" in small and large["payload"] == "too_large" and large["code"] == "OK"
    log = tmp_path / "none.jsonl"
    runtime = start("half_plus_two", f"--request-log={log}", "--request-log-sample=1", "--request-log-payloads=false")
    runtime.predict({"instances": [1.0]})
    runtime.wait_until(lambda: len(lines_of(log)) == 1)
    assert lines_of(log)[0]["payload"] == "none"


def test_records_travel_as_batches_of_cloud_events(start, sink):
    runtime = start("half_plus_two", f"--request-log={sink.url}", "--request-log-sample=1", "--request-log-batch=2")
    sink.answers.put(503)
    for x in (2.0, 4.0, 6.0, float("inf")):
        body = json.dumps({"instances": [x]})
        assert runtime.post("/v1/models/half_plus_two:predict", body, headers={"traceparent": TRACE}).status_code == 200
    refused, again, second = (sink.posts.get(timeout=30) for _ in range(3))
    assert refused == again and again[0] == "application/cloudevents-batch+json"
    events = again[1] + second[1]
    assert [event["data"]["outputs"]["y"] for event in events] == [[3.0], [4.0], [5.0], ["Infinity"]]
    assert len({(event["source"], event["id"]) for event in events}) == 4
    assert all(event["source"].endswith("/models/half_plus_two/versions/123") for event in events)
    assert events[0]["specversion"] == "1.0" and events[0]["type"] == "dev.tidegate.prediction"
    assert events[0]["traceparent"] == TRACE and events[0]["time"] == events[0]["data"]["time"]
    runtime.wait_until(lambda: metric(runtime, "tidegate_runtime_request_log_records_total") == 4)


def test_events_can_travel_alone(start, sink):
    runtime = start("half_plus_two", f"--request-log={sink.url}", "--request-log-sample=1", "--request-log-batch=1")
    runtime.predict({"instances": [2.0]})
    kind, event = sink.posts.get(timeout=30)
    assert kind == "application/cloudevents+json" and event["data"]["inputs"] == {"x": [2.0]}


def test_what_a_target_refuses_is_counted_and_no_request_suffers(start, sink):
    runtime = start("half_plus_two", f"--request-log={sink.url}", "--request-log-sample=1", "--request-log-batch=1")
    sink.answers.put(400)
    assert runtime.predict({"instances": [2.0]}).status_code == 200
    runtime.wait_until(lambda: metric(runtime, 'tidegate_runtime_request_log_dropped_total{reason="target_failed"}') == 1)
    runtime.predict({"instances": [4.0]})
    runtime.wait_until(lambda: metric(runtime, "tidegate_runtime_request_log_records_total") == 1)
    assert "records of requests are lost" in runtime.log_path.read_text()


def test_a_dead_target_costs_no_answer_and_does_not_hold_up_the_end(start):
    runtime = start("half_plus_two", "--request-log=http://127.0.0.1:1/", "--request-log-sample=1",
                    "--request-log-queue-bytes=2000")
    for _ in range(20):
        assert runtime.predict({"instances": [2.0]}).status_code == 200
    assert metric(runtime, 'tidegate_runtime_request_log_dropped_total{reason="queue_full"}') > 10
    assert runtime.terminate() == 0


def test_a_model_can_have_a_share_of_its_own(start, models, tmp_path):
    log, config = tmp_path / "log.jsonl", tmp_path / "models.config"
    entry = 'config {{ name: "{}" base_path: "{}" {} }}'
    config.write_text("model_config_list {" + entry.format("all", models / "half_plus_two", "logging_config { sampling_config { sampling_rate: 1 } }") +
                      entry.format("none", models / "half_plus_two", "") + "}")
    runtime = start(None, f"--model_config_file={config}", f"--request-log={log}", "--request-log-sample=0")
    for model in ("none", "all", "none"):
        runtime.predict({"instances": [2.0]}, model)
    runtime.wait_until(lambda: lines_of(log))
    assert runtime.terminate() == 0
    assert [line["model"] for line in lines_of(log)] == ["all"]


@pytest.mark.parametrize("flags,part", [
    (["--request-log=/nowhere/log"], "/nowhere/log"),
    (["--request-log=ftp://host/"], "neither a path nor"),
])
def test_a_log_that_cannot_be_written_ends_the_start(start, flags, part):
    runtime = start("half_plus_two", *flags, wait=False)
    assert runtime.process.wait(60) == 1 and part in runtime.log_path.read_text()


def test_answers_carry_the_place_in_the_trace(running):
    runtime = running("half_plus_two")
    answer = runtime.post("/v1/models/half_plus_two:predict", {"instances": [1.0]}, headers={"traceparent": TRACE})
    assert answer.headers["traceparent"] == TRACE
    error = runtime.post("/v1/models/none:predict", {"instances": [1.0]}, headers={"traceparent": TRACE})
    assert error.status_code == 404 and error.headers["traceparent"] == TRACE
    broken = runtime.post("/v1/models/half_plus_two:predict", {"instances": [1.0]}, headers={"traceparent": TRACE.upper()})
    assert "traceparent" not in broken.headers and broken.status_code == 200
    request = predict_request("half_plus_two", x=np.array([8.0], np.float32))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(runtime.grpc))
    _, call = stub.Predict.with_call(request, metadata=[("traceparent", TRACE)], timeout=30)
    assert dict(call.initial_metadata())["traceparent"] == TRACE
