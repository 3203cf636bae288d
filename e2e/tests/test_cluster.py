"""The cluster in a box does what Tidegate relies on."""
import json
import subprocess

import pytest

from conftest import ROOT, eventually, pod


@pytest.fixture(scope="session", autouse=True)
def base_image():
    """A Debian root file system, to run small programs in."""
    subprocess.run([ROOT / "e2e/cluster/images", "--quiet", "base"], check=True)


def service(name, **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def resolve(kubectl, name):
    """The addresses that a pod sees for a name."""
    found = kubectl.run("exec", "client", "--", "getent", "ahostsv4", name, check=False)
    return sorted({line.split()[0] for line in found.stdout.splitlines()})


def schedulable(kubectl, name):
    conditions = (kubectl.get("pod", name) or {}).get("status", {}).get("conditions", [])
    return {c["type"]: (c["status"], c.get("message", "")) for c in conditions}.get("PodScheduled", ("Unknown", ""))


def allocatable(kubectl, resource):
    return kubectl.get("node", "tidegate-a")["status"]["allocatable"].get(resource)


def test_a_pod_resolves_services_of_its_own_and_of_other_namespaces(namespace):
    namespace.apply(pod("client"), service("web", ports=[{"port": 80}], selector={"app": "client"}))
    namespace.wait("condition=Ready", "pod/client")
    address = namespace.get("service", "web")["spec"]["clusterIP"]
    for name in ("web", f"web.{namespace.namespace}.svc", f"web.{namespace.namespace}.svc.cluster.local"):
        eventually(lambda: resolve(namespace, name), lambda seen: seen == [address], 20, f"{name} = {address}")
    api = namespace.in_namespace("default").get("service", "kubernetes")["spec"]["clusterIP"]
    assert resolve(namespace, "kubernetes.default.svc") == [api]


def test_an_external_name_leads_to_the_service_that_it_names(namespace):
    target = f"web.{namespace.namespace}.svc.cluster.local"
    namespace.apply(
        pod("client"),
        service("web", ports=[{"port": 80}], selector={"app": "client"}),
        service("alias", type="ExternalName", externalName=target),
    )
    namespace.wait("condition=Ready", "pod/client")
    address = namespace.get("service", "web")["spec"]["clusterIP"]
    for name in ("alias", f"alias.{namespace.namespace}.svc.cluster.local"):
        eventually(lambda: resolve(namespace, name), lambda seen: seen == [address], 20, f"{name} = {address}")


def test_a_name_outside_the_cluster_is_not_asked_of_anybody(namespace):
    namespace.apply(pod("client"))
    namespace.wait("condition=Ready", "pod/client")
    assert resolve(namespace, "example.com") == []


def test_traffic_to_a_service_reaches_its_pod(namespace):
    answer = "use Socket; socket(S,2,1,6); bind(S,sockaddr_in(8080,INADDR_ANY)); listen(S,5); while(accept(C,S)){print C qq(hello\n); close C}"
    ask = "exec 3<>/dev/tcp/web/80 && cat <&3"
    namespace.apply(
        pod("server", ["perl", "-e", answer]),
        pod("client"),
        service("web", ports=[{"port": 80, "targetPort": 8080}], selector={"app": "server"}),
    )
    namespace.wait("condition=Ready", "pod/server", "pod/client")
    heard = eventually(
        lambda: namespace.run("exec", "client", "--", "bash", "-c", ask, check=False).stdout, lambda text: text, 20, "an answer"
    )
    assert heard == "hello\n"


def test_the_node_offers_two_gpus_and_four_tpu_chips(cluster):
    assert (allocatable(cluster, "nvidia.com/gpu"), allocatable(cluster, "google.com/tpu")) == ("2", "4")


def test_two_pods_get_a_gpu_each_and_a_third_waits_until_one_is_free(namespace):
    names = ["first", "second", "third"]
    for name in names:
        namespace.apply(pod(name, limits={"nvidia.com/gpu": 1}))
        if name != "third":
            namespace.wait("condition=Ready", f"pod/{name}")
    status, message = eventually(lambda: schedulable(namespace, "third"), lambda seen: seen[0] == "False", 20, "third waits")
    assert status == "False" and "Insufficient nvidia.com/gpu" in message
    devices = {namespace("exec", name, "--", "printenv", "TIDEGATE_DEVICES_NVIDIA_COM_GPU") for name in names[:2]}
    assert devices == {"nvidia.com-gpu-0", "nvidia.com-gpu-1"}
    namespace("delete", "pod", "first")
    namespace.wait("condition=Ready", "pod/third")


def test_a_pod_with_a_tpu_slices_node_selector_lands_on_the_node(namespace):
    wanted = pod("slice", limits={"google.com/tpu": 4})
    wanted["spec"]["nodeSelector"] = {"cloud.google.com/gke-tpu-topology": "2x2"}
    namespace.apply(wanted)
    namespace.wait("condition=Ready", "pod/slice")


def test_a_sick_device_is_not_offered(cluster):
    folder = ROOT / "e2e/cluster/lib/settings.sh"
    found = subprocess.run(["bash", "-c", f". {folder}; echo $STATE/sick-devices"], capture_output=True, text=True, check=True)
    sick = f"{found.stdout.strip()}/nvidia.com-gpu-1"
    try:
        subprocess.run(["touch", sick], check=True)
        eventually(lambda: allocatable(cluster, "nvidia.com/gpu"), lambda count: count == "1", 60, "one GPU is left")
    finally:
        subprocess.run(["rm", "-f", sick], check=True)
    eventually(lambda: allocatable(cluster, "nvidia.com/gpu"), lambda count: count == "2", 60, "both GPUs are back")


def test_a_missing_image_is_told_at_once_and_asked_of_nobody(namespace):
    namespace.apply(pod("lost", image="nothing-like-it"))
    statuses = eventually(
        lambda: json.dumps(namespace.get("pod", "lost")["status"]), lambda text: "ErrImage" in text or "BackOff" in text
    )
    assert "nothing-like-it" in statuses
