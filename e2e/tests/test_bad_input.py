"""What people get wrong, and what breaks around them: each is told clearly, and the stable version goes on serving."""
import json

import pytest

from support.fixtures import secret
from conftest import eventually
from kube import CommandFailed
from support import models as bad
from support.node import kill_container


@pytest.fixture(scope="module")
def digits(deploy):
    deployment = deploy(replicas=1, rollout={"steps": [{"weight": 50}], "analysis": {"checks": []}})
    deployment.apply("1")
    deployment.wait_healthy("1")
    return deployment


@pytest.fixture
def served(digits, users):
    """The deployment, healthy with version 1, with users who must not notice what the test does to it."""
    digits.apply("1")
    digits.wait_healthy("1")
    crowd = users(digits)
    crowd.begin(50)
    yield digits
    crowd.wait_answers(20)
    totals = crowd.stop()
    assert totals["failed"] == 0, crowd.timeline.failures
    assert set(totals["versions"]) == {"1"}


def expect_refused(kube, manifest, *words):
    with pytest.raises(CommandFailed) as refusal:
        kube("apply", "--validate=strict", "-f", "-", stdin=json.dumps(manifest))
    for word in words:
        assert word in str(refusal.value)


# ---- refused at apply

def test_weights_that_do_not_rise_are_refused(tidegate, digits):
    manifest = digits.manifest("2", rollout={"steps": [{"weight": 50}, {"weight": 25}]})
    expect_refused(tidegate, manifest, "spec.rollout.steps", "weights must rise from step to step")


def test_a_weight_above_100_is_refused(tidegate, digits):
    expect_refused(tidegate, digits.manifest("2", rollout={"steps": [{"weight": 101}]}), "spec.rollout.steps[0].weight")


def test_an_unknown_field_is_refused(tidegate, digits):
    expect_refused(tidegate, digits.manifest("2", replica=3), 'unknown field "spec.replica"')


def test_a_store_of_an_unknown_kind_is_refused(tidegate, digits):
    expect_refused(tidegate, digits.manifest("2", uri="ftp://models/e2e"), "spec.model.uri", "s3://<bucket>/<path>")


# ---- the store

def test_a_version_that_is_not_there_is_named_with_those_that_are(served):
    served.apply("9")
    message = served.wait_condition("ModelResolved", "False", "VersionNotFound")["message"]
    assert "version 9" in message and "1, 2 and 3" in message
    assert served.status["stable"]["version"] == "1"


def test_a_wrong_bucket_is_told(served):
    served.apply("2", uri="s3://no-such-bucket/e2e")
    condition = served.wait_condition("ModelResolved", "False")
    assert condition["reason"] in ("BucketNotFound", "VersionNotFound") and "no-such-bucket" in condition["message"]


def test_wrong_credentials_are_told_in_the_stores_own_words(tidegate, served):
    tidegate.apply(secret("wrong", served.namespace, AWS_SECRET_ACCESS_KEY="wrong-password"))
    served.apply("2", secret="wrong")
    message = served.wait_condition("ModelResolved", "False", "AccessDenied")["message"]
    assert "signature" in message.lower()


def test_a_store_that_is_down_is_told_and_asked_again_until_it_is_back(tidegate, served):
    tidegate.apply(secret("elsewhere", served.namespace, AWS_ENDPOINT_URL="http://minio.tidegate-demo.svc:9999"))
    served.apply("2", secret="elsewhere", paused=True)
    served.wait_condition("ModelResolved", "False", "StoreUnreachable")
    tidegate.apply(secret("elsewhere", served.namespace))
    served.wait_condition("ModelResolved", "True", seconds=120)


def test_a_store_that_dies_during_a_download_delays_the_version_and_nothing_else(tidegate, store, deploy, models):
    store.put_folder("models", "large/1", models / "1")
    store.put("models", "large/1/assets/large.bin", bytes(512 << 20))
    minio = tidegate.get("pods", namespace="tidegate-demo", selector="app=minio")[0]
    deployment = deploy("large", uri="s3://models/large", replicas=1)
    deployment.apply("1")
    eventually(lambda: fetching(deployment), bool, 30, "its pod fetches")
    kill_container(minio, "minio")
    deployment.wait_healthy("1", seconds=180)


def fetching(deployment):
    pods = deployment.pods()
    states = [s.get("state", {}) for pod in pods for s in pod["status"].get("initContainerStatuses", [])]
    return any("running" in state for state in states)


# ---- the model

def expect_model_refused(deployment, version, reason, *words):
    """Taken back because it does not serve; the version before it does."""
    deployment.apply(version, uri="s3://models/e2e-bad")
    condition = deployment.wait_condition("RuntimeReady", "False", reason, seconds=150)
    for word in words:
        assert word in condition["message"]
    status = deployment.wait("rolled back", lambda s: s.get("phase") == "RolledBack", seconds=60)
    assert status["stable"]["version"] == "1"
    assert [entry["version"] for entry in status["quarantined"]][-1] == version
    assert any(word in status["summary"] for word in (reason, version))


@pytest.fixture(scope="module")
def bad_store(store, models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    for version, made in {"11": bad.without_serve_tag(models / "1", folder / "11"),
                          "12": bad.with_torn_graph(models / "1", folder / "12"),
                          "13": bad.with_torn_weights(models / "1", folder / "13"),
                          "14": bad.hungry_model()}.items():
        store.put_folder("models", f"e2e-bad/{version}", made)
    return store


def test_a_model_without_the_serve_tag_is_taken_back_with_what_it_has_instead(served, bad_store):
    expect_model_refused(served, "11", "ModelLoadFailed", "serve", "train")


def test_a_graph_that_is_cut_short_is_taken_back(served, bad_store):
    expect_model_refused(served, "12", "ModelLoadFailed", "saved_model.pb")


def test_weights_that_are_cut_short_are_taken_back_with_the_runtimes_words(served, bad_store):
    expect_model_refused(served, "13", "ModelLoadFailed", "Read less bytes")


def test_a_model_that_kills_its_runtime_is_taken_back(served, bad_store):
    served.apply("14", uri="s3://models/e2e-bad", runtime={"resources": {"limits": {"memory": "1Gi"}}},
                 rollout={"steps": [{"weight": 50}], "analysis": {"checks": []}, "progressDeadline": "30s"})
    status = served.wait("rolled back", lambda s: s.get("phase") == "RolledBack", seconds=150)
    assert status["stable"]["version"] == "1"
    assert status["quarantined"][-1]["version"] == "14"
    assert "OOMKilled" in status["quarantined"][-1]["message"] + status["summary"]
