#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/format_folder.h"
#include "model/model_format.h"
#include "model/onnx_proto.h"
#include "model/onnx_type.h"
#include "model/proto_writer.h"

namespace tidegate::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// Dimensions: a number, or a name, or "" for neither.
std::string shape(const std::vector<std::string>& dims) {
  std::string out;
  for (const std::string& dim : dims) {
    bool numeric = !dim.empty() && isdigit(dim[0]);
    out += bytes(1, numeric ? number(1, std::stoull(dim)) : dim.empty() ? "" : bytes(2, dim));
  }
  return out;
}
std::string tensor_type(int element, const std::string& shape_bytes) {
  return bytes(1, number(1, static_cast<uint64_t>(element)) + bytes(2, shape_bytes));
}
std::string value(const std::string& name, const std::string& type) { return bytes(1, name) + bytes(2, type); }
std::string entry(const std::string& key, const std::string& text) { return bytes(1, key) + bytes(2, text); }

std::string graph_bytes() {
  std::string weight = number(2, 1) + bytes(8, "w") + bytes(9, std::string(500, 'w')) +
                       bytes(13, entry("location", "model.onnx.data")) + bytes(13, entry("offset", "0"));
  return bytes(1, "a node") + bytes(2, "half") + bytes(5, weight) + bytes(15, bytes(1, bytes(8, "sparse"))) +
         bytes(11, value("w", tensor_type(1, shape({"3"})))) + bytes(11, value("sparse", tensor_type(1, ""))) +
         bytes(11, value("x", tensor_type(1, shape({"batch", "3", ""})))) +
         bytes(11, value("a", tensor_type(16, shape({})))) + bytes(12, value("y", bytes(1, number(1, 7))));
}

std::string onnx(const std::string& graph) {
  return number(1, 10) + bytes(2, "pytorch") + bytes(3, "2.9.1") + bytes(4, "ai.example") + number(5, 4) +
         bytes(7, graph) + bytes(8, bytes(1, "") + number(2, 21)) + bytes(8, bytes(1, "com.microsoft") + number(2, 1)) +
         bytes(14, entry("author", "me"));
}

OnnxModel parsed(const std::string& file) {
  OnnxError error;
  auto model = parse_onnx(file, error);
  EXPECT_TRUE(model.has_value()) << error.problem << " at " << error.offset;
  return model.value_or(OnnxModel{});
}

TEST(Onnx, TellsWhereAModelComesFromAndWhatItNeeds) {
  OnnxModel model = parsed(onnx(graph_bytes()));
  EXPECT_EQ(model.ir_version, 10);
  EXPECT_EQ(model.producer, "pytorch");
  EXPECT_EQ(model.producer_version, "2.9.1");
  EXPECT_EQ(model.domain, "ai.example");
  EXPECT_EQ(model.model_version, 4);
  EXPECT_EQ(model.graph, "half");
  EXPECT_THAT(model.opsets, ElementsAre(Pair("ai.onnx", 21), Pair("com.microsoft", 1)));
  EXPECT_THAT(model.metadata, ElementsAre(Pair("author", "me")));
  EXPECT_THAT(model.external_data, ElementsAre("model.onnx.data"));
}

TEST(Onnx, ListsInputsByNameWithoutThoseThatHaveADefault) {
  OnnxModel model = parsed(onnx(graph_bytes()));
  ASSERT_EQ(model.inputs.size(), 2u);
  const OnnxValue &a = model.inputs[0], &x = model.inputs[1], &y = model.outputs.at(0);
  EXPECT_EQ(a.spec.name, "a");
  EXPECT_EQ(a.spec.type, DataType::kBfloat16);
  EXPECT_FALSE(a.spec.unknown_rank);
  EXPECT_EQ(x.spec.tensor_name, "x");
  EXPECT_EQ(x.type, "tensor(float)");
  EXPECT_THAT(x.spec.shape, ElementsAre(-1, 3, -1));
  EXPECT_THAT(x.dim_names, ElementsAre("batch", "", ""));
  EXPECT_EQ(y.spec.type, DataType::kInt64);
  EXPECT_TRUE(y.spec.unknown_rank);
}

