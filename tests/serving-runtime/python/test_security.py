"""TLS, client certificates and tokens on both ports, and their replacement while the server runs."""

import socket
import ssl
import subprocess

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tfs_clients import predict_request
from tritonclient.grpc import service_pb2, service_pb2_grpc


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    def __init__(self, folder, name):
        folder.mkdir()
        self.folder, self.certificate, self.key = folder, folder / "ca.pem", folder / "ca.key"
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.certificate, "-days", 2,
                "-subj", f"/CN={name}")

    def issue(self, name, to=None):
        to = to or self.folder
        key, request, certificate = to / f"{name}.key", self.folder / f"{name}.csr", to / f"{name}.pem"
        extensions = self.folder / "extensions"
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", 2,
                "-extfile", extensions, "-out", certificate)
        return certificate, key


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority", "one")


def start_secured(start, *flags, **more):
    """Not waited for: its port is not plain."""
    runtime = start("half_plus_two", *flags, wait=False)
    runtime.wait_until(lambda: runtime.port_file.exists())
    return runtime


def rest(runtime, authority, **options):
    return requests.post(f"https://{runtime.rest}/v1/models/half_plus_two:predict", json={"instances": [2.0]}, timeout=30,
                         verify=str(authority.certificate), **options)


def over_grpc(runtime, credentials, metadata=()):
    request = predict_request("half_plus_two", x=np.array([2], np.float32))
    channel = grpc.secure_channel(runtime.grpc, credentials) if credentials else grpc.insecure_channel(runtime.grpc)
    with channel:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=30, metadata=metadata)
    return tf.make_ndarray(answer.outputs["y"]).tolist()


def trusting(authority, client=None):
    certificate, key = client or (None, None)
    return grpc.ssl_channel_credentials(authority.certificate.read_bytes(), key and key.read_bytes(),
                                        certificate and certificate.read_bytes())


def wait_until_ready(runtime, authority, **options):
    runtime.wait_until(lambda: requests.get(f"https://{runtime.rest}/v2/health/ready", timeout=30,
                                            verify=str(authority.certificate), **options).status_code == 200)


def test_both_ports_speak_tls(start, authority):
    certificate, key = authority.issue("server")
    runtime = start_secured(start, f"--tls-cert-file={certificate}", f"--tls-key-file={key}")
    wait_until_ready(runtime, authority)
    assert rest(runtime, authority).json() == {"predictions": [3.0]}
    assert over_grpc(runtime, trusting(authority)) == [3.0]
    with pytest.raises(requests.ConnectionError):
        runtime.predict({"instances": [2.0]})
    with pytest.raises(grpc.RpcError):
        over_grpc(runtime, None)


def test_clients_without_a_certificate_of_the_authority_are_turned_away(start, authority, tmp_path):
    certificate, key = authority.issue("server")
    client = authority.issue("client")
    stranger = Authority(tmp_path / "stranger", "two").issue("client")
    runtime = start_secured(start, f"--tls-cert-file={certificate}", f"--tls-key-file={key}",
                            f"--tls-client-ca-file={authority.certificate}")
    wait_until_ready(runtime, authority, cert=tuple(map(str, client)))
    assert rest(runtime, authority, cert=tuple(map(str, client))).json() == {"predictions": [3.0]}
    assert over_grpc(runtime, trusting(authority, client)) == [3.0]
    for wrong in ({}, {"cert": tuple(map(str, stranger))}):
        with pytest.raises(requests.ConnectionError):
            rest(runtime, authority, **wrong)
    for wrong in (trusting(authority), trusting(authority, stranger)):
        with pytest.raises(grpc.RpcError):
            over_grpc(runtime, wrong)


