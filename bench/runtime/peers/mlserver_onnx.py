"""MLServer's runtime for an ONNX model."""
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class OnnxModel(MLModel):
    async def load(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(self._settings.parameters.uri, options)
        return True

    async def predict(self, payload):
        x = NumpyCodec.decode_input(payload.inputs[0]).astype("float32", copy=False)
        y = self.session.run(None, {"x": x})[0]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[NumpyCodec.encode_output("y", y)])
