#include "model/tflite_reader.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "model/tflite_operators.h"

namespace tidegate::model {
namespace {

constexpr uint32_t kSchemaVersion = 3;
constexpr std::string_view kIdentifier = "TFL3";  // at offset 4
constexpr int32_t kNoTensor = -1;                 // an operator's optional input

struct TypeNames {
  const char* schema;
  DataType type;
};
constexpr std::array<TypeNames, 23> kTypes = {{
    {"FLOAT32", DataType::kFloat},       {"FLOAT16", DataType::kHalf},
    {"INT32", DataType::kInt32},         {"UINT8", DataType::kUint8},
    {"INT64", DataType::kInt64},         {"STRING", DataType::kString},
    {"BOOL", DataType::kBool},           {"INT16", DataType::kInt16},
    {"COMPLEX64", DataType::kComplex64}, {"INT8", DataType::kInt8},
    {"FLOAT64", DataType::kDouble},      {"COMPLEX128", DataType::kComplex128},
    {"UINT64", DataType::kUint64},       {"RESOURCE", DataType::kInvalid},
    {"VARIANT", DataType::kInvalid},     {"UINT32", DataType::kUint32},
    {"UINT16", DataType::kUint16},       {"INT4", DataType::kInvalid},
    {"BFLOAT16", DataType::kBfloat16},   {"INT2", DataType::kInvalid},
    {"UINT4", DataType::kInvalid},       {"FLOAT8_E4M3FN", DataType::kInvalid},
    {"FLOAT8_E5M2", DataType::kInvalid},
}};

std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

// Short text that may be padded with zeros; empty when it is something else.
std::string readable(std::string_view bytes) {
  constexpr size_t kLongest = 200;
  while (!bytes.empty() && bytes.back() == 0) bytes.remove_suffix(1);
  bool printable = std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= 32 && c < 127; });
  return printable && bytes.size() <= kLongest ? std::string(bytes) : std::string();
}

// Reads one file from its root to its leaves; whatever is wrong goes to file_.
class Parser {
 public:
  explicit Parser(std::string_view bytes) : file_(bytes) {}

  std::optional<TfliteModel> parse(FileFault& fault) {
    if (check_head()) read_model(FlatTable(file_, file_.read<uint32_t>(0, "the root")));
    if (file_.ok()) return std::move(model_);
    fault = file_.fault();
    return std::nullopt;
  }

 private:
  bool check_head() {
    if (file_.bytes().empty()) file_.fail(0, "the file is empty");
    if (file_.has(0, 8, "the head") && file_.bytes().substr(4, 4) != kIdentifier) {
      file_.fail(4, "there is no TFLite identifier (TFL3)");
    }
    return file_.ok();
  }

  // Model: version = 0, operator_codes = 1, subgraphs = 2, description = 3, buffers = 4, metadata = 6,
  // signature_defs = 7.
  void read_model(const FlatTable& root) {
    auto version = root.number<uint32_t>(0, 0);
    if (version != kSchemaVersion) {
      return file_.fail(root.offset(), "schema version " + std::to_string(version) + " is not 3");
    }
    model_.description = root.text(3);
    each(root.tables(4), [this](const FlatTable& buffer) { read_buffer(buffer); });
    each(root.tables(1), [this](const FlatTable& code) { read_operator_code(code); });
    each(root.tables(2), [this](const FlatTable& subgraph) { read_subgraph(subgraph); });
    if (model_.subgraphs.empty()) return file_.fail(root.offset(), "the model has no subgraph");
    each(root.tables(7), [this](const FlatTable& signature) { read_signature(signature); });
    if (model_.signatures.empty()) make_up_signature(root.offset());
    each(root.tables(6), [this](const FlatTable& metadata) { read_metadata(metadata); });
    collect_operators();
  }

  template <class Function>
  void each(const FlatTables& tables, Function function) {
    for (uint32_t i = 0; i < tables.size() && file_.ok(); ++i) function(tables[i]);
  }

  // Buffer: data = 0; offset = 1 and size = 2 where the data lies behind the FlatBuffer.
  void read_buffer(const FlatTable& table) {
    std::string_view bytes = table.text(0);  // a string and a vector of bytes look the same
    auto offset = table.number<uint64_t>(1, 0), size = table.number<uint64_t>(2, 0);
    if (bytes.empty() && offset > 1 && file_.has(offset, size, "a buffer")) bytes = file_.bytes().substr(offset, size);
    model_.constant_bytes += bytes.size();
    buffers_.push_back(bytes);
  }

