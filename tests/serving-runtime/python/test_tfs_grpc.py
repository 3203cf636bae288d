"""TensorFlow Serving's gRPC API with its own Python client, tensorflow-serving-api."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (get_model_metadata_pb2, get_model_status_pb2,
                                     model_service_pb2_grpc, prediction_service_pb2_grpc)
from tfs_clients import predict_request


def stub(runtime):
    return prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(runtime.grpc))


def test_predict_answers_with_typed_fields_and_the_version(running):
    answer, call = stub(running("half_plus_two")).Predict.with_call(
        predict_request("half_plus_two", x=np.array([2, 3], np.float32)), timeout=10)
    assert list(answer.outputs["y"].float_val) == [3.0, 3.5]
    assert tf.make_ndarray(answer.outputs["y"]).tolist() == [3.0, 3.5]
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("half_plus_two", 123)
    assert answer.model_spec.signature_name == "serving_default"
    assert dict(call.initial_metadata())["x-tidegate-model-version"] == "123"


def test_several_types_both_ways(running):
    answer = stub(running("many")).Predict(
        predict_request("many", a=np.array([[1, 2, 3]], np.int64), flip=np.array([True])), timeout=10)
    assert tf.make_ndarray(answer.outputs["signed"]).tolist() == [[-1, -2, -3]]
    assert tf.make_ndarray(answer.outputs["half"]).dtype == np.float16
    answer = stub(running("strings")).Predict(predict_request("strings", text=[b"a\x00b", b""]), timeout=10)
    assert tf.make_ndarray(answer.outputs["copy_bytes"]).tolist() == [b"a\x00b", b""]


def test_an_output_filter_chooses_the_outputs(running):
    message = predict_request("many", a=np.array([[1, 2, 3]], np.int64), flip=np.array([True]))
    message.output_filter.append("mean")
    assert list(stub(running("many")).Predict(message, timeout=10).outputs) == ["mean"]


def test_an_error_inside_the_graph_carries_the_models_trailer(running):
    with pytest.raises(grpc.RpcError) as caught:
        stub(running("picky")).Predict(predict_request("picky", x=np.array([[1, -1]], np.float32)), timeout=10)
    assert "no negative numbers" in caught.value.details()
    assert dict(caught.value.trailing_metadata())["x-tidegate-error"] == "model"


def test_metadata_and_status(running):
    message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    message.model_spec.name = "half_plus_two"
    answer = stub(running("half_plus_two")).GetModelMetadata(message, timeout=10)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert signatures.signature_def["serving_default"].inputs["x"].name == "serving_default_x:0"
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "half_plus_two"
    channel = grpc.insecure_channel(running("half_plus_two").grpc)
    (version,) = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(status, timeout=10).model_version_status
    assert (version.version, version.state, version.status.error_code) == (123, 30, 0)
