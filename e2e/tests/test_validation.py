"""What a person is told at apply: by the API server's schema, and by the operator's webhook through its Service."""
import base64
import json
import subprocess

import pytest

from conftest import eventually
from kube import SYSTEM, CommandFailed

CONFIGURATION = "validatingwebhookconfiguration"


def manifest(name, namespace, **spec):
    return {"apiVersion": "tidegate.dev/v1alpha1", "kind": "ModelDeployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"model": {"uri": "s3://models/none", "version": "1"}, "paused": True} | spec}


def apply(kube, found, *options):
    """What kubectl printed, warnings included."""
    done = subprocess.run([kube.program, "apply", "--validate=strict", *options, "-f", "-"], env=kube.environment,
                          input=json.dumps(found), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandFailed(done.stderr)
    return done.stdout + done.stderr


def asked(kube, namespace):
    """Whether the webhook answers: it warns of 0 replicas."""
    return "[W3]" in apply(kube, manifest("probe", namespace, replicas=0), "--dry-run=server")


@pytest.fixture(scope="module")
def served(tidegate, team):
    """A namespace, once the webhook answers."""
    eventually(lambda: asked(tidegate, team), bool, 60, "the webhook answers")
    return team


@pytest.fixture
def taken(tidegate, served):
    """A ModelDeployment that has the host digits.example.com, seen by every replica."""
    def refused():
        try:
            apply(tidegate, manifest("other", served, traffic={"hosts": ["digits.example.com"]}), "--dry-run=server")
        except CommandFailed:
            return True
        return False
    apply(tidegate, manifest("digits", served, traffic={"hosts": ["digits.example.com"]}))
    eventually(lambda: all(refused() for _ in range(10)), bool, 30, "every replica knows the host")
    yield served
    tidegate("delete", "modeldeployment", "--all", "-n", served, "--wait=true", "--timeout=60s")


def test_a_rule_of_the_schema_names_the_field(tidegate, served):
    with pytest.raises(CommandFailed) as refusal:
        apply(tidegate, manifest("digits", served, rollout={"steps": [{"weight": 100}]}))
    assert "spec.rollout.steps" in str(refusal.value) and "nothing to compare" in str(refusal.value)


def test_a_host_that_another_object_has_is_refused_by_the_webhook(tidegate, taken):
    with pytest.raises(CommandFailed) as refusal:
        apply(tidegate, manifest("thief", taken, traffic={"hosts": ["digits.example.com"]}))
    assert f"spec.traffic.hosts[0]: digits.example.com: ModelDeployment {taken}/digits has it" in str(refusal.value)


def test_a_runtime_that_is_not_there_yet_is_only_warned_of(tidegate, served):
    printed = apply(tidegate, manifest("digits", served, runtime={"name": "triton"}), "--dry-run=server")
    assert "Warning: spec.runtime.name: there is no ServingRuntime triton" in printed


def test_a_bundle_that_somebody_else_overwrote_is_put_back(tidegate, served):
    def bundle():
        return tidegate.get(CONFIGURATION, "tidegate")["webhooks"][0]["clientConfig"].get("caBundle", "")
    right = bundle()
    assert base64.b64decode(right).startswith(b"-----BEGIN CERTIFICATE-----")
    patch = [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]
    tidegate("patch", CONFIGURATION, "tidegate", "--type=json", "-p", json.dumps(patch))
    eventually(bundle, lambda found: found == right, 60, "the leader writes the bundle again")
    eventually(lambda: asked(tidegate, served), bool, 30, "the webhook answers again")


def test_without_an_operator_objects_are_applied_rolled_back_and_deleted(tidegate, taken):
    replicas = tidegate.get("deployment", "tidegate-operator", SYSTEM)["spec"]["replicas"]
    scale = ["scale", "deployment", "tidegate-operator", "-n", SYSTEM]
    tidegate(*scale, "--replicas=0")
    try:
        eventually(lambda: tidegate.get("pods", namespace=SYSTEM, selector="app.kubernetes.io/name=tidegate-operator"),
                   lambda pods: not pods, 60, "the operator is gone")
        apply(tidegate, manifest("digits", taken, model={"uri": "s3://models/none", "version": "2"}))
        apply(tidegate, manifest("thief", taken, traffic={"hosts": ["digits.example.com"]}))
        tidegate("delete", "modeldeployment", "thief", "-n", taken, "--timeout=30s")
        with pytest.raises(CommandFailed):
            apply(tidegate, manifest("bad", taken, replicas=-1))   # the schema's rules hold all the same
    finally:
        tidegate(*scale, f"--replicas={replicas}")
        tidegate.wait_rollout(SYSTEM, "tidegate-operator")
    eventually(lambda: asked(tidegate, taken), bool, 60, "the webhook answers again")