  // OperatorCode: deprecated_builtin_code = 0, custom_code = 1, version = 2, builtin_code = 3.
  void read_operator_code(const FlatTable& table) {
    int32_t code = std::max<int32_t>(table.number<int8_t>(0, 0), table.number<int32_t>(3, 0));
    TfliteOperator used;
    used.custom = code == kTfliteCustomOperator;
    used.name = used.custom ? std::string(table.text(1)) : tflite_operator_name(code);
    used.version = table.number<int32_t>(2, 1);
    operators_.push_back(std::move(used));
  }

  // SubGraph: tensors = 0, inputs = 1, outputs = 2, operators = 3, name = 4.
  void read_subgraph(const FlatTable& table) {
    TfliteSubgraph& subgraph = model_.subgraphs.emplace_back();
    subgraph.name = table.text(4);
    each(table.tables(0), [&](const FlatTable& tensor) { read_tensor(tensor, subgraph); });
    subgraph.inputs = read_ends(table, 1, subgraph);
    subgraph.outputs = read_ends(table, 2, subgraph);
    std::set<uint32_t> once(subgraph.inputs.begin(), subgraph.inputs.end());
    if (once.size() != subgraph.inputs.size()) file_.fail(table.offset(), "a subgraph takes a tensor twice");
    std::vector<bool> written = written_at_start(subgraph);
    each(table.tables(3), [&](const FlatTable& one) { read_operator(one, subgraph, written); });
    for (uint32_t output : subgraph.outputs) check_written(output, subgraph, written, table);
  }

  // Which tensors have values before the first operator runs. Those without elements need none.
  static std::vector<bool> written_at_start(const TfliteSubgraph& subgraph) {
    std::vector<bool> written;
    for (const TfliteTensor& tensor : subgraph.tensors) {
      bool empty = std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end();
      written.push_back(tensor.constant || tensor.variable || empty);
    }
    for (uint32_t input : subgraph.inputs) written[input] = true;
    return written;
  }

  // TFLite has no memory for a tensor that nothing writes, and its kernels read it all the same.
  void check_written(uint32_t number, const TfliteSubgraph& subgraph, const std::vector<bool>& written,
                     const FlatTable& where) {
    if (!file_.ok() || written[number]) return;
    file_.fail(where.offset(), "tensor " + std::to_string(number) + " (" + subgraph.tensors[number].name +
                                   ") is read before anything writes it");
  }

  std::vector<uint32_t> read_ends(const FlatTable& table, uint32_t field, const TfliteSubgraph& subgraph) {
    std::vector<uint32_t> ends;
    FlatVector<int32_t> numbers = table.vector<int32_t>(field);
    for (uint32_t i = 0; i < numbers.size() && file_.ok(); ++i) {
      if (check_tensor(numbers[i], subgraph, table)) ends.push_back(static_cast<uint32_t>(numbers[i]));
    }
    return ends;
  }

  bool check_tensor(int64_t number, const TfliteSubgraph& subgraph, const FlatTable& where) {
    if (number >= 0 && number < static_cast<int64_t>(subgraph.tensors.size())) return file_.ok();
    file_.fail(where.offset(), "there is no tensor " + std::to_string(number) + "; the subgraph has " +
                                   std::to_string(subgraph.tensors.size()));
    return false;
  }

  // Tensor: shape = 0, type = 1, buffer = 2, name = 3, quantization = 4, is_variable = 5, shape_signature = 7.
  void read_tensor(const FlatTable& table, TfliteSubgraph& subgraph) {
    TfliteTensor& tensor = subgraph.tensors.emplace_back();
    tensor.name = table.text(3);
    tensor.type = table.number<int8_t>(1, 0);
    tensor.shape = read_shape(table, 0, 0);
    tensor.signature = read_shape(table, 7, -1);
    if (tensor.signature.empty()) tensor.signature = tensor.shape;
    if (tensor.signature.size() != tensor.shape.size()) {
      file_.fail(table.offset(), "tensor " + quoted(tensor.name) + " has two ranks");
    }
    auto buffer = table.number<uint32_t>(2, 0);
    if (buffer != 0 && buffer >= buffers_.size()) {
      return file_.fail(table.offset(),
                        "there is no buffer " + std::to_string(buffer) + " for tensor " + quoted(tensor.name));
    }
    tensor.constant = buffer != 0 && !buffers_[buffer].empty();
    tensor.variable = table.number<uint8_t>(5, 0) != 0;
    model_.keeps_state = model_.keeps_state || tensor.variable;
    read_quantization(table.table(4), tensor);
  }

