"""Accelerators: a model lands where they are, and one too many waits and says why."""


def test_a_gpu_model_lands_on_the_node_that_has_gpus_and_a_third_waits_and_says_why(deploy, users):
    vision = deploy("vision", accelerator={"type": "gpu"})
    vision.apply("1", replicas=2)
    vision.wait_healthy("1")
    pods = vision.pods()
    crowd = users(vision)
    crowd.begin(50)

    assert [pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] for pod in pods] == ["1", "1"]
    assert {pod["spec"]["nodeName"] for pod in pods} == {"tidegate-a"}
    assert any(t.get("key") == "nvidia.com/gpu" for t in pods[0]["spec"]["tolerations"])

    vision.apply("1", replicas=3)
    condition = vision.wait_condition("CapacityAvailable", "False", "Unschedulable")
    assert "Insufficient nvidia.com/gpu" in condition["message"]
    assert vision.status["stable"]["available"] == 2

    vision.apply("1", replicas=2)
    vision.wait_condition("CapacityAvailable", "True")
    crowd.wait_answers(50)
    assert crowd.stop()["failed"] == 0


def test_a_product_that_no_node_has_is_named(deploy):
    vision = deploy("rare", accelerator={"type": "gpu", "product": "NVIDIA-H900"})
    vision.apply("1", replicas=1)
    condition = vision.wait_condition("CapacityAvailable", "False", "Unschedulable")
    assert "NVIDIA-H900" in condition["message"] or "node affinity" in condition["message"]
