"""TensorFlow Serving's classify, regress and multi-inference, over REST and with its own gRPC client."""

import base64

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (classification_pb2, inference_pb2, prediction_service_pb2_grpc, regression_pb2)

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


def stub(runtime):
    return prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(runtime.grpc))


def feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value, float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def example(**features):
    return tf.train.Example(features=tf.train.Features(feature={name: feature(value) for name, value in features.items()}))


def ask(request, model, signature, *examples, context=None):
    """Fills a ClassificationRequest or a RegressionRequest."""
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    listed = request.input.example_list_with_context if context else request.input.example_list
    listed.examples.extend(examples)
    if context:
        listed.context.CopyFrom(context)
    return request


def multi(model, *tasks, x=2.0):
    request = inference_pb2.MultiInferenceRequest()
    for signature, method in tasks:
        task = request.tasks.add(method_name=method)
        task.model_spec.name = model
        task.model_spec.signature_name = signature
    request.input.example_list.examples.append(example(x=x))
    return request


def refused(call):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def test_rest_classifies_and_regresses_as_tensorflow_serving_does(running):
    hpt = running("half_plus_two")
    classified = hpt.classify({"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]})
    assert classified.text == '{"results":[[["",3.0]]]}'
    assert classified.headers["x-tidegate-model-version"] == "123"
    assert hpt.regress({"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}]}).text == '{"results":[3.0]}'
    assert hpt.regress({"signature_name": "regress_x_to_y", "examples": [{"x": [2.0]}, {"x": 5.0}]}).json() == {
        "results": [3.0, 4.5]}
    by_number = hpt.post("/v1/models/half_plus_two/versions/123:regress", '{"signature_name":"regress_x_to_y","examples":[{"x":2.0}]}')
    assert by_number.json() == {"results": [3.0]}


def test_rest_takes_features_of_every_type_and_a_context(running):
    body = {"signature_name": "classify", "context": {"limit": 4.0, "unit": {"b64": base64.b64encode(b" kg").decode()}},
            "examples": [{"size": 1}, {"size": 2, "limit": 8.0, "unit": "!"}]}
    assert running("sizes").classify(body).json() == {
        "results": [[["large kg", 0.25], ["small kg", 0.75]], [["large!", 0.25], ["small!", 0.75]]]}


def test_what_only_the_graph_can_refuse_is_marked_as_its_own(running):
    lacking = running("half_plus_two").regress({"signature_name": "regress_x_to_y", "examples": [{"z": 2.0}]})
    assert lacking.status_code == 400 and "x" in lacking.json()["error"]
    assert lacking.headers["x-tidegate-error"] == "model"
    short = running("sizes").regress({"signature_name": "forgetful", "examples": [{}, {}]})
    assert short.json()["error"] == "Input batch size did not match output batch size: 2 vs. 1"
    assert short.headers["x-tidegate-error"] == "model"


def test_bytes_that_are_no_example_are_the_clients_mistake(running):
    request = ask(regression_pb2.RegressionRequest(), "half_plus_two", "regress_x_to_y", example(x=2.0))
    # input (field 2) { example_list (1) { examples (1): two bytes that are no message } }
    garbage = request.SerializeToString() + bytes([0x12, 6, 0x0A, 4, 0x0A, 2, 0xFF, 0xFF])
    channel = grpc.insecure_channel(running("half_plus_two").grpc)
    regress = channel.unary_unary("/tensorflow.serving.PredictionService/Regress",
                                  response_deserializer=regression_pb2.RegressionResponse.FromString)
    error = refused(lambda: regress(garbage, timeout=10))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "input.examples[1] is no tf.Example" in error.details()
    assert "x-tidegate-error" not in dict(error.trailing_metadata())


def test_predict_feeds_a_classify_signature_with_serialized_examples(running):
    encoded = base64.b64encode(example(x=2.0).SerializeToString()).decode()
    answer = running("half_plus_two").predict({"signature_name": "classify_x_to_y", "instances": [{"b64": encoded}]})
    assert answer.json() == {"predictions": [[3.0]]}


def test_grpc_classifies_with_labels_and_a_context(running):
    request = ask(classification_pb2.ClassificationRequest(), "sizes", "classify", example(size=1), example(size=3),
                  context=example(limit=4.0, unit=b" kg"))
    answer, call = stub(running("sizes")).Classify.with_call(request, timeout=10)
    assert [[(c.label, c.score) for c in one.classes] for one in answer.result.classifications] == [
        [("large kg", 0.25), ("small kg", 0.75)], [("large kg", 0.75), ("small kg", 0.25)]]
    assert (answer.model_spec.name, answer.model_spec.version.value, answer.model_spec.signature_name) == (
        "sizes", 1, "classify")
    assert dict(call.initial_metadata())["x-tidegate-model-version"] == "1"


def test_grpc_regresses(running):
    request = ask(regression_pb2.RegressionRequest(), "half_plus_two", "regress_x_to_y", example(x=2.0), example(x=3.0))
    answer = stub(running("half_plus_two")).Regress(request, timeout=10)
    assert [one.value for one in answer.result.regressions] == [3.0, 3.5]
    assert (answer.model_spec.version.value, answer.model_spec.signature_name) == (123, "regress_x_to_y")


def test_a_model_of_tensorflow_1_answers_with_its_default_signature(running):
    shared = running("shared")
    answer = stub(shared).Regress(ask(regression_pb2.RegressionRequest(), "shared", "", example(x=2.0)), timeout=10)
    assert [one.value for one in answer.result.regressions] == [3.0]
    assert answer.model_spec.signature_name == "serving_default"
    assert shared.regress({"examples": [{"x": 4.0}]}).json() == {"results": [4.0]}


@pytest.mark.parametrize("model,version,tasks", [
    ("half_plus_two", 123, [("classify_x_to_y", CLASSIFY), ("regress_x_to_y", REGRESS)]),
    ("shared", 5, [("classify_x_to_y", CLASSIFY), ("", REGRESS)]),
])
def test_multi_inference_answers_each_task_in_order(running, model, version, tasks):
    answer = stub(running(model)).MultiInference(multi(model, *tasks), timeout=10)
    classified, regressed = answer.results
    assert classified.classification_result.classifications[0].classes[0].score == 3.0
    assert regressed.regression_result.regressions[0].value == 3.0
    assert [one.model_spec.signature_name for one in answer.results] == [tasks[0][0], tasks[1][0] or "serving_default"]
    assert [one.model_spec.version.value for one in answer.results] == [version, version]
