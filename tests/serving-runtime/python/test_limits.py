"""How many requests a model and the server work on, and how many may wait."""

import concurrent.futures
import re


def test_one_model_cannot_keep_the_others_waiting(start, models, tmp_path):
    path = tmp_path / "models.config"
    path.write_text("model_config_list {" + "".join(
        f'config {{ name: "{name}" base_path: "{models / name}" }}' for name in ("slow", "half_plus_two")) + "}")
    runtime = start("slow", f"--model-config-file={path}", "--concurrency=2", "--max-concurrency-per-model=1", "--warm-up=false",
                    base_path="/nowhere")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(runtime.predict, {"inputs": 1500}) for _ in range(4)]
        runtime.wait_until(lambda: "tidegate_runtime_requests_queued 3" in runtime.get("/metrics").text)
        assert "tidegate_runtime_requests_running 1" in runtime.get("/metrics").text
        assert runtime.predict({"instances": [2.0]}, model="half_plus_two").json() == {"predictions": [3.0]}
        assert "tidegate_runtime_requests_queued 0" not in runtime.get("/metrics").text
        assert {one.result().status_code for one in slow} == {200}


def test_requests_that_a_full_queue_turns_away_are_counted(start):
    runtime = start("slow", "--concurrency=1", "--queue-limit=1", "--warm-up=false")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = [one.result().status_code for one in [pool.submit(runtime.predict, {"inputs": 500}) for _ in range(8)]]
    refused = re.search(r'tidegate_runtime_requests_refused_total\{api="tfs_rest",code="RESOURCE_EXHAUSTED",model="slow"\} (\d+)',
                        runtime.get("/metrics").text)
    assert int(refused[1]) == codes.count(429) > 0
