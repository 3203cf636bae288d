#!/usr/bin/env python3
"""What TensorFlow Serving answers, case by case, and where that is known from.

`known` names a file of TensorFlow Serving's repository, below tensorflow_serving/, whose code or test says so; "unknown"
stands where ours is our own choice. test_tfs_cases.py asks a running server each of these; run as a program this file
prints the table of cases with what our server said:  tests/serving-runtime/python/tfs_cases.py > table.md
"""

import pathlib
import sys
import tempfile
from typing import NamedTuple

import grpc
import requests
from google.protobuf import text_format
from tensorflow_serving.apis import classification_pb2, inference_pb2, predict_pb2, prediction_service_pb2_grpc, regression_pb2

HPT = "/v1/models/half_plus_two"
REST_API = "model_servers/http_rest_api_handler.cc"
REST_PATH = "model_servers/http_rest_api_util.cc"
JSON = "util/json_tensor.cc"
SERVER_TEST = "model_servers/tensorflow_model_server_test.py"
STATUS = "model_servers/get_model_status_impl.cc"
CORE = "model_servers/server_core.cc"
PREDICT = "servables/tensorflow/predict_util.cc"
CLASSIFIER = "servables/tensorflow/classifier.cc"
REGRESSOR = "servables/tensorflow/regressor.cc"
MULTI = "servables/tensorflow/multi_inference.cc"


class Rest(NamedTuple):
    name: str
    path: str
    body: str | None  # None: GET
    code: int
    says: str  # the whole answer if the code is 200, else part of the error's text
    known: str


class Grpc(NamedTuple):
    name: str
    rpc: str       # of PredictionService
    request: str   # the request message as text
    code: str
    says: str      # the answer's first message as text, on one line, if the code is OK, else part of the details
    known: str


def predict(name, body, code, says, known):
    return Rest(name, f"{HPT}:predict", body, code, says, known)


