#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_backend.h"
#include "serving-runtime/api/http_status.h"
#include "serving-runtime/api/tfs/grpc_messages.h"
#include "serving-runtime/api/tfs/predict_json.h"
#include "serving-runtime/api/tfs/rest_path.h"
#include "serving-runtime/api/tfs/tensor_proto.h"
#include "serving-runtime/repository/recorded_requests.h"

namespace tidegate::serving::tfs {
namespace {

using model::DataType;
using testing::ElementsAre;
using testing::HasSubstr;

RestPath path(std::string_view method, std::string_view text) {
  auto parsed = parse_rest_path(method, text);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.value_or(RestPath{});
}

TEST(RestPath, ReadsModelVersionLabelAndVerb) {
  EXPECT_EQ(path("POST", "/v1/models/m:predict").verb, Verb::kPredict);
  EXPECT_EQ(path("POST", "/V1/Models/m:predict").model.name, "m");
  EXPECT_EQ(path("POST", "/v1/models/m/versions/7:regress").model.version, 7);
  EXPECT_EQ(path("POST", "/v1/models/m/labels/a%20b:classify").model.label, "a b");
  EXPECT_EQ(path("GET", "/v1/models/a%2Fb").model.name, "a/b");
  EXPECT_EQ(path("GET", "/v1/models/m/versions/7/metadata").verb, Verb::kMetadata);
  EXPECT_EQ(path("GET", "/v1/models/m/METADATA").verb, Verb::kStatus);
  EXPECT_EQ(path("GET", "/v1/models/m/labels/l").verb, Verb::kStatus);
}

TEST(RestPath, RefusesWhatTensorflowServingsExpressionsDoNotMatch) {
  for (auto [method, text] :
       std::initializer_list<std::pair<std::string_view, std::string_view>>{{"GET", "/v1/foo"},
                                                                            {"POST", "/v1/models"},
                                                                            {"POST", "/v1/models/m"},
                                                                            {"POST", "/v1/models/m:explain"},
                                                                            {"POST", "/v1/models/m:PREDICT"},
                                                                            {"GET", "/v1/models/m/versions/HELLO"},
                                                                            {"GET", "/v1/models/m/versions/"},
                                                                            {"GET", "/v1/models/m:predict"},
                                                                            {"PUT", "/v1/models/m"},
                                                                            {"POST", "/v1/models/m:predict/"},
                                                                            {"GET", "/v1/models/"},
                                                                            {"GET", "/v1/modelsm"}}) {
    auto refused = parse_rest_path(method, text);
    EXPECT_EQ(refused.status().message(),
              absl::string_view(std::string("Malformed request: ").append(method).append(" ").append(text)));
  }
  EXPECT_EQ(parse_rest_path("GET", "/v1/models").status().message(), "Missing model name in request.");
  EXPECT_FALSE(parse_rest_path("GET", "/v1/models/a%00b").ok());
  EXPECT_FALSE(parse_rest_path("GET", std::string_view("/v1/models/a\0b", 14)).ok());
  EXPECT_EQ(parse_rest_path("GET", "/v1/models/m/versions/18446744073709551615").status().message(),
            "Failed to convert version: 18446744073709551615 to numeric.");
}

const model::Signature& two_inputs() {
  static const model::Signature signature = {
      "serving_default", "", {float_spec("a"), {"b", "b:0", DataType::kInt64, false, {-1, 2}}}, {float_spec("y")}};
  return signature;
}

absl::StatusOr<PredictInputs> decode(std::string_view body, const model::Signature& signature) {
  auto document = RequestDocument::scan(body);
  if (!document.ok()) return document.status();
  return decode_predict(*document, signature);
}

TEST(DecodePredict, BatchesRowsOfNamedInputs) {
  auto inputs = decode(R"({"instances":[{"b":[1,2],"a":0.5},{"a":1,"b":[3,4]}]})", two_inputs());
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  EXPECT_EQ(inputs->format, Format::kRow);
  EXPECT_THAT(to_vector(inputs->tensors[0].tensor), ElementsAre(0.5f, 1.0f));
  EXPECT_THAT(inputs->tensors[1].tensor.shape(), ElementsAre(2, 2));
  EXPECT_THAT(inputs->tensors[1].tensor.values<int64_t>(), ElementsAre(1, 2, 3, 4));
}

TEST(DecodePredict, LeavesOutInputsThatNoRowHas) {
  const model::Signature signature = {"", "", {{"a", "a:0", DataType::kString, false, {-1}}, float_spec("b")}, {}};
  auto inputs = decode(R"({"instances":[{"b64":"aGk="}]})", signature);
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  ASSERT_EQ(inputs->tensors.size(), 1u);
  EXPECT_EQ(inputs->tensors[0].name, "a");
}

TEST(DecodePredict, CountsTheRowsAmongATensorsDimensions) {
  const model::Signature one = {"", "", {float_spec("a")}, {}};
  auto rows = [&one](size_t dimensions) {
    std::string body =
        "{\"instances\":[" + std::string(dimensions - 1, '[') + "1" + std::string(dimensions - 1, ']') + "]}";
    return decode_predict(*RequestDocument::scan(body), one);
  };
  EXPECT_EQ(rows(254)->tensors[0].tensor.shape().size(), 254u);
  EXPECT_THAT(rows(255).status().message(), HasSubstr("at most 254 dimensions"));
}

TEST(RequestDocument, FindsTheSignatureNameWhereverItStands) {
  auto name = [](std::string_view body) { return *RequestDocument::scan(body)->signature_name(); };
  EXPECT_EQ(name(R"({"instances":[1],"signature_name":"s"})"), "s");
  EXPECT_EQ(name(R"({"signature_name":"s","x":{"signature_name":"t"},"signature_name":"u"})"), "s");
}

TEST(RequestDocument, PassesOverAByteOrderMark) {
  EXPECT_TRUE(RequestDocument::scan("\xEF\xBB\xBF{\"instances\":[1]}")->find("instances"));
  EXPECT_EQ(RequestDocument::scan("{\xEF\xBB\xBF}").status().message(),
            "JSON Parse error: Missing a name for object member. at offset: 1");
}

TEST(DecodePredict, RefusesRowsThatDoNotFitInTensorflowServingsWords) {
  auto message = [](std::string_view body) { return std::string(decode(body, two_inputs()).status().message()); };
  EXPECT_THAT(message(R"({"instances":[{"a":1}]})"), HasSubstr("JSON object: {\"a\":1} keys must be equal to: a,b"));
  EXPECT_THAT(
      message(R"({"instances":[{"a":1,"c":1}]})"),
      HasSubstr(
          "element: 0 key: c of 'instances' list. Error: INVALID_ARGUMENT: JSON object: does not have named input: c"));
  EXPECT_THAT(message(R"({"instances":[{"a":1,"a":1}]})"), HasSubstr("names twice the input: a"));
  EXPECT_EQ(message(R"({"instances":[{"a":1,"b":[1,2]},3]})"), "Expecting object but got list at item 1 of input list");
  EXPECT_THAT(message(R"({"instances":[1]})"), HasSubstr("instances is a plain list, but expecting list of objects"));
  EXPECT_THAT(message(R"({"inputs":[1]})"), HasSubstr("inputs is a plain value/list, but expecting an object"));
  EXPECT_EQ(message(R"({"inputs":{"a":1}})"), "Missing named input: b in 'inputs' object.");
}

std::string encode(std::vector<NamedTensor> outputs, Format format) {
  auto encoded = encode_predict(outputs, format);
  return encoded.ok() ? *encoded : std::string(encoded.status().message());
}

std::vector<NamedTensor> outputs(Tensor first) {
  std::vector<NamedTensor> list;
  list.push_back({"y", std::move(first)});
  return list;
}

TEST(EncodePredict, DropsTheNameOfASingleOutput) {
  EXPECT_EQ(encode(outputs(floats({1, 2, 3, 4}, {2, 2})), Format::kRow), R"({"predictions":[[1.0,2.0],[3.0,4.0]]})");
  EXPECT_EQ(encode(outputs(floats({1, 2})), Format::kColumn), R"({"outputs":[1.0,2.0]})");
}

TEST(EncodePredict, NamesSeveralOutputsAndWantsOneBatchSizeForRows) {
  auto two = outputs(floats({1, 2}));
  two.push_back({"z", floats({5, 6, 7, 8}, {2, 2})});
  EXPECT_EQ(encode(std::move(two), Format::kRow),
            R"({"predictions":[{"y":1.0,"z":[5.0,6.0]},{"y":2.0,"z":[7.0,8.0]}]})");
  auto uneven = outputs(floats({1, 2}));
  uneven.push_back({"z", floats({5})});
  EXPECT_EQ(encode(std::move(uneven), Format::kRow), "Tensor name: z has inconsistent batch size: 1 expecting: 2");
  EXPECT_EQ(encode(outputs(floats({}, {0, 2})), Format::kRow), R"({"predictions":[]})");
  EXPECT_EQ(encode(outputs(floats({}, {0, 2})), Format::kColumn), R"({"outputs":[]})");
}

absl::StatusOr<Tensor> decoded(const tensorflow::TensorProto& proto) {
  RepeatAllowance allowance;
  return from_proto(proto, allowance);
}

TEST(TensorProto, RepeatsTheLastValueAndTakesRawContent) {
  tensorflow::TensorProto proto;
  proto.set_dtype(1);
  proto.mutable_tensor_shape()->add_dim()->set_size(3);
  proto.add_float_val(1);
  proto.add_float_val(2);
  EXPECT_THAT(to_vector(*decoded(proto)), ElementsAre(1, 2, 2));
  proto.clear_float_val();
  EXPECT_THAT(to_vector(*decoded(proto)), ElementsAre(0, 0, 0));
  proto.set_tensor_content(std::string("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40", 12));
  EXPECT_THAT(to_vector(*decoded(proto)), ElementsAre(1, 2, 3));
  proto.set_tensor_content("12345678");
  EXPECT_THAT(decoded(proto).status().message(), HasSubstr("need 12"));
}

TEST(TensorProto, RefusesShapesThatClaimMoreThanWasSent) {
  tensorflow::TensorProto proto;
  proto.set_dtype(1);
  proto.mutable_tensor_shape()->add_dim()->set_size(int64_t{1} << 40);
  proto.add_float_val(1);
  EXPECT_EQ(decoded(proto).status().code(), absl::StatusCode::kInvalidArgument);
  proto.mutable_tensor_shape()->add_dim()->set_size(int64_t{1} << 60);
  EXPECT_EQ(decoded(proto).status().code(), absl::StatusCode::kInvalidArgument);
  proto.mutable_tensor_shape()->mutable_dim(0)->set_size(-1);
  EXPECT_EQ(decoded(proto).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(TensorProto, RefusesARawBoolThatIsNeitherTrueNorFalse) {
  tensorflow::TensorProto proto;
  proto.set_dtype(10);
  proto.mutable_tensor_shape()->add_dim()->set_size(2);
  proto.set_tensor_content(std::string("\0\1", 2));
  EXPECT_THAT(decoded(proto)->values<uint8_t>(), ElementsAre(0, 1));
  proto.set_tensor_content(std::string("\0\2", 2));
  EXPECT_THAT(decoded(proto).status().message(), HasSubstr("a byte other than 0 and 1"));
}

TEST(TensorProto, RepeatsAComplexNumberWhole) {
  tensorflow::TensorProto proto;
  proto.set_dtype(8);
  proto.mutable_tensor_shape()->add_dim()->set_size(3);
  for (float part : {1.0F, 2.0F, 3.0F, 4.0F}) proto.add_scomplex_val(part);
  EXPECT_THAT(to_vector(*decoded(proto)), ElementsAre(1, 2, 3, 4, 3, 4));
}

TEST(TensorProto, WritesNumbersAsTypedFieldsOrAsContent) {
  tensorflow::TensorProto typed, content;
  to_proto(floats({1, 2}), typed);
  to_proto(floats({1, 2}), content, ProtoForm::kContent);
  EXPECT_THAT(typed.float_val(), ElementsAre(1, 2));
  EXPECT_EQ(typed.tensor_content(), "");
  EXPECT_EQ(content.float_val_size(), 0);
  EXPECT_EQ(content.tensor_content(), std::string("\0\0\x80\x3f\0\0\0\x40", 8));
}

TEST(TensorProto, CarriesQuantisedIntegersAsTheirNumbers) {
  for (int32_t type : {11, 12, 13, 15, 16}) {
    tensorflow::TensorProto proto, back;
    proto.set_dtype(type);
    proto.mutable_tensor_shape()->add_dim()->set_size(3);
    for (int value : {0, 5, 100}) proto.add_int_val(value);
    to_proto(*decoded(proto), back);
    EXPECT_EQ(back.dtype(), type);
    EXPECT_THAT(back.int_val(), ElementsAre(0, 5, 100));
  }
}

TEST(TensorProto, RefusesALongStringThatIsToBeRepeatedWithoutBounds) {
  tensorflow::TensorProto proto;
  proto.set_dtype(7);
  proto.mutable_tensor_shape()->add_dim()->set_size(1'000'000);
  proto.add_string_val(std::string(10'000, 'x'));
  EXPECT_EQ(decoded(proto).status().message(), "A tensor of 1000000 strings came with only 1");
}

TEST(TensorProto, SharesTheAllowanceForRepetitionAmongAMessagesTensors) {
  tensorflow::serving::PredictRequest request;
  tensorflow::TensorProto half;
  half.set_dtype(1);
  half.mutable_tensor_shape()->add_dim()->set_size(RepeatAllowance::kBytes / sizeof(float) / 2);
  for (const char* name : {"a", "b", "c"}) (*request.mutable_inputs())[name] = half;
  RepeatAllowance allowance;
  EXPECT_THAT(decode_inputs(request, allowance).status().message(), HasSubstr("elements came with only 0 values"));
}

TEST(RecordedRequests, ShareTheAllowanceForRepetition) {
  tensorflow::serving::PredictionLog log;
  tensorflow::TensorProto& input = (*log.mutable_predict_log()->mutable_request()->mutable_inputs())["x"];
  input.set_dtype(1);
  input.mutable_tensor_shape()->add_dim()->set_size(RepeatAllowance::kBytes / sizeof(float) * 3 / 4);
  const std::string bytes = log.SerializeAsString();
  const uint64_t size = bytes.size();
  std::string record(reinterpret_cast<const char*>(&size), sizeof size);
  record += "crc!" + bytes + "crc!";
  EXPECT_TRUE(parse_recorded_requests(record, "file").ok());
  EXPECT_THAT(parse_recorded_requests(record + record, "file").status().message(),
              HasSubstr("file: record 1: tensor parsing error: x"));
}

TEST(TensorProto, RoundTripsStrings) {
  StringList list;
  list.push("a");
  list.push(std::string_view("\0b", 2));
  tensorflow::TensorProto proto;
  to_proto(Tensor({2}, std::move(list)), proto);
  auto tensor = decoded(proto);
  EXPECT_EQ(std::string(tensor->strings()[1].data, tensor->strings()[1].size), std::string("\0b", 2));
}

TEST(HttpStatus, AnErrorIsTextWhateverItQuotes) {
  EXPECT_EQ(error_response(absl::NotFoundError("no \xff\xe2\x82 \xe2\x82\xac")).body,
            "{\"error\":\"no \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xe2\x82\xac\"}");
}

TEST(HttpStatus, MapsCodesAsTensorflowServingDoes) {
  EXPECT_EQ(to_http_status(absl::StatusCode::kFailedPrecondition), 400);
  EXPECT_EQ(to_http_status(absl::StatusCode::kAborted), 409);
  EXPECT_EQ(to_http_status(absl::StatusCode::kResourceExhausted), 429);
  EXPECT_EQ(to_http_status(absl::StatusCode::kDataLoss), 500);
  EXPECT_EQ(to_http_status(absl::StatusCode::kDeadlineExceeded), 504);
  auto response = error_response(as_model_error(absl::InternalError("a \"quoted\" word")));
  EXPECT_EQ(response.body, R"({"error":"a \"quoted\" word"})");
  EXPECT_THAT(response.headers, ElementsAre(testing::Pair("x-tidegate-error", "model")));
}

}  // namespace
}  // namespace tidegate::serving::tfs
