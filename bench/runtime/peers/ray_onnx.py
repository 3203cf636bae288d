"""Ray Serve with an ONNX model: one replica, no access log."""
import os
import threading

import ray
from ray import serve
from session import HalfPlusTwoSession


@serve.deployment(num_replicas=1, max_ongoing_requests=100, ray_actor_options={"num_cpus": 0.5},
                  logging_config={"log_level": "ERROR", "enable_access_log": False})
class HalfPlusTwo:
    def __init__(self):
        self.session = HalfPlusTwoSession()

    async def __call__(self, request):
        return {"predictions": self.session.run((await request.json())["instances"]).tolist()}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=200 * 2**20, logging_level="ERROR",
             _temp_dir=os.environ["RAY_TMPDIR"])
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["BENCH_REST_PORT"])})
    serve.run(HalfPlusTwo.bind(), route_prefix="/predict")
    threading.Event().wait()
