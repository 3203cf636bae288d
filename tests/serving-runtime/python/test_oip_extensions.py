"""All types, Triton's extensions (configuration, statistics, repository, streams) and what is refused of them, asked by
tritonclient and perf_analyzer."""

import os
import pathlib
import queue
import subprocess

import grpc
import ml_dtypes
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from triton_clients import as_dict, tensor, triton  # noqa: F401 (triton is a fixture)
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

CACHE = pathlib.Path(os.environ.get("TIDEGATE_CACHE") or pathlib.Path.home() / ".cache/tidegate")
PERF_ANALYZER = CACHE / "bin/perf_analyzer"

TYPES = {
    "bool": ("BOOL", np.array([True, False])),
    "int8": ("INT8", np.array([-128, 127], np.int8)),
    "int16": ("INT16", np.array([-32768, 32767], np.int16)),
    "int32": ("INT32", np.array([-2**31, 2**31 - 1], np.int32)),
    "int64": ("INT64", np.array([-2**63, 2**63 - 1], np.int64)),
    "uint8": ("UINT8", np.array([0, 255], np.uint8)),
    "uint16": ("UINT16", np.array([0, 65535], np.uint16)),
    "uint32": ("UINT32", np.array([0, 2**32 - 1], np.uint32)),
    "uint64": ("UINT64", np.array([0, 2**64 - 1], np.uint64)),
    "float16": ("FP16", np.array([1.5, -65504], np.float16)),
    "bfloat16": ("BF16", np.array([1.5, -3e38], ml_dtypes.bfloat16)),
    "float32": ("FP32", np.array([np.nan, 3.4e38], np.float32)),
    "float64": ("FP64", np.array([-np.inf, 1e300], np.float64)),
    "string": ("BYTES", np.array(["straße".encode(), b""], np.object_)),
}
JSON_TYPES = {name: one for name, one in TYPES.items() if name != "bfloat16"}  # the client sends that one binary only


def same(got, expected):
    if expected.dtype == np.object_:
        return [v.encode() if isinstance(v, str) else v for v in got.tolist()] == expected.tolist()
    return np.array_equal(got.astype(np.float64), expected.astype(np.float64), equal_nan=True)


def test_configured_models_are_unloaded_and_loaded_on_request(start, triton):
    _, connect = triton
    runtime = start("half_plus_two", "--allow-model-control")
    client = connect(runtime)
    client.unload_model("half_plus_two")
    assert not client.is_model_ready("half_plus_two")
    assert runtime.predict({"instances": [2.0]}).status_code == 404
    client.load_model("half_plus_two")
    assert client.is_model_ready("half_plus_two")
    assert runtime.predict({"instances": [2.0]}).json() == {"predictions": [3.0]}
    with pytest.raises(InferenceServerException, match="There is no model none"):
        client.load_model("none")


def test_every_type_goes_and_comes_back(running, triton):
    module, connect = triton
    inputs = [tensor(module, name, array, datatype) for name, (datatype, array) in TYPES.items()]
    answer = connect(running("types")).infer("types", inputs)
    for name, (datatype, array) in TYPES.items():
        assert same(answer.as_numpy(f"{name}_out"), array), name
        described = as_dict(answer.get_output(f"{name}_out"))
        assert described["datatype"] == datatype


def test_json_and_binary_tensors_mix_in_one_request_and_one_answer(running):
    inputs = [tensor(triton_http, name, array, datatype, binary_data=name not in JSON_TYPES or index % 2 == 0)
              for index, (name, (datatype, array)) in enumerate(TYPES.items())]
    outputs = [triton_http.InferRequestedOutput(f"{name}_out", binary_data=index % 3 == 0)
               for index, name in enumerate(reversed(TYPES))]
    answer = triton_http.InferenceServerClient(running("types").rest).infer("types", inputs, outputs=outputs)
    described = answer.get_response()["outputs"]
    assert [one["name"] for one in described] == [f"{name}_out" for name in reversed(TYPES)]
    assert {"data" in one for one in described} == {True, False}
    for name, (_, array) in TYPES.items():
        if name in JSON_TYPES:  # the client cannot read BF16 from JSON
            assert same(answer.as_numpy(f"{name}_out"), array), name