TEST(Onnx, NamesTypesThatNoRequestCanCarry) {
  std::string floats = tensor_type(1, ""), map = bytes(5, number(1, 7) + bytes(2, floats));
  std::string graph = bytes(12, value("a", bytes(4, bytes(1, map)))) +
                      bytes(12, value("b", bytes(9, bytes(1, floats)))) +
                      bytes(12, value("c", bytes(8, number(1, 1)))) + bytes(12, value("d", tensor_type(17, ""))) +
                      bytes(12, bytes(1, "e"));
  std::vector<std::string> types;
  for (const OnnxValue& output : parsed(onnx(graph)).outputs) {
    types.push_back(output.type);
    EXPECT_EQ(output.spec.type, DataType::kInvalid);
  }
  EXPECT_THAT(types, ElementsAre("seq(map(int64,tensor(float)))", "optional(tensor(float))", "sparse_tensor(float)",
                                 "tensor(float8e4m3fn)", "undefined"));
}

TEST(Onnx, SaysAtWhichByteAFileIsDamaged) {
  std::string whole = onnx(graph_bytes());
  OnnxError error;
  // The graph is the field that is cut.
  ASSERT_FALSE(parse_onnx(whole.substr(0, whole.find("model.onnx.data")), error));
  EXPECT_EQ(error.offset, whole.find(bytes(7, graph_bytes())));
  EXPECT_THAT(error.problem, HasSubstr("cut short"));
  // A field inside the graph is damaged: its length is beyond its end.
  std::string damaged = whole;
  size_t input = damaged.find(value("x", tensor_type(1, shape({"batch", "3", ""}))));
  damaged[input + 1] = '\x7f';
  ASSERT_FALSE(parse_onnx(damaged, error));
  EXPECT_EQ(error.offset, input);
}

TEST(Onnx, RefusesEveryPrefixAndAFileWithoutAGraph) {
  std::string whole = onnx(graph_bytes());
  size_t end_of_graph = whole.find(bytes(7, graph_bytes())) + bytes(7, graph_bytes()).size(), accepted = 0;
  OnnxError error;
  for (size_t size = 0; size < end_of_graph; ++size) accepted += parse_onnx(whole.substr(0, size), error).has_value();
  EXPECT_EQ(accepted, 0u);
  EXPECT_FALSE(parse_onnx(number(1, 10) + bytes(2, "pytorch"), error));
  EXPECT_EQ(error.problem, "the file ends without a graph");
  EXPECT_EQ(error.offset, 11u);
}

TEST(Onnx, RefusesTypesThatAreNestedToHarm) {
  std::string type = tensor_type(1, "");
  for (int i = 0; i < 1000; ++i) type = bytes(4, bytes(1, type));
  OnnxError error;
  EXPECT_FALSE(parse_onnx(onnx(bytes(11, value("x", type))), error));
  EXPECT_THAT(error.problem, HasSubstr("within more than 16 others"));
}

using OnnxFolder = FormatFolder;

TEST_F(OnnxFolder, IsReadFromItsOneFileAndADamagedOneIsNamed) {
  write("net.onnx", onnx(graph_bytes()));
  write("model.onnx.data", "weights");
  EXPECT_EQ(*detect_format(folder_.path()), Format::kOnnx);
  EXPECT_EQ(read_onnx(folder_.path())->path, folder_ / "net.onnx");
  write("net.onnx", "\xff\xff");
  absl::Status status = read_onnx(folder_.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("net.onnx (2 bytes) is not an ONNX model: byte 0: "));
}

TEST(OnnxType, GoesToOursAndBack) {
  for (int32_t type = 1; type <= 16; ++type) EXPECT_EQ(to_onnx_type(from_onnx_type(type)), type);
  EXPECT_EQ(from_onnx_type(10), DataType::kHalf);
  EXPECT_EQ(onnx_type_name(10), "float16");
  EXPECT_EQ(to_onnx_type(DataType::kResource), 0);
  EXPECT_EQ(to_onnx_type(DataType::kInvalid), 0);
  EXPECT_EQ(from_onnx_type(-1), DataType::kInvalid);
  EXPECT_EQ(onnx_type_name(1000), "undefined");
}

}  // namespace
}  // namespace tidegate::model
