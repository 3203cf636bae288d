// The TFLite reader: what it tells of a whole file, and that it survives any other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/scratch_folder.h"
#include "model/flat_builder.h"
#include "model/model_format.h"
#include "model/tflite_operators.h"
#include "model/tflite_reader.h"

namespace tidegate::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

FlatFields tensor(const std::string& name, int8_t type, std::vector<int32_t> shape, std::vector<int32_t> signature) {
  return {{0, flat_vector(shape)}, {1, flat_number(type)}, {3, flat_text(name)}, {7, flat_vector(signature)}};
}

FlatFields quantised(FlatFields tensor, std::vector<float> scales, std::vector<int64_t> zero_points) {
  tensor[4] = flat_table({{2, flat_vector(scales)}, {3, flat_vector(zero_points)}});
  return tensor;
}

FlatFields end(const std::string& name, uint32_t tensor) { return {{0, flat_text(name)}, {1, flat_number(tensor)}}; }

FlatFields subgraph() {
  FlatFields weights = tensor("weights", 0, {2}, {});
  weights[2] = flat_number(uint32_t{1});
  return {
      {0, flat_tables({tensor("in", 0, {1, 4}, {-1, 4}), quantised(tensor("out", 9, {1}, {-1}), {0.5F}, {-3}), weights,
                       tensor("bias", 0, {}, {})})},
      {1, flat_vector<int32_t>({3, 0})},
      {2, flat_vector<int32_t>({1})},
      {3, flat_tables(
              {{{0, flat_number(uint32_t{0})}, {1, flat_vector<int32_t>({0, 2, -1})}, {2, flat_vector<int32_t>({1})}},
               {{0, flat_number(uint32_t{1})}, {1, flat_vector<int32_t>({1})}, {2, flat_vector<int32_t>({1})}}})}};
}

FlatFields signature() {
  return {
      {0, flat_tables({end("x", 0), end("b", 3)})}, {1, flat_tables({end("y", 1)})}, {2, flat_text("serving_default")}};
}

// The metadata's buffer is at the end of the file, so that no byte of it may be missing.
FlatFields whole() {
  return {{0, flat_number(uint32_t{3})},
          {1, flat_tables({{{0, flat_number(int8_t{3})}, {2, flat_number(int32_t{5})}},
                           {{0, flat_number(int8_t{32})}, {1, flat_text("Sharpen")}}})},
          {2, flat_tables({subgraph()})},
          {3, flat_text("made for tests")},
          {4, flat_tables({{}, {{0, flat_text("12345678")}}, {{0, flat_text(std::string("1.5.0\0\0", 7))}}})},
          {6, flat_tables({{{0, flat_text("min_runtime_version")}, {1, flat_number(uint32_t{2})}}})},
          {7, flat_tables({signature()})}};
}

std::string file(const FlatFields& root) { return FlatBuilder::build(root, "TFL3"); }

std::string fault_of(const FlatFields& root) {
  FileFault fault;
  return parse_tflite(file(root), fault) ? "" : fault.what;
}

TEST(Tflite, TellsSignaturesTensorsOperatorsAndMetadata) {
  FileFault fault;
  auto model = parse_tflite(file(whole()), fault);
  ASSERT_TRUE(model) << fault.what;
  EXPECT_EQ(model->description, "made for tests");
  ASSERT_THAT(model->signatures, SizeIs(1));
  const TfliteSignature& signature = model->signatures[0];
  EXPECT_EQ(signature.name, "serving_default");
  EXPECT_FALSE(model->signatures_are_made_up);
  ASSERT_THAT(signature.inputs, SizeIs(2));
  EXPECT_EQ(signature.inputs[0].name, "b");
  EXPECT_EQ(signature.inputs[1].name, "x");
  const TfliteTensor& in = model->subgraphs[0].tensors[signature.inputs[1].tensor];
  EXPECT_THAT(in.shape, ElementsAre(1, 4));
  EXPECT_THAT(in.signature, ElementsAre(-1, 4));
  const TfliteTensor& out = model->subgraphs[0].tensors[signature.outputs[0].tensor];
  EXPECT_EQ(tflite_data_type(out.type), DataType::kInt8);
  EXPECT_THAT(out.quantization.scales, ElementsAre(0.5F));
  EXPECT_THAT(out.quantization.zero_points, ElementsAre(-3));
  EXPECT_TRUE(model->subgraphs[0].tensors[2].constant);
  ASSERT_THAT(model->operators, SizeIs(2));
  EXPECT_EQ(model->operators[0].name, "CONV_2D");
  EXPECT_EQ(model->operators[0].version, 5);
  EXPECT_EQ(model->operators[1].name, "Sharpen");
  EXPECT_TRUE(model->operators[1].custom);
  EXPECT_EQ(model->metadata[0].text, "1.5.0");
  EXPECT_EQ(model->constant_bytes, 8u);
}

TEST(Tflite, MakesASignatureUpOfTheMainSubgraph) {
  FlatFields root = whole();
  root.erase(7);
  FileFault fault;
  auto model = parse_tflite(file(root), fault);
  ASSERT_TRUE(model) << fault.what;
  EXPECT_TRUE(model->signatures_are_made_up);
  EXPECT_EQ(model->signatures[0].name, "serving_default");
  EXPECT_EQ(model->signatures[0].inputs[0].name, "bias");
  EXPECT_EQ(model->signatures[0].outputs[0].name, "out");
}