def test_half_precision_is_taken_and_given_as_json_numbers(running):
    """The protocol leaves it to the server, and Triton refuses it."""
    def data(name):
        return ["a", "b"] if name == "string" else [True, False] if name == "bool" else [1, 2]

    body = {"inputs": [{"name": name, "shape": [2], "datatype": datatype, "data": data(name)}
                       for name, (datatype, _) in TYPES.items()],
            "outputs": [{"name": "float16_out"}, {"name": "bfloat16_out"}]}
    answer = running("types").post("/v2/models/types/infer", body).json()
    assert [(one["datatype"], one["data"]) for one in answer["outputs"]] == [("FP16", [1.0, 2.0]), ("BF16", [1.0, 2.0])]


def test_bytes_that_are_no_text_are_refused_in_json_and_come_back_binary(running):
    client = triton_http.InferenceServerClient(running("strings").rest)
    text = tensor(triton_http, "text", np.array([b"\xff"], np.object_), "BYTES")
    with pytest.raises(InferenceServerException, match="no UTF-8.*binary_data"):
        client.infer("strings", [text], outputs=[triton_http.InferRequestedOutput("copy_bytes", binary_data=False)])
    answer = client.infer("strings", [text], outputs=[triton_http.InferRequestedOutput("copy_bytes")])
    assert answer.as_numpy("copy_bytes").tolist() == [b"\xff"]


def test_a_body_may_be_one_raw_tensor(running):
    raw = {"Inference-Header-Content-Length": "0"}
    answer = running("half_plus_two").post("/v2/models/half_plus_two/infer", np.array([2, 4], np.float32).tobytes(), headers=raw)
    result = triton_http.InferResult.from_response_body(answer.content, header_length=int(answer.headers["Inference-Header-Content-Length"]))
    assert result.as_numpy("y").tolist() == [3.0, 4.0]
    answer = running("strings").post("/v2/models/strings/infer", b"an image", headers=raw)
    assert answer.status_code == 200 and answer.content.endswith(b"\x08\0\0\0AN IMAGE")
    answer = running("many").post("/v2/models/many/infer", b"", headers=raw)
    assert answer.status_code == 400 and "it has 2 inputs" in answer.json()["error"]


def test_requests_of_kserves_and_mlservers_clients_are_understood(running):
    runtime = running("half_plus_two")
    question = service_pb2.ModelInferRequest(model_name="half_plus_two", raw_input_contents=[np.float32(2).tobytes()])
    question.inputs.add(name="x", datatype="FP32", shape=[1]).parameters["binary_data_size"].int64_param = 4
    with grpc.insecure_channel(runtime.grpc) as channel:
        answer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(question, timeout=30)
    assert answer.raw_output_contents == [np.float32(3).tobytes()]
    body = {"id": None, "parameters": {"content_type": "np"}, "outputs": None,
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [2], "parameters": {"content_type": "np"}}]}
    assert runtime.post("/v2/models/half_plus_two/infer", body).json()["outputs"][0]["data"] == [3.0]


def x(module, *values):
    return [tensor(module, "x", np.array(values, np.float32), "FP32")]


def test_the_extensions_that_are_offered_are_named(running, triton):
    _, connect = triton
    assert as_dict(connect(running("half_plus_two")).get_server_metadata())["extensions"] == [
        "binary_tensor_data", "classification", "model_configuration", "model_repository", "model_repository(unload_dependents)", "statistics"]


def test_the_configuration_describes_the_models_tensors(running, triton):
    _, connect = triton
    config = as_dict(connect(running("types")).get_model_config("types"))
    config = config.get("config", config)
    assert config["name"] == "types" and config["backend"] == "tensorflow"
    assert {one["name"]: one["data_type"] for one in config["input"]} == {
        name: "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}" for name, (datatype, _) in TYPES.items()}
    assert [int(size) for size in config["output"][0]["dims"]] == [-1]
    with pytest.raises(InferenceServerException, match="Servable not found"):
        connect(running("types")).get_model_config("types", "9")


def statistics(client, model):
    (stats,) = as_dict(client.get_inference_statistics(model))["model_stats"]
    return stats


def number(stats, *path):
    for name in path:
        stats = stats.get(name, {})
    return int(stats or 0)


