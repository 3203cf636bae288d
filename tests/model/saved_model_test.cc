#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "model/format_folder.h"
#include "model/model_format.h"
#include "model/proto_reader.h"
#include "model/proto_writer.h"

namespace tidegate::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string tensor_info(const std::string& name, int dtype, std::vector<int64_t> dims) {
  std::string shape;
  for (int64_t dim : dims) shape += bytes(2, number(1, static_cast<uint64_t>(dim)));
  return bytes(1, name) + number(2, static_cast<uint64_t>(dtype)) + bytes(3, shape);
}
std::string entry(const std::string& key, const std::string& value) { return bytes(1, key) + bytes(2, value); }

std::string saved_model(const std::string& tag) {
  std::string signature = bytes(1, entry("x", tensor_info("in:0", 1, {-1, 784}))) +
                          bytes(2, entry("y", tensor_info("out:0", 9, {}))) + bytes(3, "tensorflow/serving/predict");
  std::string graph = bytes(1, bytes(4, tag) + bytes(5, "2.21.0")) + bytes(2, std::string(1000, 'g')) +
                      bytes(5, entry("serving_default", signature)) + bytes(5, entry("a", ""));
  return number(1, 1) + bytes(2, graph);
}

TEST(SavedModel, ReadsTagsAndSignaturesAndStepsOverTheGraph) {
  auto graphs = parse_saved_model(saved_model("serve"));
  ASSERT_TRUE(graphs && graphs->size() == 1);
  const MetaGraph& graph = graphs->front();
  EXPECT_THAT(graph.tags, ElementsAre("serve"));
  EXPECT_EQ(graph.tensorflow_version, "2.21.0");
  ASSERT_EQ(graph.signatures.size(), 2u);
  const Signature& signature = graph.signatures[1];
  EXPECT_EQ(signature.name, "serving_default");
  EXPECT_EQ(signature.inputs[0].type, DataType::kFloat);
  EXPECT_THAT(signature.inputs[0].shape, ElementsAre(-1, 784));
  EXPECT_EQ(signature.outputs[0].tensor_name, "out:0");
  EXPECT_EQ(signature.outputs[0].type, DataType::kInt64);
}

TEST(SavedModel, RefusesEveryPrefixThatCutsAMessage) {
  std::string whole = saved_model("serve");
  size_t accepted = 0;
  for (size_t size = 3; size < whole.size(); ++size) accepted += parse_saved_model(whole.substr(0, size)).has_value();
  EXPECT_EQ(accepted, 0u);
}

TEST(ProtoReader, RefusesZerosWhichAFileSystemPutsWhereDataWasLost) {
  EXPECT_FALSE(parse_saved_model(saved_model("serve") + std::string(100, '\0')).has_value());
}

TEST(ProtoReader, RefusesEndlessVarintsAndGroups) {
  ProtoReader endless(std::string_view("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12));
  EXPECT_FALSE(endless.next());
  EXPECT_FALSE(endless.ok());
  ProtoReader group("\x0b");
  EXPECT_FALSE(group.next());
  EXPECT_FALSE(group.ok());
}

using FormatTest = FormatFolder;

TEST_F(FormatTest, TellsTheFormatsApartAndSaysWhatItFoundInstead) {
  EXPECT_THAT(detect_format(folder_.path()).status().message(),
              HasSubstr("holds no model; expected one of saved_model.pb, *.tflite, *.onnx, found: nothing"));
  std::filesystem::create_directory(folder_ / "12");
  EXPECT_THAT(detect_format(folder_.path()).status().message(),
              HasSubstr("found: 12/; name the folder of one version"));
  write("model.onnx", "");
  EXPECT_EQ(*detect_format(folder_.path()), Format::kOnnx);
  write("model.tflite", "");
  EXPECT_THAT(detect_format(folder_.path()).status().message(), HasSubstr("more than one model"));
  EXPECT_EQ(detect_format(folder_ / "none").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FormatTest, TakesNoFolderForAFile) {
  std::filesystem::create_directory(folder_ / "model.onnx");
  EXPECT_THAT(detect_format(folder_.path()).status().message(), HasSubstr("holds no model"));
  EXPECT_THAT(detect_format(folder_.path()).status().message(), HasSubstr("found: model.onnx/"));
}

TEST_F(FormatTest, SaysWhyAFolderCannotBeRead) {
  std::filesystem::create_symlink(folder_ / "loop", folder_ / "loop");
  EXPECT_THAT(detect_format(folder_ / "loop").status().message(), HasSubstr("loop: Too many levels of symbolic links"));
}

TEST_F(FormatTest, ReadsASavedModelFromItsFolderAndNamesACorruptOne) {
  write("saved_model.pb", saved_model("train"));
  EXPECT_THAT(read_saved_model(folder_.path())->front().tags, ElementsAre("train"));
  write("saved_model.pb", "\xff");
  EXPECT_EQ(read_saved_model(folder_.path()).status().code(), absl::StatusCode::kDataLoss);
  write("saved_model.pb", "");
  EXPECT_THAT(read_saved_model(folder_.path()).status().message(), HasSubstr("(0 bytes) is not a SavedModel"));
}

TEST(DataType, HasOneNameInEachProtocol) {
  EXPECT_EQ(tensorflow_name(DataType::kBfloat16), "bfloat16");
  EXPECT_EQ(proto_name(DataType::kInt64), "DT_INT64");
  EXPECT_EQ(oip_name(DataType::kString), "BYTES");
  EXPECT_EQ(from_oip_name("FP16"), DataType::kHalf);
  EXPECT_EQ(from_oip_name(""), DataType::kInvalid);
  EXPECT_EQ(size_of(DataType::kComplex128), 16u);
}

}  // namespace
}  // namespace tidegate::model