def test_a_client_that_resumes_its_session_is_let_in(start, authority):
    certificate, key = authority.issue("server")
    runtime = start_secured(start, f"--tls-cert-file={certificate}", f"--tls-key-file={key}",
                            f"--tls-client-ca-file={authority.certificate}")
    client = tuple(map(str, authority.issue("client")))
    wait_until_ready(runtime, authority, cert=client)
    context = ssl.create_default_context(cafile=authority.certificate)
    context.load_cert_chain(*client)

    def ready(session):
        """Asks on a connection of its own; the answer's first line, whether the session was resumed, and the next one."""
        with socket.create_connection(runtime.rest.split(":"), timeout=30) as plain:
            with context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as connection:
                connection.sendall(b"GET /v2/health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                return connection.recv(4096).split(b"\r\n")[0], connection.session_reused, connection.session

    line, reused, session = ready(None)
    assert line == b"HTTP/1.1 200 OK" and not reused
    assert ready(session)[:2] == (b"HTTP/1.1 200 OK", True)


def test_a_replaced_certificate_is_used_without_a_restart(start, authority, tmp_path):
    certificate, key = authority.issue("server", to=tmp_path)
    runtime = start_secured(start, f"--tls-cert-file={certificate}", f"--tls-key-file={key}", "--security-poll-seconds=0.1")
    wait_until_ready(runtime, authority)
    other = Authority(tmp_path / "other", "two")
    key.write_text("torn")
    runtime.wait_until(lambda: "are not taken over" in runtime.log_path.read_text())
    assert rest(runtime, authority).status_code == 200
    other.issue("server", to=tmp_path)
    wait_until_ready(runtime, other)
    assert rest(runtime, other).status_code == 200
    assert over_grpc(runtime, trusting(other)) == [3.0]


def test_tensorflow_servings_ssl_config_is_for_grpc(start, authority, tmp_path):
    certificate, key = authority.issue("server")
    quoted = [text.read_text().replace("\n", "\\n") for text in (key, certificate)]
    config = tmp_path / "ssl.config"
    config.write_text(f'server_key: "{quoted[0]}" server_cert: "{quoted[1]}" client_verify: false')
    runtime = start("half_plus_two", f"--ssl_config_file={config}")
    assert runtime.predict({"instances": [2.0]}).json() == {"predictions": [3.0]}
    assert over_grpc(runtime, trusting(authority)) == [3.0]


def test_a_faulty_ssl_config_is_told_by_its_place_and_not_by_what_may_be_secret(start, tmp_path):
    config = tmp_path / "ssl.config"
    config.write_text('server_cert: "c"\nserver_key: Sesame\n')
    runtime = start("half_plus_two", f"--ssl_config_file={config}", wait=False)
    assert runtime.process.wait(60) == 1
    log = runtime.log_path.read_text()
    assert f"{config}: line 2, column 13: " in log and "Sesame" not in log


def test_requests_need_a_token_and_probes_do_not(start, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("# two at once while they are being replaced\nfirst\nsecond\n")
    runtime = start("half_plus_two", f"--token-file={tokens}", "--security-poll-seconds=0.1")
    assert runtime.get("/metrics").status_code == 200
    refused = runtime.predict({"instances": [2.0]})
    assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
    assert refused.json() == {"error": "This server wants a token: Authorization: Bearer <token>"}
    ask = lambda token: runtime.post("/v1/models/half_plus_two:predict", {"instances": [2.0]},
                                     headers={"Authorization": f"Bearer {token}"})
    assert ask("third").status_code == 401 and ask("first").status_code == 200 and ask("second").status_code == 200
    with pytest.raises(grpc.RpcError) as caught:
        over_grpc(runtime, None)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert over_grpc(runtime, None, metadata=[("authorization", "Bearer first")]) == [3.0]
    with grpc.insecure_channel(runtime.grpc) as channel:
        assert service_pb2_grpc.GRPCInferenceServiceStub(channel).ServerReady(service_pb2.ServerReadyRequest(), timeout=10).ready
    tokens.write_text("second\n")
    runtime.wait_until(lambda: ask("first").status_code == 401)
    assert ask("second").status_code == 200


def test_an_expired_certificate_is_warned_of(start, tmp_path):
    certificate, key = tmp_path / "old.pem", tmp_path / "old.key"
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", tmp_path / "old.csr", "-subj", "/CN=old")
    openssl("x509", "-req", "-in", tmp_path / "old.csr", "-signkey", key, "-days", -1, "-out", certificate)
    runtime = start_secured(start, f"--tls-cert-file={certificate}", f"--tls-key-file={key}")
    runtime.wait_until(lambda: "the certificate has expired at=" in runtime.log_path.read_text())


def test_a_key_that_wants_a_passphrase_is_refused_with_that_reason(start, authority, tmp_path):
    certificate, key = authority.issue("server")
    openssl("rsa", "-aes128", "-passout", "pass:secret", "-in", key, "-out", tmp_path / "sealed.key")
    runtime = start("half_plus_two", f"--tls-cert-file={certificate}", f"--tls-key-file={tmp_path / 'sealed.key'}", wait=False)
    assert runtime.process.wait(60) == 1
    assert f"--tls-key-file {tmp_path / 'sealed.key'}: the key is encrypted" in runtime.log_path.read_text()


@pytest.mark.parametrize("flags,part", [
    (["--tls-cert-file={certificate}"], "need each other"),
    (["--tls-cert-file={certificate}", "--tls-key-file={other}"], "server.pem"),
    (["--tls-client-ca-file={certificate}"], "needs --tls-cert-file"),
    (["--token-file=/nowhere"], "cannot read /nowhere: No such file"),
])
def test_what_cannot_be_ends_the_start(start, authority, flags, part):
    certificate, _ = authority.issue("server")
    _, other = authority.issue("other")
    runtime = start("half_plus_two", *(flag.format(certificate=certificate, other=other) for flag in flags), wait=False)
    assert runtime.process.wait(60) == 1 and part in runtime.log_path.read_text()