def test_statistics_count_requests_of_every_api(start, triton):
    module, connect = triton
    runtime = start("half_plus_two")
    client = connect(runtime)
    assert number(statistics(client, "half_plus_two"), "inference_count") == 0, "warm-up is no request"
    for _ in range(3):
        client.infer("half_plus_two", x(module, 2))
    assert runtime.predict({"instances": [2]}).status_code == 200
    with pytest.raises(InferenceServerException):
        client.infer("half_plus_two", [])
    stats = statistics(client, "half_plus_two")
    assert stats["name"] == "half_plus_two" and stats["version"] == "123"
    assert number(stats, "inference_count") == number(stats, "execution_count") == 4
    times = stats["inference_stats"]
    parts = ["queue", "compute_input", "compute_infer", "compute_output"]
    assert [number(times, part, "count") for part in ["success", *parts]] == [4] * 5
    assert number(times, "fail", "count") == 1 and number(times, "fail", "ns") > 0
    assert number(times, "compute_infer", "ns") > 0
    assert sum(number(times, part, "ns") for part in parts) == number(times, "success", "ns")
    (batch,) = stats["batch_stats"]
    assert number(batch, "batch_size") == 1 and number(batch, "compute_infer", "count") == 4
    everything = as_dict(client.get_inference_statistics())["model_stats"]
    assert [one["name"] for one in everything] == ["half_plus_two"]


def test_statistics_tell_what_the_response_cache_answered(start, triton):
    module, connect = triton
    runtime = start("half_plus_two", "--response-cache-bytes=1MB", "--enable_model_warmup=false")
    client = connect(runtime)
    for value in (2, 2, 2, 4):
        client.infer("half_plus_two", x(module, value))
    stats = statistics(client, "half_plus_two")
    assert number(stats, "inference_count") == number(stats, "execution_count") == 2
    times = stats["inference_stats"]
    assert [number(times, part, "count") for part in ("success", "queue", "compute_infer", "cache_hit", "cache_miss")] == [4, 4, 2, 2, 2]
    parts = ("queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")
    assert sum(number(times, part, "ns") for part in parts) == number(times, "success", "ns")
    config = as_dict(client.get_model_config("half_plus_two"))
    assert config.get("config", config)["response_cache"] == {"enable": True}


def test_the_repository_index_lists_versions(running, triton):
    _, connect = triton
    client = connect(running("half_plus_two"))
    index = as_dict(client.get_model_repository_index())
    (model,) = index["models"] if isinstance(index, dict) else index
    assert (model["name"], model["version"], model["state"]) == ("half_plus_two", "123", "READY")


def test_loading_on_request_is_refused_unless_it_is_switched_on(running, triton):
    _, connect = triton
    client = connect(running("half_plus_two"))
    for change in (client.load_model, client.unload_model):
        with pytest.raises(InferenceServerException, match="explicit model load / unload is not allowed"):
            change("half_plus_two")
    assert client.is_model_ready("half_plus_two")


def test_what_is_not_offered_is_refused_by_name(running, triton):
    module, connect = triton
    client = connect(running("half_plus_two"))

    in_memory = module.InferRequestedOutput("y")
    in_memory.set_shared_memory("region", 4)
    for part, options in {
        "'temperature' is unknown": {"parameters": {"temperature": 1}},
        "'priority' is not offered": {"priority": 2},
        "'sequence_(id|start)' is not offered": {"sequence_id": 5, "sequence_start": True},
        "output 'y' parameter 'shared_memory_.*' is not offered": {"outputs": [in_memory]},
    }.items():
        with pytest.raises(InferenceServerException, match=part):
            client.infer("half_plus_two", x(module, 2), **options)
    elsewhere = module.InferInput("x", [1], "FP32")
    elsewhere.set_shared_memory("region", 4)
    with pytest.raises(InferenceServerException, match="input 'x' parameter 'shared_memory_.*' is not offered"):
        client.infer("half_plus_two", [elsewhere])
    assert client.infer("half_plus_two", x(module, 2), timeout=60_000_000).as_numpy("y").tolist() == [3.0]


def test_outputs_are_classified(running, triton):
    module, connect = triton
    client = connect(running("half_plus_two"))
    answer = client.infer("half_plus_two", x(module, 2, 6, 4), outputs=[module.InferRequestedOutput("y", class_count=2)])
    assert answer.as_numpy("y").tolist() == [b"5.0:1", b"4.0:2"]
    text = tensor(module, "text", np.array([b"a"], np.object_), "BYTES")
    with pytest.raises(InferenceServerException, match="cannot be classified"):
        connect(running("strings")).infer("strings", [text], outputs=[module.InferRequestedOutput("upper", class_count=1)])


