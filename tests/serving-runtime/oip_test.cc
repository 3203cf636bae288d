#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/strings.h"
#include "fake_backend.h"
#include "serving-runtime/api/oip/classification.h"
#include "serving-runtime/api/oip/infer_json.h"
#include "serving-runtime/api/oip/raw_body.h"
#include "serving-runtime/api/oip/raw_tensor.h"

namespace tidegate::serving::oip {
namespace {

using model::DataType;
using testing::ElementsAre;
using testing::HasSubstr;

std::string refused(std::string_view body, std::optional<size_t> json_bytes = {}) {
  auto request = parse_infer(body, json_bytes);
  return request.ok() ? "" : std::string(request.status().message());
}

TEST(ParseInfer, TakesDataBeforeOrBehindItsShapeNestedOrFlat) {
  for (const char* data : {R"("data":[1,2,3,4])", R"("data":[[1,2],[3,4]])"}) {
    std::string rest = R"("name":"x","shape":[2,2],"datatype":"FP32")";
    for (const std::string& members : {data + ("," + rest), rest + "," + data}) {
      auto request =
          parse_infer(R"({"id":"7","inputs":[{)" + members + R"(}],"parameters":{"signature_name":"s"}})", {});
      ASSERT_TRUE(request.ok()) << request.status();
      EXPECT_EQ(request->id, "7");
      EXPECT_EQ(request->parameters.signature_name, "s");
      EXPECT_THAT(request->inputs[0].tensor.shape(), ElementsAre(2, 2));
      EXPECT_THAT(to_vector(request->inputs[0].tensor), ElementsAre(1, 2, 3, 4));
    }
  }
}

TEST(ParseInfer, RoundsWholeNumbersAsItRoundsOthers) {
  auto data = [](const char* type, const char* number) {
    return base::cat(R"({"inputs":[{"name":"x","shape":[1],"datatype":")", type, R"(","data":[)", number, "]}]}");
  };
  EXPECT_THAT(to_vector(parse_infer(data("FP32", "20000000"), {})->inputs[0].tensor), ElementsAre(20000000));
  EXPECT_THAT(to_vector(parse_infer(data("FP32", "-16777217"), {})->inputs[0].tensor), ElementsAre(-16777216));
  EXPECT_THAT(parse_infer(data("FP64", "18446744073709551615"), {})->inputs[0].tensor.values<double>(),
              ElementsAre(18446744073709551616.0));
  EXPECT_THAT(refused(data("FP32", "1e39")), HasSubstr("to float without loss"));
  EXPECT_THAT(refused(data("FP16", "70000")), HasSubstr("to half without loss"));
}

TEST(ParseInfer, TakesBinaryTensorsBehindTheJson) {
  std::string json = R"({"inputs":[{"name":"a","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}},)"
                     R"({"name":"b","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":6}}]})";
  std::string body = json + std::string("\0\0\x80\x3f", 4) + std::string("\2\0\0\0hi", 6);
  auto request = parse_infer(body, json.size());
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(to_vector(request->inputs[0].tensor), ElementsAre(1));
  EXPECT_EQ(request->inputs[1].tensor.strings()[0].size, 2u);
  EXPECT_THAT(refused(body + "x", json.size()), HasSubstr("1 bytes at the body's end belong to no input"));
  EXPECT_THAT(refused(body.substr(0, json.size() + 5), json.size()), HasSubstr("only 1 bytes of the body are left"));
  EXPECT_THAT(refused(body, body.size() + 1), HasSubstr("Inference-Header-Content-Length"));
}

