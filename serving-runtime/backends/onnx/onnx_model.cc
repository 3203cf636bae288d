#include "serving-runtime/backends/onnx/onnx_model.h"

#include <algorithm>
#include <filesystem>
#include <span>

#include "model/mapped_file.h"
#include "model/onnx_proto.h"
#include "model/onnx_type.h"
#include "serving-runtime/backends/onnx/onnx_tensor.h"

namespace tidegate::serving {
namespace {

namespace fs = std::filesystem;

// The one file that is loaded; the host has seen the same folder before and asks for this backend because of it.
Failure find_file(const std::string& folder, std::string& path) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".onnx") continue;
    if (!path.empty()) return {kInvalidArgument, folder + " holds more than one *.onnx"};
    path = entry.path().string();
  }
  if (error) return {kNotFound, folder + ": " + error.message()};
  if (path.empty()) return {kNotFound, folder + " holds no *.onnx"};
  return {};
}

// What ONNX Runtime says of a file that it cannot load, with where the file is damaged if that is the reason.
Failure explained(Failure failure, const std::string& path) {
  auto file = model::MappedFile::open(path);
  model::OnnxError error;
  if (file && !model::parse_onnx(file->bytes(), error)) {
    return {kDataLoss, model::explain(path, file->bytes().size(), error)};
  }
  if (failure.message.find(path) == std::string::npos) failure.message = path + ": " + failure.message;
  return failure;
}

std::string_view kind_name(ONNXType type) {
  switch (type) {
    case ONNX_TYPE_SEQUENCE:
      return "a sequence";
    case ONNX_TYPE_MAP:
      return "a map";
    case ONNX_TYPE_SPARSETENSOR:
      return "a sparse tensor";
    case ONNX_TYPE_OPTIONAL:
      return "optional";
    default:
      return "of a kind of its own";
  }
}

Failure not_servable(const std::string& name, std::string_view what) {
  return {kInvalidArgument,
          "'" + name + "' is " + std::string(what) +
              ", which no request can carry; inputs and outputs have to be dense tensors (scikit-learn: "
              "convert with the option zipmap=False)"};
}

// What ONNX Runtime tells of one input or output.
Failure read_type(const OnnxLibrary& library, const OrtTypeInfo* info, model::TensorSpec& spec) {
  const OrtApi& api = *library.api;
  ONNXType kind{};
  TIDEGATE_ORT_TRY(library, api.GetOnnxTypeFromTypeInfo(info, &kind));
  if (kind != ONNX_TYPE_TENSOR) return not_servable(spec.name, kind_name(kind));
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;  // the info's own
  TIDEGATE_ORT_TRY(library, api.CastTypeInfoToTensorInfo(info, &tensor));
  ONNXTensorElementDataType element{};
  TIDEGATE_ORT_TRY(library, api.GetTensorElementType(tensor, &element));
  spec.type = model::from_onnx_type(element);
  if (spec.type == model::DataType::kInvalid) {
    return not_servable(spec.name, "of " + std::string(model::onnx_type_name(element)));
  }
  spec.unknown_rank = !api.TensorTypeAndShape_HasShape(tensor);
  if (spec.unknown_rank) return {};
  size_t rank = 0;
  TIDEGATE_ORT_TRY(library, api.GetDimensionsCount(tensor, &rank));
  spec.shape.resize(rank);
  return library.failure(api.GetDimensions(tensor, spec.shape.data(), rank));
}

