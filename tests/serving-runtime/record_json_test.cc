#include "serving-runtime/recording/record_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>

#include "sample_record.h"

namespace tidegate::serving {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

Tensor texts(const std::vector<std::string>& values) {
  StringList list;
  for (const std::string& value : values) list.push(value);
  return Tensor({static_cast<int64_t>(values.size())}, std::move(list));
}

TEST(RecordJsonTest, IsARequestOfRestPredictWithWhatBecameOfIt) {
  auto record = make_record(floats({2, 4}));
  std::vector<NamedTensor> outputs;
  outputs.push_back({"y", floats({3, 4})});
  record->note_outputs(outputs);
  record->request_id = "r \"7\"";
  record->traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  EXPECT_EQ(only_line(*record),
            R"({"time":"2023-11-14T22:13:20.123456Z","model":"m","version":3,"api":"tfs_rest","code":"OK",)"
            R"("queue_us":4,"latency_us":310,"request_id":"r \"7\"",)"
            R"("traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",)"
            R"("signature_name":"serving_default","inputs":{"x":[2.0,4.0]},"outputs":{"y":[3.0,4.0]}})");
}

TEST(RecordJsonTest, TellsOfAFailure) {
  auto record = make_record(floats({2}));
  record->status = absl::InternalError(std::string(2000, 'e') + "\xc3\xbc");
  record->model_error = true;
  const json line = json::parse(only_line(*record));
  EXPECT_EQ(line["code"], "INTERNAL");
  EXPECT_EQ(line["error"], std::string(1024, 'e') + "…");
  EXPECT_EQ(line["model_error"], true);
  EXPECT_EQ(line["inputs"], json({{"x", {2.0}}}));
  EXPECT_FALSE(line.contains("outputs"));
}

TEST(RecordJsonTest, SaysWhyThereIsNoPayload) {
  RequestRecord before_a_run;
  EXPECT_EQ(json::parse(only_line(before_a_run))["payload"], "none");
  auto large = make_record(floats({2}));
  large->max_payload_bytes = 7;
  std::vector<NamedTensor> outputs;
  outputs.push_back({"y", floats({2})});
  large->note_outputs(outputs);
  const json line = json::parse(only_line(*large));
  EXPECT_EQ(line["payload"], "too_large");
  EXPECT_FALSE(line.contains("inputs"));
  EXPECT_EQ(large->payload_bytes, 0u);
  auto claiming = make_record(Tensor(model::DataType::kFloat, {int64_t{1} << 48, 0}, AlignedBuffer()));
  EXPECT_EQ(json::parse(only_line(*claiming))["payload"], "too_large");
  EXPECT_THAT(only_line(*make_record(Tensor(model::DataType::kFloat, {2, 0}, AlignedBuffer()))),
              HasSubstr(R"({"x":[[],[]]})"));
  AlignedBuffer complex(16);
  std::fill_n(complex.data(), 16, '\0');
  auto unwritable = make_record(Tensor(model::DataType::kComplex128, {1}, std::move(complex)));
  EXPECT_EQ(json::parse(only_line(*unwritable))["payload"], "not_json");
}

TEST(RecordJsonTest, WritesBytesAsBase64AndTextAsText) {
  EXPECT_THAT(only_line(*make_record(texts({"a\n", "\xc3\xbc"}))), HasSubstr("{\"x\":[\"a\\n\",\"\xc3\xbc\"]}"));
  EXPECT_THAT(only_line(*make_record(texts({"a", "\xff"}))), HasSubstr(R"({"x":[{"b64":"YQ=="},{"b64":"/w=="}]})"));
  EXPECT_THAT(only_line(*make_record(texts({"\x01"}))), HasSubstr(R"({"x":[{"b64":"AQ=="}]})"));
  EXPECT_THAT(only_line(*make_record(texts({"a"}), "image_bytes")), HasSubstr(R"({"image_bytes":[{"b64":"YQ=="}]})"));
  auto record = make_record(floats({2}));
  record->request_id = "\xff";
  EXPECT_THAT(only_line(*record), Not(HasSubstr("request_id")));
}

TEST(RecordJsonTest, QuotesNumbersThatJsonDoesNotHaveWhereJsonIsWanted) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto record = make_record(floats({NAN, infinity, -infinity, -1}), "NaN \"-Infinity");
  EXPECT_THAT(only_line(*record), HasSubstr(R"({"NaN \"-Infinity":[NaN,Infinity,-Infinity,-1.0]})"));
  EXPECT_THAT(only_line(*record, NonFinite::kQuoted),
              HasSubstr(R"({"NaN \"-Infinity":["NaN","Infinity","-Infinity",-1.0]})"));
  EXPECT_TRUE(json::accept(only_line(*record, NonFinite::kQuoted)));
}

TEST(RecordJsonTest, GivesEachRunALine) {
  auto record = make_record(floats({2}));
  std::vector<NamedTensor> inputs;
  inputs.push_back({"x", floats({5})});
  record->note_inputs("other", inputs);
  const std::vector<std::string> lines = record_lines(*record, NonFinite::kBare);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(json::parse(lines[1])["signature_name"], "other");
  EXPECT_EQ(json::parse(lines[1])["inputs"], json({{"x", {5.0}}}));
}

TEST(RecordJsonTest, TravelsAsACloudEvent) {
  auto record = make_record(floats({2}));
  record->traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const std::string line = only_line(*record, NonFinite::kQuoted);
  const json event = json::parse(cloud_event(*record, "/a/models/m", "17-1", line));
  EXPECT_EQ(event["data"], json::parse(line));
  EXPECT_EQ(event["specversion"], "1.0");
  EXPECT_EQ(event["id"], "17-1");
  EXPECT_EQ(event["source"], "/a/models/m");
  EXPECT_EQ(event["type"], "dev.tidegate.prediction");
  EXPECT_EQ(event["time"], "2023-11-14T22:13:20.123456Z");
  EXPECT_EQ(event["datacontenttype"], "application/json");
  EXPECT_EQ(event["traceparent"], record->traceparent);
}

}  // namespace
}  // namespace tidegate::serving
