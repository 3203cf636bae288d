#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_backend.h"
#include "serving-runtime/api/oip/infer_json.h"
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

TEST(ParseInfer, TakesDataBeforeItsShapeNestedOrFlat) {
  for (const char* data : {"[1,2,3,4]", "[[1,2],[3,4]]"}) {
    auto request =
        parse_infer(std::string(R"({"id":"7","inputs":[{"data":)") + data +
                        R"(,"name":"x","shape":[2,2],"datatype":"FP32"}],"parameters":{"signature_name":"s"}})",
                    {});
    ASSERT_TRUE(request.ok()) << request.status();
    EXPECT_EQ(request->id, "7");
    EXPECT_EQ(request->signature_name, "s");
    EXPECT_THAT(request->inputs[0].tensor.shape(), ElementsAre(2, 2));
    EXPECT_THAT(to_vector(request->inputs[0].tensor), ElementsAre(1, 2, 3, 4));
  }
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
  EXPECT_THAT(refused(input(R"("name":"x","shape":[1])")), HasSubstr("neither data nor binary_data_size"));
  EXPECT_THAT(refused(input(R"("name":"x","shape":[1],"datatype":"FP31","data":[1])")),
              HasSubstr("unknown datatype 'FP31'"));
  EXPECT_THAT(refused(input(R"("name":"x","shape":[-1],"datatype":"FP32","data":[1])")), HasSubstr("negative"));
  EXPECT_THAT(refused(input(R"("name":"x","shape":[3],"datatype":"FP32","data":[1,2])")), HasSubstr("only 2 elements"));
  EXPECT_THAT(refused(input(R"("name":"x","shape":[0],"datatype":"FP32","data":[])")), "");
  EXPECT_THAT(
      refused(
          R"({"inputs":[{"name":"x","shape":[0],"datatype":"FP32","data":[]},{"name":"x","shape":[0],"datatype":"FP32","data":[]}]})"),
      HasSubstr("is there twice"));
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

TEST(RawTensor, RefusesBytesThatDoNotFit) {
  EXPECT_FALSE(from_raw(DataType::kFloat, {2}, "1234").ok());
  EXPECT_FALSE(from_raw(DataType::kString, {1}, std::string_view("\xff\xff\xff\xffx", 5)).ok());
  EXPECT_FALSE(from_raw(DataType::kString, {2}, std::string_view("\1\0\0\0x", 5)).ok());
  EXPECT_FALSE(from_raw(DataType::kFloat, {4, (int64_t{1} << 60) + 2}, "").ok());
  EXPECT_TRUE(from_raw(DataType::kFloat, {0}, "").ok());
}

}  // namespace
}  // namespace tidegate::serving::oip
