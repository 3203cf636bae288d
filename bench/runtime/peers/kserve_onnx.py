"""KServe's server with an ONNX model, without access logs and with one worker."""
import logging
import os

import kserve
from session import HalfPlusTwoSession


class HalfPlusTwo(kserve.Model):
    def __init__(self):
        super().__init__("half_plus_two")
        self.session = HalfPlusTwoSession()
        self.ready = True

    def load(self):
        return True

    async def predict(self, payload, headers=None, response_headers=None):
        y = self.session.run(payload.inputs[0].as_numpy())
        output = kserve.InferOutput(name="y", shape=list(y.shape), datatype="FP32")
        output.set_data_from_numpy(y, binary_data=bool(payload.from_grpc))
        return kserve.InferResponse(payload.id or "1", self.name, [output])


if __name__ == "__main__":
    logging.getLogger("kserve").setLevel(logging.ERROR)
    logging.getLogger("uvicorn.access").disabled = True
    kserve.ModelServer(http_port=int(os.environ["BENCH_REST_PORT"]), grpc_port=int(os.environ["BENCH_GRPC_PORT"]), workers=1,
                       access_log_format=None).start([HalfPlusTwo()])
