#include "serving-runtime/tools/sample_inputs.h"

#include <cerrno>
#include <fstream>
#include <optional>
#include <utility>

#include "base/status.h"
#include "serving-runtime/api/tfs/predict_json.h"
#include "serving-runtime/core/half.h"

namespace tidegate::serving {
namespace {

using model::DataType;

constexpr int64_t kMostElements = int64_t{64} << 20;

Shape sample_shape(const model::TensorSpec& spec, int64_t rows) {
  Shape shape = spec.unknown_rank ? Shape{} : spec.shape;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0) shape[i] = i == 0 ? rows : 1;
  }
  return shape;
}

void push_random(DataType type, base::Random& random, AlignedBuffer& data) {
  const double between = random.uniform() * 2 - 1;
  const auto digit = static_cast<uint64_t>(random.next() % 10);
  switch (type) {
    case DataType::kFloat:
      return data.push(static_cast<float>(between));
    case DataType::kDouble:
      return data.push(between);
    case DataType::kHalf:
      return data.push(float_to_half(static_cast<float>(between)));
    case DataType::kBfloat16:
      return data.push(float_to_bfloat16(static_cast<float>(between)));
    case DataType::kComplex64:
      data.push(static_cast<float>(between));
      return data.push(0.0f);
    case DataType::kComplex128:
      data.push(between);
      return data.push(0.0);
    case DataType::kUint8:
      return data.push(static_cast<uint8_t>(random.next() % 256));
    case DataType::kBool:
      return data.push(static_cast<uint8_t>(digit % 2));
    case DataType::kInt8:
      return data.push(static_cast<int8_t>(digit));
    case DataType::kInt16:
    case DataType::kUint16:
      return data.push(static_cast<uint16_t>(digit));
    case DataType::kInt32:
    case DataType::kUint32:
      return data.push(static_cast<uint32_t>(digit));
    default:
      return data.push(digit);
  }
}

absl::StatusOr<Tensor> random_tensor(const model::TensorSpec& spec, int64_t rows, base::Random& random) {
  Shape shape = sample_shape(spec, rows);
  TG_ASSIGN_OR_RETURN(const int64_t count, element_count(shape));
  if (count > kMostElements) return absl::InvalidArgumentError(base::cat("shape ", shape_text(shape), " is too large"));
  if (spec.type == DataType::kString) {
    StringList strings;
    for (int64_t i = 0; i < count; ++i) strings.push(base::cat("word", random.next() % 1000));
    return Tensor(std::move(shape), std::move(strings));
  }
  if (model::size_of(spec.type) == 0) {
    return absl::InvalidArgumentError(
        base::cat("there are no sample values of type ", model::tensorflow_name(spec.type)));
  }
  AlignedBuffer data;
  data.reserve(static_cast<size_t>(count) * model::size_of(spec.type));
  for (int64_t i = 0; i < count; ++i) push_random(spec.type, random, data);
  return Tensor(spec.type, std::move(shape), std::move(data));
}

// Empty when it is not there, or no string.
std::string text_of(const tfs::RequestDocument& document, std::string_view key) {
  std::string text;
  std::optional<JsonReader> reader = document.find(key);
  if (reader && reader->peek() == '"') reader->read_string(text);
  return text;
}

// Reads a file's lines, one after the other.
class SampleReader {
 public:
  SampleReader(const model::Signature& signature, std::string model)
      : signature_(signature), model_(std::move(model)), any_model_(model_.empty()) {}

  absl::Status read(std::string_view line, std::string origin) {
    TG_ASSIGN_OR_RETURN(const tfs::RequestDocument document, tfs::RequestDocument::scan(line));
    TG_ASSIGN_OR_RETURN(const bool wanted, is_wanted(document));
    if (!wanted) return absl::OkStatus();
    if (const std::string code = text_of(document, "code"); !code.empty() && code != "OK") {
      ++samples_.failed;
      return absl::OkStatus();
    }
    TG_ASSIGN_OR_RETURN(tfs::PredictInputs inputs, tfs::decode_predict(document, signature_));
    samples_.requests.push_back({std::move(inputs.tensors), std::move(origin)});
    return absl::OkStatus();
  }
  Samples finish() { return std::move(samples_); }

 private:
  absl::StatusOr<bool> is_wanted(const tfs::RequestDocument& document) {
    TG_ASSIGN_OR_RETURN(const std::string name, document.signature_name());
    if (!name.empty() && name != signature_.name) return false;
    const std::string model = text_of(document, "model");
    if (any_model_ && model_.empty()) model_ = model;
    if (!model.empty() && model != model_) {
      if (!any_model_) return false;
      return absl::InvalidArgumentError(base::cat("this is a record of model ", model, ", and those before are of ",
                                                  model_, "; say with --model which one is meant"));
    }
    return !document.find("payload") || document.find("inputs") || document.find("instances");
  }

  const model::Signature& signature_;
  std::string model_;  // of all records that are taken; empty: none has said it yet
  const bool any_model_;
  Samples samples_;
};

}  // namespace

absl::StatusOr<std::vector<NamedTensor>> random_inputs(const model::Signature& signature, int64_t rows,
                                                       base::Random& random) {
  std::vector<NamedTensor> inputs;
  for (const model::TensorSpec& spec : signature.inputs) {
    absl::StatusOr<Tensor> tensor = random_tensor(spec, rows, random);
    if (!tensor.ok()) return base::annotate(tensor.status(), base::cat("input ", spec.name));
    inputs.push_back({spec.name, *std::move(tensor)});
  }
  return inputs;
}

absl::StatusOr<Samples> read_inputs(const std::string& path, const std::string& model,
                                    const model::Signature& signature) {
  errno = 0;
  std::ifstream file(path);
  SampleReader reader(signature, model);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string origin = base::cat(path, ", line ", number);
    TG_RETURN_IF_ERROR(base::annotate(reader.read(line, origin), origin));
  }
  if (!file.is_open() || file.bad()) return absl::ErrnoToStatus(errno, base::cat("cannot read --inputs=", path));
  Samples samples = reader.finish();
  if (!samples.requests.empty()) return samples;
  return absl::InvalidArgumentError(base::cat(path, " holds no request for signature ", signature.name,
                                              model.empty() ? "" : base::cat(" of model ", model),
                                              samples.failed > 0 ? " that did not fail" : ""));
}

absl::StatusOr<Samples> gather_inputs(const SampleOptions& options, const model::Signature& signature) {
  if (!options.file.empty()) return read_inputs(options.file, options.model, signature);
  base::SeededRandom random(options.seed);
  Samples samples;
  for (int i = 0; i < options.runs; ++i) {
    TG_ASSIGN_OR_RETURN(std::vector<NamedTensor> inputs, random_inputs(signature, options.rows, random));
    samples.requests.push_back({std::move(inputs), ""});
  }
  return samples;
}

}  // namespace tidegate::serving