// The session's inputs, or its outputs, by name.
Failure read_specs(const OnnxEnvironment& environment, OrtSession* session,
                   decltype(OrtApi::SessionGetInputCount) get_count, decltype(OrtApi::SessionGetInputName) get_name,
                   decltype(OrtApi::SessionGetInputTypeInfo) get_type, std::vector<model::TensorSpec>& specs) {
  const OnnxLibrary& library = environment.library();
  size_t count = 0;
  TIDEGATE_ORT_TRY(library, get_count(session, &count));
  for (size_t i = 0; i < count; ++i) {
    char* name = nullptr;
    TIDEGATE_ORT_TRY(library, get_name(session, i, environment.allocator(), &name));
    model::TensorSpec spec{name, name, {}, {}, {}};
    environment.allocator()->Free(environment.allocator(), name);
    OrtOwned<OrtTypeInfo> info(library.api->ReleaseTypeInfo);
    TIDEGATE_ORT_TRY(library, get_type(session, i, info.out()));
    if (Failure failure = read_type(library, info.get(), spec); !failure.ok()) return failure;
    specs.push_back(std::move(spec));
  }
  std::sort(specs.begin(), specs.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return {};
}

std::vector<TidegateTensorSpec> to_c(const std::vector<model::TensorSpec>& specs, std::vector<const char*>& names) {
  std::vector<TidegateTensorSpec> described;
  for (const model::TensorSpec& spec : specs) {
    names.push_back(spec.name.c_str());
    int32_t rank = spec.unknown_rank ? -1 : static_cast<int32_t>(spec.shape.size());
    described.push_back(
        {spec.name.c_str(), spec.tensor_name.c_str(), static_cast<int32_t>(spec.type), rank, spec.shape.data()});
  }
  return described;
}

}  // namespace

Failure OnnxModel::load(const OnnxEnvironment& environment, const std::string& folder,
                        std::unique_ptr<TidegateModel>& model) {
  std::string path;
  if (Failure failure = find_file(folder, path); !failure.ok()) return failure;
  std::unique_ptr<OnnxModel> loaded(new OnnxModel(environment));
  Failure failure = environment.library().failure(environment.api().CreateSession(
      environment.env(), path.c_str(), environment.session_options(), loaded->session_.out()));
  if (!failure.ok()) return explained(std::move(failure), path);
  failure = loaded->describe();
  if (!failure.ok()) return {failure.code, path + ": " + failure.message};
  model = std::move(loaded);
  return {};
}

Failure OnnxModel::describe() {
  const OrtApi& api = environment_.api();
  Failure failure = read_specs(environment_, session_.get(), api.SessionGetInputCount, api.SessionGetInputName,
                               api.SessionGetInputTypeInfo, inputs_);
  if (!failure.ok()) return {failure.code, "input " + failure.message};
  failure = read_specs(environment_, session_.get(), api.SessionGetOutputCount, api.SessionGetOutputName,
                       api.SessionGetOutputTypeInfo, outputs_);
  if (!failure.ok()) return {failure.code, "output " + failure.message};
  c_inputs_ = to_c(inputs_, input_names_);
  c_outputs_ = to_c(outputs_, output_names_);
  c_signature_ = {model::kOnnxSignature, model::kOnnxMethod, c_inputs_.data(),
                  c_inputs_.size(),      c_outputs_.data(),  c_outputs_.size()};
  return {};
}

Failure OnnxModel::run(uint64_t, std::span<const TidegateTensor> inputs, std::span<const uint64_t> wanted,
                       TidegateTensor* outputs) const {
  BorrowedInputs borrowed(inputs);
  if (inputs.size() != input_names_.size())
    return {kInternal, "the host gave another number of inputs than the model has"};
  std::vector<OrtOwned<OrtValue>> fed;
  std::vector<const OrtValue*> feeds;
  for (const TidegateTensor& input : inputs) {
    auto& value = fed.emplace_back(environment_.api().ReleaseValue);
    if (Failure failure = to_ort(environment_, input, value); !failure.ok()) return failure;
    feeds.push_back(value.get());
  }
  std::vector<const char*> names;
  for (uint64_t index : wanted) names.push_back(output_names_[index]);
  std::vector<OrtValue*> fetched(wanted.size());
  Failure failure = environment_.library().failure(
      environment_.api().Run(session_.get(), environment_.run_options(), input_names_.data(), feeds.data(),
                             feeds.size(), names.data(), names.size(), fetched.data()));
  std::fill_n(outputs, fetched.size(), TidegateTensor{});
  for (size_t i = 0; i < fetched.size(); ++i) {
    OrtOwned<OrtValue> value(environment_.api().ReleaseValue, fetched[i]);
    if (failure.ok()) failure = from_ort(environment_, std::move(value), inputs, outputs[i]);
  }
  // Only a whole answer is the host's.
  for (size_t i = 0; !failure.ok() && i < fetched.size(); ++i) release(std::exchange(outputs[i], TidegateTensor{}));
  return failure;
}

}  // namespace tidegate::serving