TEST(ParseInfer, RefusesWhatIsNotTheProtocol) {
  auto input = [](const char* members) { return std::string(R"({"inputs":[{)") + members + "}]}"; };
  EXPECT_THAT(refused(""), HasSubstr("empty"));
  EXPECT_THAT(refused("[]"), HasSubstr("is not an object"));
  EXPECT_THAT(refused(input(R"("name":"x")")), HasSubstr("input 'x' has no shape"));
  EXPECT_THAT(refused(input(R"("name":"x","shape":[1],"datatype":"FP32")")),
              HasSubstr("neither data nor binary_data_size"));
  EXPECT_THAT(refused(input(R"("name":"x","shape":[1],"datatype":"FP31","data":[1])")),
              HasSubstr("unknown datatype 'FP31'"));
  EXPECT_THAT(refused(input(R"("name":"x","shape":[-1],"datatype":"FP32","data":[1])")), HasSubstr("negative"));
  EXPECT_THAT(refused(input(R"("name":"x","shape":[3],"datatype":"FP32","data":[1,2])")), HasSubstr("only 2 elements"));
  EXPECT_THAT(refused(input(R"("name":"x","shape":[0],"datatype":"FP32","data":[])")), "");
  EXPECT_THAT(refused(input(R"("name":"x","shape":[1],"data":[1])")), HasSubstr("input 'x' has no datatype"));
  EXPECT_THAT(refused(input(R"("name":"x","shape":[1],"datatype":"FP32","data":[1],"datatype":"FP64")")),
              HasSubstr("an input has datatype twice"));
  EXPECT_THAT(refused("{}", 0), HasSubstr("empty"));
  EXPECT_THAT(refused(input(R"("name":"x","shape":[1],"shape":[2],"datatype":"FP32","data":[1])")),
              HasSubstr("an input has shape twice"));
  EXPECT_THAT(refused(input(R"("name":"x","shape":[1],"datatype":"FP32","data":[1],"data":[1])")),
              HasSubstr("an input has data twice"));
  EXPECT_THAT(
      refused(input(R"("name":"x","shape":[1],"datatype":"FP32","data":[1],"parameters":{"binary_data_size":4})")),
      HasSubstr("input 'x' has both data and binary_data_size"));
  EXPECT_THAT(refused(R"({"id":"1"})"), HasSubstr("the request has no inputs"));
  EXPECT_EQ(refused("{\"id\":\"\xff\",\"inputs\":[]}"), "id is not UTF-8");
  EXPECT_THAT(refused(R"({"inputs":[],"inputs":[]})"), HasSubstr("the request has inputs twice"));
}

TEST(ParseInfer, RefusesParametersByNameThatItDoesNotHonour) {
  auto request = [](const char* parameters) {
    return refused(base::cat(R"({"inputs":[],"parameters":{)", parameters, "}}"));
  };
  EXPECT_THAT(request(R"("temperature":1.5)"), HasSubstr("request parameter 'temperature' is unknown"));
  EXPECT_THAT(request(R"("priority":3)"), HasSubstr("request parameter 'priority' is not offered"));
  EXPECT_THAT(request(R"("sequence_id":7)"), HasSubstr("request parameter 'sequence_id' is not offered"));
  EXPECT_THAT(request(R"("sequence_start":true)"), HasSubstr("'sequence_start' is not offered"));
  EXPECT_THAT(request(R"("timeout":"soon")"), HasSubstr("'timeout' must be a whole number of microseconds"));
  EXPECT_THAT(request(R"("timeout":-1)"), HasSubstr("'timeout' must be a whole number of microseconds"));
  EXPECT_THAT(request(R"("timeout":[1])"), HasSubstr("must be a string, a number, true or false"));
  EXPECT_THAT(request(R"("signature_name":5)"), HasSubstr("'signature_name' must be a string"));
  EXPECT_THAT(request(R"("binary_data_output":1)"), HasSubstr("binary_data_output must be true or false"));
  EXPECT_EQ(request(R"("priority":0,"sequence_id":"","sequence_end":false,"timeout":0)"), "") << "ask for nothing";
  EXPECT_THAT(refused(R"({"inputs":[{"parameters":{"headers":"a"},"name":"x","shape":[0],"datatype":"FP32",)"
                      R"("data":[]}]})"),
              HasSubstr("input 'x' parameter 'headers' is unknown"));
  EXPECT_THAT(refused(R"({"inputs":[],"outputs":[{"name":"y","parameters":{"classification":-2}}]})"),
              HasSubstr("classification must be a whole number"));
  EXPECT_THAT(refused(R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32",)"
                      R"("parameters":{"shared_memory_region":"r","shared_memory_byte_size":4}}]})"),
              HasSubstr("input 'x' parameter 'shared_memory_region' is not offered"));
  EXPECT_THAT(refused(R"({"inputs":[],"outputs":[{"name":"y","parameters":{"shared_memory_region":"r"}}]})"),
              HasSubstr("output 'y' parameter 'shared_memory_region' is not offered"));
}

