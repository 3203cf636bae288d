"""Several models, version policies and labels: a config file, and HandleReloadConfigRequest from TensorFlow Serving's client."""

import json
import shutil

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc


@pytest.fixture
def shop(models, tmp_path):
    """Two models, one in two versions: a/1, a/2, b/1."""
    for version in ("a/1", "a/2", "b/1"):
        shutil.copytree(models / "half_plus_two/123", tmp_path / "shop" / version)
    return tmp_path / "shop"


def config_text(shop, *models):
    return "model_config_list {" + "".join(
        f'config {{ name: "{name}" base_path: "{shop / name}" model_platform: "tensorflow" {more} }}' for name, more in models) + "}"


def write_config(path, text):
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").rename(path)
    return path


def reload(runtime, text):
    request = model_management_pb2.ReloadConfigRequest()
    text_format.Parse(text, request.config)
    stub = model_service_pb2_grpc.ModelServiceStub(grpc.insecure_channel(runtime.grpc))
    return stub.HandleReloadConfigRequest(request, timeout=60)


def refusal(runtime, text):
    with pytest.raises(grpc.RpcError) as caught:
        reload(runtime, text)
    return caught.value.code(), caught.value.details()


def served(runtime, model):
    """The versions that can be asked."""
    answer = runtime.get(f"/v1/models/{model}")
    if answer.status_code == 404:
        return []
    return [int(v["version"]) for v in answer.json()["model_version_status"] if v["state"] == "AVAILABLE"]


def start_shop(start, shop, *models, flags=()):
    path = write_config(shop.parent / "models.config", config_text(shop, *models))
    return start("a", f"--model_config_file={path}", *flags, base_path="/nowhere")


def test_a_config_file_names_several_models_with_policies_and_labels(start, shop):
    runtime = start_shop(start, shop, ("a", 'model_version_policy { all {} } version_labels { key: "stable" value: 1 }'), ("b", ""))
    assert served(runtime, "a") == [2, 1] and served(runtime, "b") == [1]
    answer = runtime.post("/v1/models/a/labels/stable:predict", {"instances": [2.0]})
    assert answer.json() == {"predictions": [3.0]} and answer.headers["x-tidegate-model-version"] == "1"
    assert runtime.predict({"instances": [2.0]}).headers["x-tidegate-model-version"] == "2"


def test_a_changed_config_file_is_taken_over(start, shop):
    runtime = start_shop(start, shop, ("a", ""), flags=["--model_config_file_poll_wait_seconds=0.1"])
    path = shop.parent / "models.config"
    write_config(path, "model_config_list { config { nam")
    runtime.wait_until(lambda: "is not taken over" in runtime.log_path.read_text())
    assert served(runtime, "a") == [2]
    write_config(path, "")
    runtime.wait_until(lambda: "has no model_config_list" in runtime.log_path.read_text())
    assert served(runtime, "a") == [2]
    write_config(path, config_text(shop, ("a", "model_version_policy { specific { versions: 1 } }"), ("b", "")))
    runtime.wait_until(lambda: served(runtime, "a") == [1] and served(runtime, "b") == [1])


def test_a_reload_brings_takes_and_changes_models(start, shop):
    runtime = start("a", base_path=shop / "a")
    answer = reload(runtime, config_text(shop, ("a", "model_version_policy { specific { versions: 1 versions: 2 } }"), ("b", "")))
    assert answer.status.error_code == 0
    assert runtime.predict({"instances": [2.0]}, model="b").status_code == 200
    runtime.wait_until(lambda: served(runtime, "a") == [2, 1])
    labels = 'model_version_policy { all {} } version_labels { key: "canary" value: 2 } version_labels { key: "stable" value: 1 }'
    reload(runtime, config_text(shop, ("a", labels)))
    for label, version in (("canary", "2"), ("stable", "1")):
        answer = runtime.post(f"/v1/models/a/labels/{label}:predict", {"instances": [2.0]})
        assert answer.headers["x-tidegate-model-version"] == version
    # A reload is answered when what is new serves; what is to go goes in its time.
    runtime.wait_until(lambda: runtime.predict({"instances": [2.0]}, model="b").status_code == 404)
    gone = runtime.predict({"instances": [2.0]}, model="b")
    assert gone.json() == {"error": "Servable not found for request: Latest(b)"}


def test_a_reload_that_cannot_be_is_refused_in_tensorflow_servings_words(start, shop):
    runtime = start_shop(start, shop, ("a", ""))
    assert refusal(runtime, "") == (grpc.StatusCode.INVALID_ARGUMENT, "ServerModelConfig type not supported by "
                                    "HandleReloadConfigRequest. Only ModelConfigList is currently supported")
    assert refusal(runtime, config_text(shop, ("b", ""), ("b", ""))) == (
        grpc.StatusCode.INVALID_ARGUMENT, "Illegal to list model b multiple times in config list")
    assert refusal(runtime, config_text(shop, ("a", 'version_labels { key: "x" value: 1 }'))) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "Request to assign label to version 1 of model a, which is not currently available for inference")
    code, why = refusal(runtime, config_text(shop, ("a", ""), ("none", "")))
    assert code == grpc.StatusCode.UNKNOWN
    assert why.startswith("1 model(s) did not become available: {{name: none") and "/none" in why
    assert served(runtime, "a") == [2]


def test_metrics_of_a_reload_are_not_offered(start, shop):
    runtime = start_shop(start, shop, ("a", ""))
    request = model_management_pb2.ReloadConfigRequest(metric_names=["x"])
    text_format.Parse(config_text(shop, ("a", "")), request.config)
    with pytest.raises(grpc.RpcError) as caught:
        model_service_pb2_grpc.ModelServiceStub(grpc.insecure_channel(runtime.grpc)).HandleReloadConfigRequest(request, timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_one_of_several_models_that_cannot_be_loaded_ends_the_start_with_its_name(start, shop):
    (shop / "b/1/saved_model.pb").write_bytes(b"\xff" * 100)
    path = write_config(shop.parent / "models.config", config_text(shop, ("a", ""), ("b", "")))
    runtime = start("a", f"--model_config_file={path}", base_path="/nowhere", wait=False)
    assert runtime.process.wait(60) == 1
    message = json.loads(runtime.termination_log.read_text())
    assert message["error"] == "ModelLoadFailed" and "Model b version 1" in message["message"]


def test_a_config_file_that_is_none_ends_the_start_with_the_place(start, tmp_path):
    path = write_config(tmp_path / "models.config", 'model_config_list {\n  config { nam: "a" }\n}')
    runtime = start("a", f"--model_config_file={path}", base_path="/nowhere", wait=False)
    assert runtime.process.wait(60) == 1
    assert "models.config: line 2, column " in runtime.log_path.read_text()


def test_the_environment_of_the_image_names_the_model(start, shop, monkeypatch):
    monkeypatch.setenv("MODEL_BASE_PATH", str(shop))
    monkeypatch.setenv("MODEL_NAME", "b")
    runtime = start(None, base_path=None)
    assert runtime.predict({"instances": [2.0]}, model="b").json() == {"predictions": [3.0]}
