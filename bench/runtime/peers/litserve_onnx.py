"""LitServe with an ONNX model: one worker, one API server."""
import os

import litserve
from session import HalfPlusTwoSession


class HalfPlusTwo(litserve.LitAPI):
    def setup(self, device):
        self.session = HalfPlusTwoSession()

    def decode_request(self, request):
        return request["instances"]

    def predict(self, x):
        return self.session.run(x)

    def encode_response(self, output):
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    litserve.LitServer(HalfPlusTwo(), accelerator="cpu", workers_per_device=1, timeout=30).run(
        host="127.0.0.1", port=int(os.environ["BENCH_REST_PORT"]), generate_client_file=False, log_level="error", num_api_servers=1)