TEST(ParseInfer, TakesMlServersContentTypesOfPlainTensors) {
  auto request = [](const char* type, const char* whole) {
    return refused(base::cat(R"({"inputs":[{"name":"x","shape":[0],"datatype":"BYTES","data":[],"parameters":)",
                             R"({"content_type":)", type, R"(}}],"parameters":{"content_type":)", whole, "}}"));
  };
  EXPECT_EQ(request(R"("np")", R"("np")"), "");
  EXPECT_EQ(request(R"("str")", R"("pd")"), "");
  EXPECT_THAT(request(R"("base64")", R"("np")"), HasSubstr("input 'x' parameter 'content_type' is 'base64'"));
  EXPECT_THAT(request(R"("np")", R"("hg_json")"), HasSubstr("request parameter 'content_type' is 'hg_json'"));
  EXPECT_THAT(request(R"("np")", "1"), HasSubstr("request parameter 'content_type' must be a string"));
}

TEST(ParseInfer, TakesWhatIsNullForAbsent) {
  EXPECT_EQ(refused(R"({"id":null,"parameters":null,"outputs":null,"inputs":[{"name":"x","shape":[1],)"
                    R"("datatype":"FP32","parameters":null,"data":[1]}]})"),
            "");
  EXPECT_EQ(refused(R"({"inputs":[],"parameters":{"timeout":null,"priority":null,"binary_data_output":null},)"
                    R"("outputs":[{"name":"y","parameters":{"binary_data":null}}]})"),
            "");
  std::string json = R"({"inputs":[{"name":"x","shape":[1],"datatype":"BOOL","data":null,)"
                     R"("parameters":{"binary_data_size":1}}]})";
  EXPECT_EQ(refused(json + "\1", json.size()), "");
  EXPECT_THAT(refused(R"({"inputs":null})"), HasSubstr("the request has no inputs"));
  EXPECT_THAT(refused(R"({"inputs":[{"name":null}]})"), HasSubstr("an input has no name"));
  EXPECT_THAT(refused(R"({"id":nul,"inputs":[]})"), HasSubstr("JSON Parse error"));
}

TEST(ParseInfer, ReadsATimeoutInMicroseconds) {
  auto request = parse_infer(R"({"inputs":[],"parameters":{"timeout":1500}})", {});
  EXPECT_EQ(request->parameters.timeout, absl::Microseconds(1500));
  EXPECT_EQ(parse_infer(R"({"inputs":[],"parameters":{"timeout":18446744073709551615}})", {})->parameters.timeout,
            absl::Microseconds(int64_t{1} << 53));
}

class RawInfer : public testing::Test {
 protected:
  void input(DataType type, Shape shape) { signature_.inputs = {{"x", "x:0", type, false, std::move(shape)}}; }
  Shape shape_of(std::string_view body) {
    auto request = raw_infer(signature_, body);
    EXPECT_TRUE(request.ok()) << request.status();
    return request.ok() ? request->inputs[0].tensor.shape() : Shape{};
  }
  std::string refused(std::string_view body) { return std::string(raw_infer(signature_, body).status().message()); }

  model::Signature signature_{"serving_default", "", {}, {float_spec("y")}};
};