  std::vector<int64_t> read_shape(const FlatTable& table, uint32_t field, int32_t smallest) {
    std::vector<int64_t> shape;
    FlatVector<int32_t> sizes = table.vector<int32_t>(field);
    for (uint32_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] < smallest) file_.fail(table.offset(), "a tensor has a dimension of " + std::to_string(sizes[i]));
      shape.push_back(sizes[i]);
    }
    return shape;
  }

  // QuantizationParameters: scale = 2, zero_point = 3, quantized_dimension = 6.
  void read_quantization(const FlatTable& table, TfliteTensor& tensor) {
    FlatVector<float> scales = table.vector<float>(2);
    FlatVector<int64_t> zero_points = table.vector<int64_t>(3);
    if (scales.size() > 0 && scales.size() != zero_points.size()) {
      return file_.fail(table.offset(), "tensor " + quoted(tensor.name) + " has " + std::to_string(scales.size()) +
                                            " scales and " + std::to_string(zero_points.size()) + " zero points");
    }
    for (uint32_t i = 0; i < scales.size(); ++i) {
      tensor.quantization.scales.push_back(scales[i]);
      tensor.quantization.zero_points.push_back(zero_points[i]);
    }
    tensor.quantization.dimension = table.number<int32_t>(6, 0);
  }

  // Operator: opcode_index = 0, inputs = 1, outputs = 2, intermediates = 8, large_custom_options_offset = 9 and
  // _size = 10.
  void read_operator(const FlatTable& table, const TfliteSubgraph& subgraph, std::vector<bool>& written) {
    auto code = table.number<uint32_t>(0, 0);
    if (code >= operators_.size()) {
      return file_.fail(table.offset(), "there is no operator code " + std::to_string(code));
    }
    ++operators_[code].count;
    for (uint32_t input : read_operands(table, 1, subgraph)) check_written(input, subgraph, written, table);
    for (uint32_t output : read_operands(table, 2, subgraph)) written[output] = true;
    read_operands(table, 8, subgraph);
    auto offset = table.number<uint64_t>(9, 0);
    if (offset > 1) file_.has(offset, table.number<uint64_t>(10, 0), "an operator's options");
  }

  // An operator's tensors, without those that it does not use.
  std::vector<uint32_t> read_operands(const FlatTable& table, uint32_t field, const TfliteSubgraph& subgraph) {
    std::vector<uint32_t> operands;
    FlatVector<int32_t> numbers = table.vector<int32_t>(field);
    for (uint32_t i = 0; i < numbers.size() && file_.ok(); ++i) {
      if (numbers[i] == kNoTensor) continue;
      if (check_tensor(numbers[i], subgraph, table)) operands.push_back(static_cast<uint32_t>(numbers[i]));
    }
    return operands;
  }

  // SignatureDef: inputs = 0, outputs = 1, signature_key = 2, subgraph_index = 4.
  void read_signature(const FlatTable& table) {
    TfliteSignature signature;
    signature.name = table.text(2);
    signature.subgraph = table.number<uint32_t>(4, 0);
    std::string words = "signature " + quoted(signature.name);
    if (signature.subgraph >= model_.subgraphs.size()) {
      return file_.fail(table.offset(),
                        words + " is of subgraph " + std::to_string(signature.subgraph) + ", which there is not");
    }
    if (!signature_names_.insert(signature.name).second) file_.fail(table.offset(), words + " is there twice");
    const TfliteSubgraph& subgraph = model_.subgraphs[signature.subgraph];
    signature.inputs = read_named_ends(table, 0, subgraph.inputs, words + ", input ");
    if (signature.inputs.size() > subgraph.inputs.size()) {
      file_.fail(table.offset(), words + " has two names for one input");
    }
    signature.outputs = read_named_ends(table, 1, subgraph.outputs, words + ", output ");
    model_.signatures.push_back(std::move(signature));
  }

  // TensorMap: name = 0, tensor_index = 1.
  std::vector<TfliteEnd> read_named_ends(const FlatTable& table, uint32_t field, const std::vector<uint32_t>& expected,
                                         const std::string& words) {
    std::vector<TfliteEnd> ends;
    const std::set<uint32_t> possible(expected.begin(), expected.end());
    each(table.tables(field), [&](const FlatTable& entry) {
      TfliteEnd end{std::string(entry.text(0)), entry.number<uint32_t>(1, 0)};
      if (!possible.contains(end.tensor)) {
        file_.fail(entry.offset(), words + quoted(end.name) + " is tensor " + std::to_string(end.tensor) +
                                       ", which is none of its subgraph's");
      }
      if (end.name.empty()) file_.fail(entry.offset(), words + "has no name");
      ends.push_back(std::move(end));
    });
    sort_and_check(ends, expected, words, table.offset());
    return ends;
  }

  void sort_and_check(std::vector<TfliteEnd>& ends, const std::vector<uint32_t>& expected, const std::string& words,
                      uint64_t offset) {
    std::sort(ends.begin(), ends.end(), [](const TfliteEnd& a, const TfliteEnd& b) { return a.name < b.name; });
    std::set<uint32_t> named;
    for (size_t i = 0; i < ends.size(); ++i) {
      named.insert(ends[i].tensor);
      if (i > 0 && ends[i].name == ends[i - 1].name)
        file_.fail(offset, words + quoted(ends[i].name) + " is there twice");
    }
    for (uint32_t tensor : expected) {
      if (!named.contains(tensor)) file_.fail(offset, words + "for tensor " + std::to_string(tensor) + " is missing");
    }
  }

  // A file without signatures serves its main subgraph; its ends are called as their tensors are.
  void make_up_signature(uint64_t offset) {
    model_.signatures_are_made_up = true;
    const TfliteSubgraph& main = model_.subgraphs.front();
    TfliteSignature signature{"serving_default", 0, name_ends(main, main.inputs), name_ends(main, main.outputs)};
    sort_and_check(signature.inputs, main.inputs, "input ", offset);
    sort_and_check(signature.outputs, main.outputs, "output ", offset);
    model_.signatures.push_back(std::move(signature));
  }

  static std::vector<TfliteEnd> name_ends(const TfliteSubgraph& subgraph, const std::vector<uint32_t>& numbers) {
    std::vector<TfliteEnd> ends;
    std::set<uint32_t> named;
    for (uint32_t number : numbers) {
      if (named.insert(number).second) ends.push_back({subgraph.tensors[number].name, number});
    }
    return ends;
  }

  // Metadata: name = 0, buffer = 1.
  void read_metadata(const FlatTable& table) {
    auto buffer = table.number<uint32_t>(1, 0);
    if (buffer >= buffers_.size()) {
      return file_.fail(table.offset(), "there is no buffer " + std::to_string(buffer) + " for metadata");
    }
    std::string_view bytes = buffers_[buffer];
    model_.metadata.push_back({std::string(table.text(0)), bytes.size(), readable(bytes)});
    model_.constant_bytes -= std::min<uint64_t>(model_.constant_bytes, bytes.size());
  }

  // Files may list a code twice.
  void collect_operators() {
    std::map<std::pair<std::string, int32_t>, TfliteOperator> sorted;
    for (TfliteOperator& one : operators_) {
      if (one.count == 0) continue;
      TfliteOperator& sum = sorted[{one.name, one.version}];
      uint64_t count = sum.count + one.count;
      sum = std::move(one);
      sum.count = count;
    }
    for (auto& [key, one] : sorted) {
      model_.keeps_state = model_.keeps_state || one.name == "ASSIGN_VARIABLE";
      model_.operators.push_back(std::move(one));
    }
  }

  FlatFile file_;
  TfliteModel model_;
  std::set<std::string> signature_names_;
  std::vector<std::string_view> buffers_;
  std::vector<TfliteOperator> operators_;  // by operator code
};

}  // namespace

std::string tflite_type_name(int type) {
  if (type >= 0 && static_cast<size_t>(type) < kTypes.size()) return kTypes[static_cast<size_t>(type)].schema;
  return "TYPE_" + std::to_string(type);
}

DataType tflite_data_type(int type) {
  if (type >= 0 && static_cast<size_t>(type) < kTypes.size()) return kTypes[static_cast<size_t>(type)].type;
  return DataType::kInvalid;
}

std::optional<TfliteModel> parse_tflite(std::string_view bytes, FileFault& fault) { return Parser(bytes).parse(fault); }

std::string explain_tflite(const std::string& path, uint64_t bytes, const FileFault& fault) {
  return path + " (" + std::to_string(bytes) + " bytes) is not a whole TFLite model: at offset " +
         std::to_string(fault.offset) + ": " + fault.what;
}

}  // namespace tidegate::model
