#include "serving-runtime/api/oip/grpc_messages.h"

#include <type_traits>
#include <utility>

#include "base/status.h"
#include "serving-runtime/api/oip/infer.h"
#include "serving-runtime/api/oip/model_view.h"
#include "serving-runtime/api/oip/raw_tensor.h"

namespace tidegate::serving::oip {
namespace {

using inference::InferTensorContents;
using model::DataType;
using InputTensor = inference::ModelInferRequest::InferInputTensor;
using OutputTensor = inference::ModelInferRequest::InferRequestedOutputTensor;

// Field by field into elements of another width. INVALID_ARGUMENT for a number that does not fit.
template <class To, class Field>
absl::StatusOr<AlignedBuffer> copy(const Field& field) {
  AlignedBuffer data(static_cast<size_t>(field.size()) * sizeof(To));
  auto* out = reinterpret_cast<To*>(data.data());
  for (auto value : field) {
    if constexpr (std::is_integral_v<To> && sizeof(To) < sizeof(value)) {
      if (!std::in_range<To>(value)) {
        return absl::InvalidArgumentError(base::cat("contents hold ", value, ", which the datatype cannot"));
      }
    }
    *out++ = static_cast<To>(value);
  }
  return data;
}

absl::StatusOr<AlignedBuffer> typed_numbers(DataType type, const InferTensorContents& contents) {
  switch (type) {
    case DataType::kBool:
      return copy<bool>(contents.bool_contents());
    case DataType::kInt8:
      return copy<int8_t>(contents.int_contents());
    case DataType::kInt16:
      return copy<int16_t>(contents.int_contents());
    case DataType::kInt32:
      return copy<int32_t>(contents.int_contents());
    case DataType::kInt64:
      return copy<int64_t>(contents.int64_contents());
    case DataType::kUint8:
      return copy<uint8_t>(contents.uint_contents());
    case DataType::kUint16:
      return copy<uint16_t>(contents.uint_contents());
    case DataType::kUint32:
      return copy<uint32_t>(contents.uint_contents());
    case DataType::kUint64:
      return copy<uint64_t>(contents.uint64_contents());
    case DataType::kFloat:
      return copy<float>(contents.fp32_contents());
    case DataType::kDouble:
      return copy<double>(contents.fp64_contents());
    default:
      return absl::InvalidArgumentError(
          base::cat("datatype ", model::oip_name(type), " has no typed contents; send it raw"));
  }
}

// The elements in all of its fields.
int64_t size_of(const InferTensorContents& contents) {
  return int64_t{contents.bool_contents_size()} + contents.int_contents_size() + contents.int64_contents_size() +
         contents.uint_contents_size() + contents.uint64_contents_size() + contents.fp32_contents_size() +
         contents.fp64_contents_size() + contents.bytes_contents_size();
}

absl::StatusOr<Tensor> from_contents(DataType type, Shape shape, const InferTensorContents& contents) {
  TG_ASSIGN_OR_RETURN(int64_t expected, element_count(shape));
  bool text = type == DataType::kString;
  AlignedBuffer data;
  if (!text) {
    TG_ASSIGN_OR_RETURN(data, typed_numbers(type, contents));
  }
  auto got = text ? int64_t{contents.bytes_contents_size()} : static_cast<int64_t>(data.size() / model::size_of(type));
  if (got != size_of(contents)) {
    return absl::InvalidArgumentError(
        base::cat("contents are in a field that is not for datatype ", model::oip_name(type)));
  }
  if (got != expected) {
    return absl::InvalidArgumentError(
        base::cat("contents have ", got, " elements; shape ", shape_text(shape), " needs ", expected));
  }
  if (!text) return Tensor(type, std::move(shape), std::move(data));
  StringList strings;
  for (const std::string& one : contents.bytes_contents()) strings.push(one);
  return Tensor(std::move(shape), std::move(strings));
}

// KServe's client sends the parameters of REST's binary extension over gRPC, too. They must be true: an input has so
// many raw bytes; that outputs should be binary is so in any case, and false asks for nothing.
absl::Status check_raw_size(const InputTensor& input, const std::string* raw, const ParameterValue& value) {
  const auto* size = std::get_if<int64_t>(&value);
  if (raw && size && std::cmp_equal(*size, raw->size())) return absl::OkStatus();
  return absl::InvalidArgumentError(
      base::cat("input '", input.name(), "' parameter 'binary_data_size' must be the size of its raw_input_contents"));
}

bool is_binary_flag(std::string_view name, std::string_view flag, const ParameterValue& value) {
  return name == flag && std::holds_alternative<bool>(value);
}

// `raw`: its bytes; null: it has typed contents.
absl::Status check_parameters(const InputTensor& input, const std::string* raw) {
  for (const auto& [name, parameter] : input.parameters()) {
    TG_ASSIGN_OR_RETURN(ParameterValue value, to_parameter(parameter, name));
    TG_RETURN_IF_ERROR(name == "binary_data_size"
                           ? check_raw_size(input, raw, value)
                           : check_tensor_parameter(base::cat("input '", input.name(), "'"), name, value));
  }
  return absl::OkStatus();
}

absl::StatusOr<WantedOutput> read_wanted(const OutputTensor& output) {
  WantedOutput wanted{output.name()};
  for (const auto& [name, parameter] : output.parameters()) {
    TG_ASSIGN_OR_RETURN(ParameterValue value, to_parameter(parameter, name));
    if (is_binary_flag(name, "binary_data", value)) continue;
    const std::string what = base::cat("output '", output.name(), "'");
    if (name != "classification") {
      TG_RETURN_IF_ERROR(check_tensor_parameter(what, name, value));
      continue;
    }
    const auto* classes = std::get_if<int64_t>(&value);
    if (!classes || *classes < 0) {
      return absl::InvalidArgumentError(base::cat(what, " parameter 'classification' must be a whole number"));
    }
    wanted.classes = static_cast<uint64_t>(*classes);
  }
  return wanted;
}

absl::StatusOr<RequestParameters> read_parameters(const inference::ModelInferRequest& request) {
  RequestParameters read;
  for (const auto& [name, parameter] : request.parameters()) {
    TG_ASSIGN_OR_RETURN(ParameterValue value, to_parameter(parameter, name));
    if (is_binary_flag(name, "binary_data_output", value)) continue;
    TG_RETURN_IF_ERROR(take_request_parameter(name, value, read));
  }
  return read;
}

absl::StatusOr<Tensor> decode_input(const inference::ModelInferRequest& request, int index) {
  const InputTensor& input = request.inputs(index);
  bool raw = request.raw_input_contents_size() > 0;
  if (raw && input.has_contents()) {
    return absl::InvalidArgumentError(
        base::cat("contents field must not be specified when using raw_input_contents "
                  "for '",
                  input.name(), "' for model '", request.model_name(), "'"));
  }
  if (static_cast<size_t>(input.shape_size()) > kMostDimensions) {
    return absl::InvalidArgumentError(base::cat("more than ", kMostDimensions, " dimensions"));
  }
  TG_ASSIGN_OR_RETURN(DataType type, parse_type(input.datatype(), input.name()));
  Shape shape(input.shape().begin(), input.shape().end());
  return raw ? from_raw(type, std::move(shape), request.raw_input_contents(index))
             : from_contents(type, std::move(shape), input.contents());
}

absl::StatusOr<std::vector<NamedTensor>> decode_inputs(const inference::ModelInferRequest& request) {
  bool raw = request.raw_input_contents_size() > 0;
  if (raw && request.raw_input_contents_size() != request.inputs_size()) {
    return absl::InvalidArgumentError(base::cat("there are ", request.inputs_size(), " inputs but ",
                                                request.raw_input_contents_size(), " raw_input_contents"));
  }
  std::vector<NamedTensor> inputs;
  for (int i = 0; i < request.inputs_size(); ++i) {
    const InputTensor& input = request.inputs(i);
    TG_RETURN_IF_ERROR(check_parameters(input, raw ? &request.raw_input_contents(i) : nullptr));
    auto tensor = decode_input(request, i);
    if (!tensor.ok()) return base::annotate(tensor.status(), base::cat("input '", input.name(), "'"));
    inputs.push_back({input.name(), *std::move(tensor)});
  }
  return inputs;
}

absl::StatusOr<std::vector<WantedOutput>> wanted_outputs(const inference::ModelInferRequest& request) {
  std::vector<WantedOutput> wanted;
  for (const OutputTensor& output : request.outputs()) {
    TG_ASSIGN_OR_RETURN(wanted.emplace_back(), read_wanted(output));
  }
  return wanted;
}

void encode(const std::vector<NamedTensor>& outputs, inference::ModelInferResponse& response) {
  for (const NamedTensor& output : outputs) {
    auto* described = response.add_outputs();
    described->set_name(output.name);
    described->set_datatype(std::string(model::oip_name(output.tensor.type())));
    for (int64_t size : output.tensor.shape()) described->add_shape(size);
    append_raw(*response.add_raw_output_contents(), output.tensor);
  }
}

}  // namespace

absl::Status model_infer(const ServableFinder& servables, const inference::ModelInferRequest& request,
                         inference::ModelInferResponse& response, Inference& inference) {
  TG_ASSIGN_OR_RETURN(ModelSpec spec, to_model_spec(request.model_name(), request.model_version()));
  TG_RETURN_IF_ERROR(inference.choose(servables, spec));
  inference.set_request_id(request.id());
  TG_ASSIGN_OR_RETURN(RequestParameters parameters, read_parameters(request));
  TG_ASSIGN_OR_RETURN(auto wanted, wanted_outputs(request));
  TG_ASSIGN_OR_RETURN(auto inputs, decode_inputs(request));
  TG_ASSIGN_OR_RETURN(auto outputs, infer(inference, parameters, std::move(inputs), std::move(wanted)));
  response.set_model_name(inference.servable()->name());
  response.set_model_version(inference.servable()->version_text());
  response.set_id(request.id());
  encode(outputs, response);
  return absl::OkStatus();
}

absl::Status stream_infer(const ServableFinder& servables, const inference::ModelInferRequest& request,
                          inference::ModelStreamInferResponse& response, Inference& inference) {
  absl::Status result = model_infer(servables, request, *response.mutable_infer_response(), inference);
  if (result.ok()) {
    // Of a request, of which a stream may give several answers elsewhere, this is the last one.
    (*response.mutable_infer_response()->mutable_parameters())["triton_final_response"].set_bool_param(true);
  }
  return result;
}

void refuse(const inference::ModelInferRequest& request, const absl::Status& error,
            inference::ModelStreamInferResponse& response) {
  response.Clear();
  response.set_error_message(std::string(base::view(error.message())));
  response.mutable_infer_response()->set_id(request.id());
}

}  // namespace tidegate::serving::oip