TEST_F(RawInfer, TakesTheOneOpenSizeFromTheBytes) {
  input(DataType::kInt16, {-1, 3});
  EXPECT_THAT(shape_of(std::string(12, 'a')), ElementsAre(2, 3));
  EXPECT_THAT(shape_of(""), ElementsAre(0, 3));
  EXPECT_THAT(refused(std::string(13, 'a')), HasSubstr("input 'x': 13 raw bytes were sent"));
  EXPECT_THAT(refused(std::string(8, 'a')), HasSubstr("shape [1,3] need 6"));
  input(DataType::kFloat, {2});
  EXPECT_THAT(shape_of("12345678"), ElementsAre(2));
  EXPECT_THAT(refused("1234"), HasSubstr("shape [2] need 8"));
  input(DataType::kFloat, {-1, 0});
  EXPECT_THAT(refused("1234"), HasSubstr("4 raw bytes were sent"));
  auto request = raw_infer(signature_, "");
  EXPECT_TRUE(request->binary_by_default && request->outputs.empty());
}

TEST_F(RawInfer, TakesABodyForOneString) {
  input(DataType::kString, {-1, 1});
  EXPECT_THAT(shape_of("a picture"), ElementsAre(1, 1));
  auto request = raw_infer(signature_, std::string_view("\0\xff", 2));
  EXPECT_EQ(request->inputs[0].tensor.strings()[0].size, 2u);
  input(DataType::kString, {2});
  EXPECT_THAT(refused("a"), HasSubstr("more than one string"));
}

TEST_F(RawInfer, IsNotForSignaturesThatTheBytesDoNotDecide) {
  input(DataType::kFloat, {-1, -1});
  EXPECT_THAT(refused(""), HasSubstr("more than one size of its input is open"));
  signature_.inputs[0].unknown_rank = true;
  EXPECT_THAT(refused(""), HasSubstr("the rank of its input is not known"));
  input(DataType::kComplex64, {1});
  EXPECT_THAT(refused("12345678"), HasSubstr("the protocol does not have the type"));
  signature_.inputs.push_back(float_spec("z"));
  EXPECT_THAT(refused(""), HasSubstr("not for signature 'serving_default': it has 2 inputs"));
}

TEST(PrintInfer, PutsBinaryOutputsBehindTheJson) {
  auto alive = std::make_shared<std::atomic<int>>(0);
  Servable servable("m", 3, "", "fake", std::make_unique<FakeModel>(absl::OkStatus(), alive));
  std::vector<NamedTensor> outputs;
  outputs.push_back({"y", floats({1})});
  outputs.push_back({"z", floats({2})});
  InferRequest request;
  request.outputs = {{"y", true}, {"z", {}}};
  auto response = print_infer(request, servable, outputs);
  ASSERT_TRUE(response->json_bytes);
  EXPECT_EQ(
      response->body.substr(0, *response->json_bytes),
      R"({"model_name":"m","model_version":"3","outputs":[{"name":"y","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}},)"
      R"({"name":"z","datatype":"FP32","shape":[1],"data":[2.0]}]})");
  EXPECT_EQ(response->body.substr(*response->json_bytes), std::string("\0\0\x80\x3f", 4));
}

TEST(PrintInfer, RefusesBytesThatJsonCannotCarryUnlessTheyGoBinary) {
  auto alive = std::make_shared<std::atomic<int>>(0);
  Servable servable("m", 3, "", "fake", std::make_unique<FakeModel>(absl::OkStatus(), alive));
  StringList strings;
  strings.push("\xc3\xa4");
  strings.push("\xff");
  std::vector<NamedTensor> outputs;
  outputs.push_back({"s", Tensor({2}, std::move(strings))});
  InferRequest request;
  EXPECT_THAT(print_infer(request, servable, outputs).status().message(),
              HasSubstr("output 's' holds bytes that are no UTF-8"));
  request.binary_by_default = true;
  EXPECT_THAT(print_infer(request, servable, outputs)->body, testing::EndsWith(std::string("\1\0\0\0\xff", 5)));
}

