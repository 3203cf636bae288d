"""The command line: what is refused, in which words and with which exit code, and what the process does about it."""

import json
import signal
import socket

import grpc
import numpy as np
import pytest
from conftest import run
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tfs_clients import predict_request


@pytest.mark.parametrize("arguments,part", [
    ([], "subcommand"),
    (["frobnicate"], "frobnicate is none of the commands serve, inspect, validate, compare, bench, fetch"),
    (["serve", "--poll-seconds=-1"], "serve: --poll-seconds: -1 is not a number from 0 on"),
    (["serve", "--drain-seconds=nan"], "--drain-seconds: nan is not a number from 0 on"),
    (["serve", "--security-poll-seconds=0"], "--security-poll-seconds: 0 is not a number above 0"),
    (["serve", "--request-log=x", "--request-log-sample=nan"], "--request-log-sample: nan is not a number from 0 to 1"),
    (["serve", "--max-resident=-1"], "--max-resident: -1 is not a size from 0 bytes on"),
    (["serve", "--max-request-bytes=0MB"], "--max-request-bytes: 0MB is not a size from 1 bytes on"),
    (["serve", "--port=70000"], "70000 not in range 0 to 65535"),
    (["bench", "/x", "--rows=1", "--rows=2"], "bench: --rows is given more than once"),
    (["serve", "--concurrency=100000"], "100000 not in range"),
    (["serve", "--intra-op-threads=-5"], "-5 not in range"),
    (["serve", "--model-config-file=x", "--latest-versions=2"], "--model-config-file excludes --latest-versions"),
    (["serve", "--model-config-file=x", "--version-label=a=2"], "--model-config-file excludes --version-label"),
    (["serve", "--request-log-sample=1"], "--request-log-sample requires --request-log"),
    (["bench", "/x", "--seconds=nan"], "bench: --seconds: nan is not a number above 0"),
    (["bench", "/x", "--inputs=y", "--rows=2"], "--inputs excludes --rows"),
    (["compare", "/x"], "compare: after is required"),
    (["compare", "/x", "/y", "--min-agreement=2"], "--min-agreement: 2 is not a number from 0 to 1"),
    (["fetch", "--uri=s3://bucket/1", "--dest=/x", "--deadline=0"], "fetch: --deadline: 0 is not a number above 0"),
])
def test_a_mistake_is_told_with_the_command_and_the_flag(arguments, part):
    told = run(*arguments)
    assert told.returncode == 2 and told.stderr.startswith("tidegate-runtime"), told.stderr
    assert part in told.stderr and "--help" in told.stderr


def test_the_version_is_told():
    told = run("--version")
    assert told.returncode == 0 and told.stdout.strip()


def serve_in_vain(models, tmp_path, *flags):
    """The log and the termination message of a server that does not start."""
    told = tmp_path / "termination-log"
    told.touch()
    defaults = {"--port": "0", "--rest_api_port": "0", "--bind-address": "127.0.0.1",
                "--model_base_path": str(models / "onnx_half_plus_two")}
    given = {flag.split("=")[0] for flag in flags}
    ended = run("serve", f"--termination-log={told}", *flags, *(f"{k}={v}" for k, v in defaults.items() if k not in given))
    assert ended.returncode == 1, ended.stderr
    return ended.stderr, json.loads(told.read_text())["message"]