REST_CASES = [
    predict("rows", '{"instances":[2,3,4]}', 200, '{"predictions":[3.0,3.5,4.0]}', SERVER_TEST),
    predict("columns", '{"inputs":[2,3,4]}', 200, '{"outputs":[3.0,3.5,4.0]}', SERVER_TEST),
    predict("rows of named inputs", '{"instances":[{"x":2},{"x":5}]}', 200, '{"predictions":[3.0,4.5]}', JSON),
    predict("NaN and infinities are bare words", '{"instances":[NaN,Infinity,-Infinity]}', 200,
            '{"predictions":[NaN,Infinity,-Infinity]}', JSON),
    Rest("paths in any case", "/V1/Models/half_plus_two/Versions/123:predict", '{"instances":[2]}', 200,
         '{"predictions":[3.0]}', REST_PATH),
    Rest("verbs in lower case only", f"{HPT}/versions/123:PREDICT", '{"instances":[2]}', 400,
         f"Malformed request: POST {HPT}/versions/123:PREDICT", REST_API),
    predict("a byte order mark first", "\ufeff" + '{"instances":[2]}', 200, '{"predictions":[3.0]}',
            "util/json_tensor.cc, by RapidJSON's EncodedInputStream"),
    predict("an empty column", '{"inputs":[]}', 200, '{"outputs":[]}', JSON),
    predict("rows in, no rows out", '{"signature_name":"no_rows","instances":[2]}', 200, '{"predictions":[]}',
            "RELEASE.md, 2.3.0: a batch size of zero in row format JSON"),
    predict("a scalar has no rows", '{"signature_name":"total","instances":[2]}', 400,
            "Tensor name: y has no shape information", JSON),
    predict("a scalar in columns", '{"signature_name":"total","inputs":[2,3]}', 200, '{"outputs":5.0}', JSON),
    predict("an integer that a float does not hold", '{"instances":[16777217]}', 400,
            "Cannot convert JSON value: 16777217 to float without loss of precision", JSON),
    predict("a number that no double holds", '{"instances":[1e400]}', 400,
            "JSON Parse error: Number too big to be stored in double.", "RapidJSON"),
    predict("large and small floats", '{"instances":[1e30,1e-7,0.4]}', 200, '{"predictions":[5e+29,2.0,2.2]}', JSON),
    Rest("classify", f"{HPT}:classify", '{"signature_name":"classify_x_to_y","examples":[{"x":2.0}]}', 200,
         '{"results":[[["",3.0]]]}', SERVER_TEST),
    Rest("regress", f"{HPT}:regress", '{"signature_name":"regress_x_to_y","examples":[{"x":2.0}]}', 200,
         '{"results":[3.0]}', SERVER_TEST),
    predict("empty body", "", 400, "JSON Parse error: The document is empty", JSON),
    predict("no object", "[1]", 400, "Is not object", JSON),
    predict("something after the object", '{"instances":[1]} x', 400, "must not be followed by other values", JSON),
    predict("neither instances nor inputs", "{}", 400, "Missing 'inputs' or 'instances' key", JSON),
    predict("both instances and inputs", '{"instances":[1],"inputs":[1]}', 400, "Not formatted correctly", JSON),
    predict("instances is no list", '{"instances":{}}', 400, "Excepting 'instances' to be an list/array", JSON),
    predict("no instances", '{"instances":[]}', 400, "No values in 'instances' array", JSON),
    predict("strings for floats", '{"instances":["x","y"]}', 400, "is not of expected type: float", JSON),
    predict("ragged: a list beside a number", '{"instances":[1,[1]]}', 400, "Expecting shape", JSON),
    predict("ragged: lists of different lengths", '{"instances":[[1],[1,2]]}', 400, "Expecting tensor size", JSON),
    predict("unknown input, rows", '{"instances":[{"z":1}]}', 400, "does not have named input: z", JSON),
    predict("unknown input, columns", '{"inputs":{"z":1}}', 400, "Missing named input: x", JSON),
    predict("signature name that is no string", '{"signature_name":100,"instances":[1]}', 400, "must be a string value", JSON),
    predict("unknown signature", '{"signature_name":"nope","instances":[1]}', 400,
            'Serving signature name: "nope" not found in signature def', REST_API),
    Rest("classify: empty body", f"{HPT}:classify", "", 400, "JSON Parse error: The document is empty", JSON),
    Rest("classify: no examples", f"{HPT}:classify", "{}", 400,
         "When method is classify, key 'examples' is expected and was not found", JSON),
    Rest("classify: signature with other inputs", f"{HPT}:classify", '{"examples":[{"x":2.0}]}', 400,
         "No classification inputs found in SignatureDef", CLASSIFIER),
    Rest("classify: a signature of TensorFlow 2, of method predict", f"{HPT}:classify",
         '{"signature_name":"classify_as_predict","examples":[{"x":2.0}]}', 200, '{"results":[[["",3.0]]]}', CLASSIFIER),
    Rest("regress: null", f"{HPT}:regress", '{"examples":[{"x":null}]}', 400,
         "Feature: x has element with unexpected JSON type: Null", JSON),
    Rest("regress: a feature of two types", f"{HPT}:regress", '{"examples":[{"x":[1,2.5]}]}', 400,
         "Unexpected element type in feature: x expecting type: int64", JSON),
    Rest("regress: unknown signature", f"{HPT}:regress", '{"signature_name":"nope","examples":[{"x":2.0}]}', 400,
         "No signature was found with the name: nope", REGRESSOR),
    Rest("regress: signature with other outputs", f"{HPT}:regress",
         '{"signature_name":"classify_x_to_y","examples":[{"x":2.0}]}', 400,
         "No regression outputs found in SignatureDef", REGRESSOR),
    Rest("regress: signature name that is no string", f"{HPT}:regress", '{"signature_name":7,"examples":[{"x":2.0}]}', 400,
         "must be a string value", JSON),
    Rest("no such path", "/v1/foo", None, 400, "Malformed request: GET /v1/foo", REST_API),
    Rest("no model", "/v1/models", None, 400, "Missing model name in request.", REST_API),
    Rest("version that is no number", f"{HPT}/versions/HELLO", None, 400, "Malformed request", REST_API),
    Rest("version of 64 bits and more", f"{HPT}/versions/18446744073709551615", None, 400, "Failed to convert version", REST_PATH),
    Rest("status of an unknown version", f"{HPT}/versions/5", None, 404, "Could not find version 5 of model half_plus_two", STATUS),
    Rest("status of an unknown model", "/v1/models/foo", None, 404, "Could not find any versions of model foo", STATUS),
    Rest("status of an unknown label", f"{HPT}/labels/canary", None, 400, "Unrecognized servable version label: canary", CORE),
    Rest("another method of HTTP", f"{HPT}/versions/123:predict?x=1", None, 400,
         f"Malformed request: GET {HPT}/versions/123:predict", REST_API),
    Rest("predict: unknown model", "/v1/models/foo:predict", '{"instances":[1]}', 404,
         "Servable not found for request: Latest(foo)", "core/basic_manager.cc"),
    Rest("predict: unknown version", f"{HPT}/versions/7:predict", '{"instances":[1]}', 404,
         "Servable not found for request: Specific(half_plus_two, 7)", "core/basic_manager.cc"),
    Rest("predict: unknown label", f"{HPT}/labels/canary:predict", '{"instances":[1]}', 400,
         "Unrecognized servable version label: canary", CORE),
]

