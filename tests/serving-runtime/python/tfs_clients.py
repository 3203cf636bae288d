"""Requests of tensorflow-serving-api."""

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2


def predict_request(model="", signature="", **inputs):
    """With what TensorFlow makes of the inputs' values: numpy arrays keep their type."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request
