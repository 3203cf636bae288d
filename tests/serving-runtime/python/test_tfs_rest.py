"""TensorFlow Serving's REST API: what tfs_cases.py does not ask, and what a model's own failure looks like."""

import base64
import re

import pytest


@pytest.fixture
def hpt(running):
    return running("half_plus_two")


def test_a_version_is_served_by_number_and_by_label(start):
    runtime = start("half_plus_two", "--version-label=stable=123")
    for where in ("versions/123", "labels/stable"):
        answer = runtime.post(f"/v1/models/half_plus_two/{where}:predict", {"instances": [2]})
        assert answer.json() == {"predictions": [3.0]}


def test_status_and_metadata_tell_the_model(hpt):
    (status,) = hpt.get("/v1/models/half_plus_two").json()["model_version_status"]
    assert status == {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    metadata = hpt.get("/v1/models/half_plus_two/metadata").json()
    assert metadata["model_spec"] == {"name": "half_plus_two", "signature_name": "", "version": "123"}
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert signature["inputs"]["x"]["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]


def test_an_error_inside_the_graph_is_marked_as_the_models_own(running):
    picky = running("picky")
    assert picky.predict({"instances": [[1, 2]]}).json() == {"predictions": [3.0]}
    failed = picky.predict({"instances": [[1, -2]]})
    assert failed.status_code == 400 and "no negative numbers" in failed.json()["error"]
    assert failed.headers["x-tidegate-error"] == "model"
    assert failed.headers["x-tidegate-model-version"] == "1"


def test_an_input_of_the_wrong_shape_is_the_clients_error_though_the_graph_finds_it(running):
    failed = running("picky").predict({"instances": [[1, 2, 3]]})
    assert failed.status_code == 400 and "x-tidegate-error" not in failed.headers


def test_several_inputs_and_outputs_of_several_types(running):
    many = running("many")
    row = {"a": [1, 2, 3], "flip": True}
    assert many.predict({"instances": [row]}).json() == {
        "predictions": [{"half": [1.0, 2.0, 3.0], "mean": 2.0, "signed": [-1, -2, -3]}]}
    columns = many.predict({"inputs": {"flip": [False], "a": [[4, 5, 6]]}}).json()["outputs"]
    assert columns == {"half": [[4.0, 5.0, 6.0]], "mean": [5.0], "signed": [[4, 5, 6]]}
    answer = many.predict({"instances": [{"a": [1, 2, 3]}]})
    assert answer.status_code == 400 and "keys must be equal to: a,flip" in answer.json()["error"]
    answer = many.predict({"instances": [[1, 2, 3]]})
    assert "instances is a plain list, but expecting list of objects" in answer.json()["error"]


def test_bytes_as_a_row_of_several_inputs_are_one_input_too_few(running):
    answer = running("ragged").predict({"instances": [{"b64": "aGk="}]})
    assert answer.status_code == 400 and "x-tidegate-error" not in answer.headers
    assert answer.json()["error"] == ("input size does not match signature: 1!=2 len({text}) != len({text,x}). Sent extra: {}. "
                                      "Missing but required: {x}.")


def test_strings_go_as_text_and_as_base64(running):
    strings = running("strings")
    raw = b"\x00\xff binary"
    body = {"instances": ["häuser", {"b64": base64.b64encode(raw).decode()}]}
    answer = strings.predict(body)
    copies = [base64.b64decode(text) for text in re.findall(rb'"copy_bytes":\{"b64":"([^"]*)"', answer.content)]
    assert copies == ["häuser".encode(), raw]
    assert strings.predict({"inputs": ["abc"]}).json() == {"outputs": {"copy_bytes": [{"b64": "YWJj"}], "upper": ["ABC"]}}


def test_metrics_count_by_model_version_and_code(start):
    runtime = start("picky")
    runtime.predict({"instances": [[1, 2]]})
    runtime.predict({"instances": [[-1, 2]]})
    runtime.predict("{")
    text = runtime.get("/metrics").text
    assert 'tidegate_runtime_requests_total{api="tfs_rest",code="OK",model="picky",version="1"} 1' in text
    assert 'tidegate_runtime_requests_total{api="tfs_rest",code="INVALID_ARGUMENT",model="picky",version="1"} 2' in text
    assert 'tidegate_runtime_model_errors_total{model="picky",version="1"} 1' in text
    assert 'tidegate_runtime_request_duration_seconds_count{model="picky",version="1"} 3' in text
    assert 'tidegate_runtime_model_version_state{model="picky",version="1"} 30' in text