SPEC = 'model_spec { name: "half_plus_two" %s }'
X = 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: %d } } float_val: 2 } }'
EXAMPLE = """input { example_list { examples { features { feature { key: "x" value { float_list { value: 2 } } } } } } }"""
TASK = 'tasks { model_spec { name: "half_plus_two" signature_name: "%s" } method_name: "%s" }'


def signature(name):
    return SPEC % f'signature_name: "{name}"'


GRPC_CASES = [
    Grpc("Predict", "Predict", SPEC % "" + X % 1, "OK",
         'outputs { key: "y" value { dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 3.0 } } '
         'model_spec { name: "half_plus_two" version { value: 123 } signature_name: "serving_default" }', SERVER_TEST),
    Grpc("Predict: one value for three", "Predict", SPEC % "" + X % 3, "OK",
         'outputs { key: "y" value { dtype: DT_FLOAT tensor_shape { dim { size: 3 } } float_val: 3.0 float_val: 3.0 float_val: 3.0 } } '
         'model_spec { name: "half_plus_two" version { value: 123 } signature_name: "serving_default" }',
         "servables/tensorflow/predict_util.cc, by TensorFlow's Tensor::FromProto"),
    Grpc("Predict: no model", "Predict", X % 1, "INVALID_ARGUMENT", "Missing ModelSpec", "servables/tensorflow/predict_impl.cc"),
    Grpc("Predict: no name", "Predict", "model_spec {}" + X % 1, "INVALID_ARGUMENT", "no name", CORE),
    Grpc("Predict: unknown model", "Predict", 'model_spec { name: "foo" }' + X % 1, "NOT_FOUND",
         "Servable not found for request: Latest(foo)", "core/basic_manager.cc"),
    Grpc("Predict: unknown signature", "Predict", signature("nope") + X % 1, "FAILED_PRECONDITION",
         'Serving signature key "nope" not found.', PREDICT),
    Grpc("Predict: unknown output", "Predict", SPEC % "" + X % 1 + 'output_filter: "nope"', "INVALID_ARGUMENT",
         "output tensor alias not found in signature: nope", PREDICT),
    Grpc("Predict: an output twice", "Predict", SPEC % "" + X % 1 + 'output_filter: "y" output_filter: "y"', "INVALID_ARGUMENT",
         "duplicate output tensor alias: y", PREDICT),
    Grpc("Predict: an input too many", "Predict", SPEC % "" + X % 1 + (X % 1).replace('"x"', '"z"'), "INVALID_ARGUMENT",
         "input size does not match signature: 2!=1 len({x,z}) != len({x}). Sent extra: {z}. Missing but required: {}.", PREDICT),
    Grpc("Predict: a tensor that cannot be read", "Predict", SPEC % "" + (X % 2).replace("float_val: 2", 'tensor_content: "ab"'),
         "INVALID_ARGUMENT", "tensor parsing error: x", PREDICT),
    Grpc("Predict: a shape larger than any memory", "Predict", SPEC % "" + X % (1 << 60), "INVALID_ARGUMENT", "tensor parsing error: x",
         PREDICT),
    Grpc("Predict: a negative size", "Predict", SPEC % "" + X % -1, "INVALID_ARGUMENT", "tensor parsing error: x", PREDICT),
    Grpc("Classify", "Classify", signature("classify_x_to_y") + EXAMPLE, "OK",
         'result { classifications { classes { score: 3.0 } } } '
         'model_spec { name: "half_plus_two" version { value: 123 } signature_name: "classify_x_to_y" }', SERVER_TEST),
    Grpc("Classify: a signature of TensorFlow 2, of method predict", "Classify", signature("classify_as_predict") + EXAMPLE, "OK",
         'result { classifications { classes { score: 3.0 } } } '
         'model_spec { name: "half_plus_two" version { value: 123 } signature_name: "classify_as_predict" }', CLASSIFIER),
    Grpc("Classify: signature with other inputs", "Classify", SPEC % "" + EXAMPLE, "INVALID_ARGUMENT",
         "No classification inputs found in SignatureDef", CLASSIFIER),
    Grpc("Classify: no model", "Classify", "", "INVALID_ARGUMENT", "Missing ModelSpec",
         "servables/tensorflow/classification_service.cc"),
    Grpc("Regress", "Regress", signature("regress_x_to_y") + EXAMPLE, "OK",
         'result { regressions { value: 3.0 } } '
         'model_spec { name: "half_plus_two" version { value: 123 } signature_name: "regress_x_to_y" }', SERVER_TEST),
    Grpc("Regress: no input", "Regress", signature("regress_x_to_y"), "INVALID_ARGUMENT", "Input is empty.",
         "servables/tensorflow/util.cc"),
    Grpc("MultiInference", "MultiInference",
         TASK % ("regress_x_to_y", "tensorflow/serving/regress") + TASK % ("classify_x_to_y", "tensorflow/serving/classify")
         + EXAMPLE, "OK",
         'results { model_spec { name: "half_plus_two" version { value: 123 } signature_name: "regress_x_to_y" } '
         'regression_result { regressions { value: 3.0 } } } '
         'results { model_spec { name: "half_plus_two" version { value: 123 } signature_name: "classify_x_to_y" } '
         'classification_result { classifications { classes { score: 3.0 } } } }', SERVER_TEST),
    Grpc("MultiInference: a method that it has not", "MultiInference", TASK % ("", "tensorflow/serving/predict") + EXAMPLE,
         "UNIMPLEMENTED", "Unsupported signature method_name: tensorflow/serving/predict", MULTI),
    Grpc("MultiInference: a signature twice", "MultiInference", TASK % ("regress_x_to_y", "tensorflow/serving/regress") * 2 + EXAMPLE,
         "INVALID_ARGUMENT", "Duplicate evaluation of signature: regress_x_to_y", MULTI),
]