@pytest.mark.parametrize("flags,part", [
    (["--log-level=loud"], "log level 'loud'"),
    (["--drain-seconds=30"], "--drain-seconds=30 is more than --grace-seconds=25"),
    (["--version-label=old=-1"], "version_labels[old] is no version: -1"),
    (["--version-label=a=1", "--version-label=a=2"], "--version-label=a=2: that label is there twice"),
    (["--bind-address=localhost"], "'localhost' is no IPv4 or IPv6 address, such as 0.0.0.0 or ::1"),
    (["--bind-address=[::1]"], "'[::1]' is no IPv4 or IPv6 address"),
    (["--model_config_file={folder}"], "cannot read {folder}: Is a directory"),
    (["--enable-batching", "--batching-parameters-file={folder}"], "cannot read {folder}: Is a directory"),
    (["--token-file={folder}"], "--token-file: cannot read {folder}: Is a directory"),
    (["--tls-cert-file={folder}", "--tls-key-file={folder}"], "--tls-cert-file: cannot read {folder}: Is a directory"),
    (["--request-log={folder}"], "--request-log: cannot open {folder}: Is a directory"),
    (["--request-log=http://"], "--request-log: 'http://' is no URL"),
    (["--request-log=http://host:99999/"], "--request-log: 'http://host:99999/' is no URL"),
    (["--request-log=http://host/", "--request-log-files=2"], "--request-log-files is for a file"),
    (["--request-log={folder}/log", "--request-log-batch=2"], "--request-log-batch is for a URL"),
    (["--port-file=/dev/null"], "Cannot write --port-file /dev/null: it is no regular file"),
    (["--port-file={folder}/none/ports"], "Cannot write --port-file {folder}/none/ports: No such file or directory"),
])
def test_what_cannot_be_is_logged_and_left_as_termination_message(models, tmp_path, flags, part):
    log, message = serve_in_vain(models, tmp_path, *(flag.format(folder=tmp_path) for flag in flags))
    part = part.format(folder=tmp_path)
    assert part in log and part in message


@pytest.mark.parametrize("flag", ["--port", "--rest_api_port"])
def test_a_port_that_is_taken_is_named_with_the_reason_and_nothing_else(models, tmp_path, flag):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        log, message = serve_in_vain(models, tmp_path, f"{flag}={port}")
    assert message == f"Cannot listen on 127.0.0.1:{port}: Address already in use"
    assert [line.split()[1] for line in log.splitlines()].count("error") == 1 and "chttp2" not in log


def test_a_token_that_no_header_can_carry_is_told_by_its_line_and_not_by_itself(models, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("fine\n\nopen sesame\n")
    log, message = serve_in_vain(models, tmp_path, f"--token-file={tokens}")
    assert f"--token-file {tokens}, line 3: a token has visible ASCII characters only" in message
    assert "sesame" not in log


def test_an_ssl_config_without_a_certificate_says_so(models, tmp_path):
    config = tmp_path / "ssl.config"
    config.write_text('custom_ca: "x"')
    _, message = serve_in_vain(models, tmp_path, f"--ssl_config_file={config}")
    assert message == f"--ssl-config-file {config}: it needs server_cert and server_key"


def predicted_over_grpc(runtime):
    request = predict_request("onnx_half_plus_two", x=np.array([2.0], np.float32))
    with grpc.insecure_channel(runtime.grpc) as channel:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=30)
    return list(answer.outputs["y"].float_val)


def test_both_ports_listen_on_an_ipv6_address(start):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6")
    runtime = start("onnx_half_plus_two", address="::1")
    assert runtime.rest.startswith("[::1]:")
    assert predicted_over_grpc(runtime) == [3.0]


def test_grpc_takes_requests_where_the_limit_is_beyond_its_own(start):
    runtime = start("onnx_half_plus_two", "--max-request-bytes=8GB")
    assert predicted_over_grpc(runtime) == [3.0]


def test_who_interrupts_twice_does_not_wait_for_the_drain(start):
    runtime = start("onnx_half_plus_two", "--drain-seconds=600", "--grace-seconds=600")
    runtime.process.send_signal(signal.SIGINT)
    runtime.wait_until(lambda: runtime.get("/v2/health/ready").status_code == 503)
    runtime.process.send_signal(signal.SIGTERM)  # what a supervisor repeats changes nothing
    assert runtime.predict({"instances": [2.0]}).status_code == 200
    runtime.process.send_signal(signal.SIGINT)
    assert runtime.process.wait(30) == 1
    assert "interrupted while draining" in runtime.log_path.read_text()


def test_a_request_log_may_be_a_device_which_keeps_its_name(start):
    runtime = start("onnx_half_plus_two", "--request-log=/dev/null", "--request-log-sample=1", "--request-log-file-bytes=1")
    for _ in range(3):
        runtime.predict({"instances": [2.0]})
    runtime.wait_until(lambda: "tidegate_runtime_request_log_records_total 3" in runtime.get("/metrics").text)
    assert runtime.terminate() == 0