def test_a_request_that_waits_longer_than_its_timeout_is_not_run(start, triton):
    module, connect = triton
    runtime = start("slow", "--concurrency=1", "--warm-up=false")

    def rounds(n):
        return [tensor(module, "rounds", np.array(n, np.int32), "INT32")]

    slow = triton_grpc.InferenceServerClient(runtime.grpc)
    answers = queue.SimpleQueue()
    slow.async_infer("slow", [tensor(triton_grpc, "rounds", np.array(3000, np.int32), "INT32")],
                     lambda result, error: answers.put(error))
    runtime.wait_until(lambda: "tidegate_runtime_requests_running 1" in runtime.get("/metrics").text)
    with pytest.raises(InferenceServerException, match="longer than its parameter timeout of 1 us"):
        connect(runtime).infer("slow", rounds(1), timeout=1)
    assert answers.get(timeout=60) is None


def test_requests_overlap(running, triton):
    module, connect = triton
    runtime = running("half_plus_two")
    if module is triton_http:
        client = triton_http.InferenceServerClient(runtime.rest, concurrency=4)
        pending = [client.async_infer("half_plus_two", x(module, i)) for i in range(20)]
        got = [one.get_result().as_numpy("y")[0] for one in pending]
    else:
        answers = queue.SimpleQueue()
        client = connect(runtime)
        for i in range(20):
            client.async_infer("half_plus_two", x(module, i), lambda result, error: answers.put((result, error)))
        got = sorted(answers.get(timeout=60)[0].as_numpy("y")[0] for _ in range(20))
    assert got == [i / 2 + 2 for i in range(20)]


def test_a_stream_answers_in_order_and_goes_on_after_an_error(running):
    answers = queue.SimpleQueue()
    with triton_grpc.InferenceServerClient(running("half_plus_two").grpc) as client:
        client.start_stream(lambda result, error: answers.put((result, error)))
        for i in range(50):
            client.async_stream_infer("half_plus_two" if i != 25 else "nope", x(triton_grpc, i), request_id=str(i))
        for i in range(50):
            result, error = answers.get(timeout=60)
            if i == 25:
                assert "Servable not found" in error.message()
            else:
                assert error is None and result.get_response().id == str(i)
                assert result.as_numpy("y").tolist() == [i / 2 + 2]


def test_an_open_stream_does_not_hold_up_the_end(start):
    runtime = start("half_plus_two")
    answers = queue.SimpleQueue()
    client = triton_grpc.InferenceServerClient(runtime.grpc)
    client.start_stream(lambda result, error: answers.put((result, error)))
    client.async_stream_infer("half_plus_two", x(triton_grpc, 2))
    assert answers.get(timeout=60)[1] is None
    assert runtime.terminate() == 0
    assert "UNAVAILABLE" in str(answers.get(timeout=60)[1].status())
    client.close()


@pytest.mark.parametrize("flags", [  # as JSON it sends one element, whatever the shape
    ["-i", "http", "--shape=x:4"], ["-i", "grpc", "--shape=x:4"], ["-i", "grpc", "--streaming", "--shape=x:4"],
    ["-i", "http", "--input-tensor-format=json", "--output-tensor-format=json", "--shape=x:1"]], ids=" ".join)
def test_perf_analyzer_drives_the_server_without_an_error(start, tmp_path, flags):
    runtime = start("half_plus_two")
    address = runtime.grpc if "grpc" in flags else runtime.rest
    command = [PERF_ANALYZER, "-m", "half_plus_two", "-u", address, *flags, "--async",
               "--concurrency-range", "4", "--measurement-mode", "count_windows", "--measurement-request-count", "100",
               "--stability-percentage", "999", "-f", tmp_path / "report.csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = (tmp_path / "report.csv").read_text().splitlines()
    figures = dict(zip(report[0].split(","), report[1].split(",")))
    assert float(figures["Inferences/Second"]) > 0
    assert int(figures["Server Compute Infer"]) > 0, "its own figures of the server come from the statistics"
    stats = statistics(triton_grpc.InferenceServerClient(runtime.grpc), "half_plus_two")["inference_stats"]
    assert number(stats, "success", "count") >= 300 and number(stats, "fail", "count") == 0