std::vector<std::string> classes(const Tensor& output, uint64_t wanted, Shape shape) {
  auto classified = classify(output, wanted);
  EXPECT_TRUE(classified.ok()) << classified.status();
  std::vector<std::string> texts;
  if (!classified.ok()) return texts;
  EXPECT_EQ(classified->shape(), shape);
  for (const TidegateString& text : classified->strings()) texts.emplace_back(text.data, text.size);
  return texts;
}

TEST(Classify, TellsTheLargestElementsOfEachRowAndWhereTheyAre) {
  const Tensor rows = floats({1, 5, 10, 4, 0.25, -1, 0.25, -2}, {2, 4});
  EXPECT_THAT(classes(rows, 2, {2, 2}), ElementsAre("10.0:2", "5.0:1", "0.25:0", "0.25:2"));
  EXPECT_THAT(classes(floats({1, 2, 3, 4}, {1, 2, 2}), 1, {1, 1}), ElementsAre("4.0:3"));
  EXPECT_THAT(classes(floats({1, 2}), 9, {2}), ElementsAre("2.0:1", "1.0:0"));
  EXPECT_THAT(classes(floats({7}, {}), 1, {1}), ElementsAre("7.0:0"));
  EXPECT_THAT(classes(Tensor(DataType::kFloat, {0, 4}, AlignedBuffer()), 2, {0, 2}), ElementsAre());
  EXPECT_THAT(classes(Tensor(DataType::kFloat, {int64_t{1} << 48, 0}, AlignedBuffer()), 2, {int64_t{1} << 48, 0}),
              ElementsAre());
  EXPECT_THAT(classes(Tensor(DataType::kFloat, {0, int64_t{1} << 40}, AlignedBuffer()), 1, {0, 1}), ElementsAre());
}

TEST(Classify, ComparesEachTypeAsItIsAndPutsNotANumberLast) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(classes(floats({kNan, -1, kNan, 1}), 4, {4}), ElementsAre("1.0:3", "-1.0:1", "NaN:0", "NaN:2"));
  AlignedBuffer wide, half;
  for (const uint64_t value : {uint64_t{1} << 63, (uint64_t{1} << 63) + 1}) wide.push(value);
  EXPECT_THAT(classes(Tensor(DataType::kUint64, {2}, std::move(wide)), 1, {1}), ElementsAre("9223372036854775809:1"));
  for (const uint16_t bits : {uint16_t{0xbc00}, uint16_t{0x3c00}}) half.push(bits);  // -1 and 1
  EXPECT_THAT(classes(Tensor(DataType::kHalf, {2}, std::move(half)), 1, {1}), ElementsAre("1.0:1"));
  EXPECT_FALSE(classify(Tensor({0}, StringList()), 1).ok());
  EXPECT_FALSE(has_classes(DataType::kBool) || has_classes(DataType::kString) || has_classes(DataType::kComplex64));
  EXPECT_TRUE(has_classes(DataType::kBfloat16) && has_classes(DataType::kInt8));
}

TEST(RawTensor, RefusesBytesThatDoNotFit) {
  EXPECT_FALSE(from_raw(DataType::kBool, {2}, std::string_view("\0\2", 2)).ok());
  EXPECT_TRUE(from_raw(DataType::kBool, {2}, std::string_view("\0\1", 2)).ok());
  EXPECT_FALSE(from_raw(DataType::kFloat, {2}, "1234").ok());
  EXPECT_FALSE(from_raw(DataType::kString, {1}, std::string_view("\xff\xff\xff\xffx", 5)).ok());
  EXPECT_FALSE(from_raw(DataType::kString, {2}, std::string_view("\1\0\0\0x", 5)).ok());
  EXPECT_FALSE(from_raw(DataType::kFloat, {4, (int64_t{1} << 60) + 2}, "").ok());
  EXPECT_TRUE(from_raw(DataType::kFloat, {0}, "").ok());
}

}  // namespace
}  // namespace tidegate::serving::oip
