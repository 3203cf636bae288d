"""Metrics under TensorFlow Serving's names, on its page."""

import pathlib
import re

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tfs_clients import predict_request

PAGE = "/monitoring/prometheus/metrics"


def start_monitored(start, tmp_path, config, *flags):
    path = tmp_path / "monitoring.config"
    path.write_text(config)
    return start("half_plus_two", f"--monitoring_config_file={path}", *flags)


def test_the_page_of_tensorflow_serving_has_its_metrics(start, tmp_path, models):
    runtime = start_monitored(start, tmp_path, "prometheus_config { enable: true }")
    runtime.predict({"instances": [1.0]})
    runtime.predict({"instances": ["x"]})
    runtime.classify({"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]})
    request = predict_request("half_plus_two", x=np.array([8.0], np.float32))
    prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(runtime.grpc)).Predict(request, timeout=30)
    page = runtime.get(PAGE)
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/plain")
    lines = page.text.splitlines()
    path = models / "half_plus_two/123"
    for line in (
        ':tensorflow:serving:request_count{model_name="half_plus_two",status="OK"} 3',
        ':tensorflow:serving:request_count{model_name="half_plus_two",status="INVALID_ARGUMENT"} 1',
        ':tensorflow:serving:request_latency_count{model_name="half_plus_two",API="predict",entrypoint="REST"} 1',
        ':tensorflow:serving:request_latency_count{model_name="half_plus_two",API="classify",entrypoint="REST"} 1',
        ':tensorflow:serving:request_latency_count{model_name="half_plus_two",API="Predict",entrypoint="GRPC"} 1',
        ':tensorflow:serving:runtime_latency_count{model_name="half_plus_two",API="Predict",runtime="TF1"} 2',
        f':tensorflow:serving:model_warmup_latency_count{{model_path="{path}",status="OK"}} 1',
        f':tensorflow:cc:saved_model:load_attempt_count{{model_path="{path}",status="success"}} 1',
    ):
        assert line in lines
    assert any(line.startswith("tidegate_runtime_requests_total{") for line in lines)
    assert ":tensorflow:serving" not in runtime.get("/metrics").text


def test_each_metric_is_in_the_documentation(start, tmp_path, models):
    runtime = start("half_plus_two", "--enable-batching", "--response-cache-bytes=1MB", "--max-resident=1GB",
                    f"--request-log={tmp_path}/log")
    runtime.predict({"instances": [1.0]})
    text = (pathlib.Path(__file__).parents[3] / "docs/runtime.md").read_text()
    section = text[text.index("### Metrics"):text.index("### TensorFlow Serving's metrics")]
    table = {name for row in section.splitlines() for name in names_in(row)}
    told = {line.split()[2] for line in runtime.get("/metrics").text.splitlines() if line.startswith("# TYPE ")}
    assert told and told <= table, told - table


def names_in(row):
    """The metrics of a row of that table: `a_b_total`, `…_c` is a_b_total and a_c, whatever the stem is."""
    names = re.findall(r"`(tidegate_runtime_\w+)`", row)
    for ending in re.findall(r"`…(_\w+)`", row):
        stem = names[0]
        names += [stem[:at] + ending for at in range(len(stem)) if stem[at] == "_"]
    return names


def test_batches_are_among_them(start, tmp_path):
    runtime = start_monitored(start, tmp_path, "prometheus_config { enable: true }", "--enable_batching")
    names = (":tensorflow:serving:batching_session:wrapped_run_count{}",
             ':tensorflow:serving:batching_session:queuing_latency_count{thread_pool_name=""}')

    def counts():
        lines = dict(line.rsplit(" ", 1) for line in runtime.get(PAGE).text.splitlines())
        return [int(lines[name]) for name in names]

    warm_up = counts()  # goes through batches, too
    for _ in range(2):
        runtime.predict({"instances": [1.0, 2.0]})
    assert counts() == [count + 2 for count in warm_up]


def test_the_page_is_where_the_config_says_or_nowhere(start, tmp_path):
    runtime = start_monitored(start, tmp_path, 'prometheus_config { enable: true path: "/here" }')
    assert runtime.get("/here").status_code == 200 and runtime.get(PAGE).status_code == 404
    runtime = start_monitored(start, tmp_path, 'prometheus_config { path: "/here" }')
    assert runtime.get("/here").status_code == 404 and runtime.get(PAGE).status_code == 404


@pytest.mark.parametrize("config,part", [
    ('prometheus_config { enable: true path: "here" }', "does not begin with /"),
    ('prometheus_config { enable: true path: "/v2" }', "is a path that the server needs itself"),
    ("prometheus { }", "monitoring.config: line 1"),
])
def test_a_config_that_cannot_be_ends_the_start(start, tmp_path, config, part):
    path = tmp_path / "monitoring.config"
    path.write_text(config)
    runtime = start("half_plus_two", f"--monitoring_config_file={path}", wait=False)
    assert runtime.process.wait(60) == 1 and part in runtime.log_path.read_text()