REQUESTS = {"Predict": predict_pb2.PredictRequest, "Classify": classification_pb2.ClassificationRequest,
            "Regress": regression_pb2.RegressionRequest, "MultiInference": inference_pb2.MultiInferenceRequest}


def ask_rest(runtime, case):
    """The HTTP response of `runtime`, which has `rest` and `grpc`, its addresses."""
    url = f"http://{runtime.rest}{case.path}"
    return requests.get(url, timeout=30) if case.body is None else requests.post(url, data=case.body.encode(), timeout=30)


def ask_grpc(runtime, case):
    """(name of the code, the answer as text on one line or the details of the error, trailing metadata)"""
    request = text_format.Parse(case.request, REQUESTS[case.rpc]())
    with grpc.insecure_channel(runtime.grpc) as channel:
        try:
            answer, call = getattr(prediction_service_pb2_grpc.PredictionServiceStub(channel), case.rpc).with_call(request, timeout=30)
        except grpc.RpcError as error:
            return error.code().name, error.details(), dict(error.trailing_metadata())
        return "OK", text_format.MessageToString(answer, as_one_line=True), dict(call.trailing_metadata())


def cell(text):
    return f"`{text}`".replace("|", "\\|").replace("\n", " ") if text else ""


def table(runtime):
    """Markdown: each case with what TensorFlow Serving and what `runtime` answers."""
    print("| case | asked | TensorFlow Serving answers | known from | ours |\n|---|---|---|---|---|")
    for case in REST_CASES:
        answer = ask_rest(runtime, case)
        said = answer.text if answer.status_code == 200 else answer.json()["error"]
        asked = cell(f"{'GET' if case.body is None else 'POST'} {case.path}") + " " + cell(case.body)
        print(f"| {case.name} | {asked} | {case.code} {cell(case.says)} | {case.known} | {answer.status_code} {cell(said)} |")
    for case in GRPC_CASES:
        code, said, _ = ask_grpc(runtime, case)
        print(f"| {case.name} | {cell(case.request)} | {case.code} {cell(case.says)} | {case.known} | {code} {cell(said)} |")


def main():
    import conftest  # here: pytest imports this module, too
    import make_models
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder)
        make_models.save_half_plus_two(base / "half_plus_two/123")
        runtime = conftest.Runtime(base / "run", "half_plus_two", base_path=base / "half_plus_two")
        try:
            table(runtime)
        finally:
            runtime.close()


if __name__ == "__main__":
    sys.exit(main())
