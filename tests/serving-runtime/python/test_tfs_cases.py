"""Each case of tfs_cases.py: our answers are TensorFlow Serving's."""

import json

import pytest
import tfs_cases


@pytest.mark.parametrize("case", tfs_cases.REST_CASES, ids=lambda case: case.name)
def test_rest(running, case):
    answer = tfs_cases.ask_rest(running("half_plus_two"), case)
    assert answer.status_code == case.code
    if case.code == 200:
        assert answer.text == case.says
    else:
        assert case.says in json.loads(answer.text)["error"]
        assert "x-tidegate-error" not in answer.headers
    if case.path.startswith(f"{tfs_cases.HPT}:"):
        assert answer.headers["x-tidegate-model-version"] == "123"


@pytest.mark.parametrize("case", tfs_cases.GRPC_CASES, ids=lambda case: case.name)
def test_grpc(running, case):
    code, said, trailers = tfs_cases.ask_grpc(running("half_plus_two"), case)
    assert code == case.code
    if code == "OK":
        assert said == case.says
    else:
        assert case.says in said
        assert "x-tidegate-error" not in trailers