TEST(Tflite, RefusesEveryFileThatIsCutShort) {
  const std::string bytes = file(whole());
  for (size_t size = 0; size < bytes.size(); ++size) {
    FileFault fault;
    // A copy of its own size, so that reading too far is seen.
    const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(parse_tflite({cut.data(), cut.size()}, fault)) << size;
    EXPECT_LE(fault.offset, bytes.size()) << fault.what;
    EXPECT_NE(fault.what, "");
  }
}

TEST(Tflite, SurvivesEveryByteThatIsWrong) {
  const std::string bytes = file(whole());
  size_t refused = 0;
  for (size_t position = 0; position < bytes.size(); ++position) {
    for (int value : {0, 1, 4, 0x7f, 0x80, 0xff}) {
      std::vector<char> wrong(bytes.begin(), bytes.end());
      wrong[position] = static_cast<char>(value);
      FileFault fault;
      refused += parse_tflite({wrong.data(), wrong.size()}, fault) ? 0 : 1;
      EXPECT_LE(fault.offset, bytes.size()) << "a fault is told with a place in the file: " << fault.what;
    }
  }
  EXPECT_GT(refused, bytes.size());
}

TEST(Tflite, NamesWhatContradictsItself) {
  FlatFields root = whole();
  root[0] = flat_number(uint32_t{2});
  EXPECT_EQ(fault_of(root), "schema version 2 is not 3");
  root = whole();
  root[2] = flat_tables({});
  EXPECT_EQ(fault_of(root), "the model has no subgraph");
  root = whole();
  FlatFields wrong = signature();
  wrong[0] = flat_tables({end("x", 0), end("b", 2)});
  root[7] = flat_tables({wrong});
  EXPECT_EQ(fault_of(root), "signature 'serving_default', input 'b' is tensor 2, which is none of its subgraph's");
  wrong[0] = flat_tables({end("x", 0)});
  root[7] = flat_tables({wrong});
  EXPECT_EQ(fault_of(root), "signature 'serving_default', input for tensor 3 is missing");
  root[7] = flat_tables({signature(), signature()});
  EXPECT_EQ(fault_of(root), "signature 'serving_default' is there twice");
}

TEST(Tflite, NamesTensorsThatThereAreNot) {
  for (auto [field, numbers] : std::vector<std::pair<int, std::vector<int32_t>>>{{1, {4}}, {2, {-1}}, {1, {0, 0}}}) {
    FlatFields root = whole(), changed = subgraph();
    changed[field] = flat_vector(numbers);
    root[2] = flat_tables({changed});
    EXPECT_THAT(fault_of(root), testing::AnyOf(HasSubstr("there is no tensor"), HasSubstr("takes a tensor twice")));
  }
  FlatFields root = whole(), changed = subgraph();
  changed[0] = flat_tables({quantised(tensor("in", 9, {1}, {-1}), {0.5F, 0.25F}, {0})});
  root[2] = flat_tables({changed});
  EXPECT_EQ(fault_of(root), "tensor 'in' has 2 scales and 1 zero points");
}

TEST(Tflite, NamesATensorThatIsReadBeforeAnythingWritesIt) {
  FlatFields root = whole();
  root[4] = flat_tables({{}, {}, {}});
  EXPECT_EQ(fault_of(root), "tensor 2 (weights) is read before anything writes it");
  root = whole();
  FlatFields changed = subgraph();
  changed.erase(3);
  root[2] = flat_tables({changed});
  EXPECT_EQ(fault_of(root), "tensor 1 (out) is read before anything writes it");
}

TEST(Tflite, LimitsHowOftenBytesAreRead) {
  FlatFile small("12345678");
  EXPECT_TRUE(small.visit(1000, 0));
  EXPECT_FALSE(small.visit(1000000, 4));
  EXPECT_EQ(small.fault().offset, 4u);
}

TEST(Tflite, KnowsOperatorsAndTypesByNumber) {
  EXPECT_EQ(tflite_operator_name(0), "ADD");
  EXPECT_EQ(tflite_operator_name(150), "GELU");
  EXPECT_EQ(tflite_operator_name(999), "BUILTIN_999");
  EXPECT_EQ(tflite_operator_name(-1), "BUILTIN_-1");
  EXPECT_EQ(tflite_type_name(5), "STRING");
  EXPECT_EQ(tflite_type_name(99), "TYPE_99");
  EXPECT_EQ(tflite_data_type(17), DataType::kInvalid);
}

TEST(Tflite, IsReadFromItsFolderAndNamedWhenItIsCorrupt) {
  const base::ScratchFolder folder;
  folder.write("net.tflite", file(whole()));
  auto found = read_tflite(folder.path());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->path, (folder / "net.tflite").string());
  folder.write("net.tflite", "GARBAGE!");
  EXPECT_EQ(read_tflite(folder.path()).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(
      read_tflite(folder.path()).status().message(),
      HasSubstr("net.tflite (8 bytes) is not a whole TFLite model: at offset 4: there is no TFLite identifier"));
}

}  // namespace
}  // namespace tidegate::model
