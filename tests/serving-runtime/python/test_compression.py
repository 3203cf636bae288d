"""Compressed bodies of REST requests and answers."""

import gzip
import json
import zlib

import numpy as np
import pytest
import tritonclient.http as triton_http
from triton_clients import tensor

QUESTION = json.dumps({"instances": [2.0, 4.0]}).encode()
ANSWER = {"predictions": [3.0, 4.0]}


def post(runtime, body, encoding, **headers):
    return runtime.post("/v1/models/half_plus_two:predict", body, headers={"content-encoding": encoding, **headers})


@pytest.mark.parametrize("encoding,compress", [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)])
def test_requests_may_be_compressed(running, encoding, compress):
    answer = post(running("half_plus_two"), compress(QUESTION), encoding)
    assert answer.status_code == 200 and answer.json() == ANSWER
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("body,encoding,status,part", [
    (QUESTION, "gzip", 400, "no gzip stream"),
    (gzip.compress(QUESTION)[:-3], "gzip", 400, "cut short"),
    (b"", "gzip", 400, "cut short"),
    (gzip.compress(QUESTION) + b"x", "gzip", 400, "no gzip stream"),
    (gzip.compress(b""), "gzip", 400, "The document is empty"),
    (QUESTION, "br", 415, "Content-Encoding 'br' is not supported"),
])
def test_streams_that_cannot_be_read_are_refused(running, body, encoding, status, part):
    answer = post(running("half_plus_two"), body, encoding)
    assert answer.status_code == status and part in answer.json()["error"]
    assert post(running("half_plus_two"), gzip.compress(QUESTION), "gzip").json() == ANSWER


def test_a_bomb_is_refused_at_the_limit_of_bodies(start):
    runtime = start("half_plus_two", "--max-request-bytes=1000000")
    bomb = gzip.compress(b" " * 100_000_000)
    assert len(bomb) < 1_000_000
    answer = post(runtime, bomb, "gzip")
    assert answer.status_code == 413 and "more than 1000000 bytes" in answer.json()["error"]
    assert post(runtime, gzip.compress(QUESTION), "gzip").json() == ANSWER


def test_answers_are_compressed_when_that_is_wanted_and_worth_it(start):
    runtime = start("half_plus_two", "--compress-responses-from=1kB")
    many = json.dumps({"instances": [2.0] * 1000})
    small = post(runtime, QUESTION, "identity")
    assert "content-encoding" not in small.headers and small.json() == ANSWER
    for accepted, used in (("gzip", "gzip"), ("deflate", "deflate"), ("br, *", "gzip"), ("identity", None), ("gzip;q=0", None)):
        answer = post(runtime, many, "identity", **{"accept-encoding": accepted})
        assert answer.headers.get("content-encoding") == used
        assert answer.json() == {"predictions": [3.0] * 1000}
        assert used is None or int(answer.headers["content-length"]) < 500


def test_tritonclient_compresses_both_ways(start):
    runtime = start("half_plus_two", "--compress-responses-from=1")
    client = triton_http.InferenceServerClient(runtime.rest)
    for algorithm in ("gzip", "deflate"):
        result = client.infer("half_plus_two", [tensor(triton_http, "x", np.array([2.0, 4.0], np.float32), "FP32")],
                              request_compression_algorithm=algorithm, response_compression_algorithm=algorithm)
        assert result.as_numpy("y").tolist() == [3.0, 4.0]
        assert result.get_response()["model_name"] == "half_plus_two"
