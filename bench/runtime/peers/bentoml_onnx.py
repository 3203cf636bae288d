"""BentoML with an ONNX model: one worker, no access log, no metrics."""
import bentoml
from session import HalfPlusTwoSession


@bentoml.service(workers=1, logging={"access": {"enabled": False}}, traffic={"timeout": 30, "concurrency": 64},
                 metrics={"enabled": False})
class HalfPlusTwo:
    def __init__(self):
        self.session = HalfPlusTwoSession()

    @bentoml.api
    def predict(self, instances: list) -> dict:
        return {"predictions": self.session.run(instances).tolist()}
