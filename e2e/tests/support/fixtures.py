"""Tidegate on the cluster, with a store and models: the fixtures of the tests of the whole product."""
import json
import uuid

import pytest

from kube import ROOT, SYSTEM, Kube
from s3 import Store
from support.deployment import Deployment
from support.models import good_models
from support.traffic import TestUsers

STORE = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo-password", "AWS_REGION": "us-east-1",
         "AWS_ENDPOINT_URL": "http://minio.tidegate-demo.svc:9000"}


@pytest.fixture(scope="session")
def tidegate(cluster):
    """kubectl on a cluster with Tidegate and MinIO; what is there already is brought up to date."""
    kube = Kube(cluster.kubeconfig)
    kube.install_tidegate()
    kube.apply((ROOT / "e2e/demo/manifests/minio.yaml").read_text())
    kube.wait_rollout("tidegate-demo", "minio")
    kube.wait_rollout(SYSTEM, "tidegate-operator", "tidegate-gateway")
    return kube


@pytest.fixture(scope="session")
def store(tidegate):
    address = tidegate.get("service", "minio", "tidegate-demo")["spec"]["clusterIP"]
    found = Store(f"http://{address}:9000", STORE["AWS_ACCESS_KEY_ID"], STORE["AWS_SECRET_ACCESS_KEY"])
    found.make_bucket_once_reachable("models")
    return found


@pytest.fixture(scope="session")
def models(tmp_path_factory, store):
    """The demo's models and requests; versions 1 to 3 are also in the store, under s3://models/e2e."""
    folder = good_models(tmp_path_factory.mktemp("models"))
    for version in ("1", "2", "3"):
        store.put_folder("models", f"e2e/{version}", folder / version)
    return folder


def secret(name, namespace, **values):
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
                       "stringData": STORE | values})


@pytest.fixture(scope="module")
def team(tidegate):
    """Name of a namespace of this module's own, with the store's credentials in the Secret `store`."""
    name = f"team-{uuid.uuid4().hex[:8]}"
    tidegate.apply(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
    tidegate.apply(secret("store", name))
    yield name
    tidegate("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def deploy(tidegate, team, models):
    """deploy(name, **spec): a ModelDeployment that is watched from now on; apply it to make it."""
    made = []

    def make(name="digits", uri="s3://models/e2e", **defaults):
        made.append(Deployment(tidegate, team, name, uri, **defaults))
        return made[-1]
    yield make
    for deployment in made:
        deployment.close()
        tidegate("delete", "modeldeployment", deployment.name, "-n", team, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="module")
def users(tidegate, models):
    """users(deployment, name): users in front of it; begin() starts them."""
    def make(deployment, name="users"):
        return TestUsers(tidegate, deployment, models / "requests.jsonl", name)
    return make


@pytest.fixture(scope="module")
def record(request):
    """Facts of each fault by name; written to the module's RECORD when it is done, whatever the tests said."""
    facts = {}
    yield facts
    path = request.module.RECORD
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts, indent=2) + "\n")
