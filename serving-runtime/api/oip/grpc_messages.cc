#include "serving-runtime/api/oip/grpc_messages.h"

#include "base/status.h"
#include "serving-runtime/api/oip/model_view.h"
#include "serving-runtime/api/oip/raw_tensor.h"

namespace tidegate::serving::oip {
namespace {

using inference::InferTensorContents;
using model::DataType;
using InputTensor = inference::ModelInferRequest::InferInputTensor;

template <class To, class Field>
AlignedBuffer copy(const Field& field) {
  AlignedBuffer data(static_cast<size_t>(field.size()) * sizeof(To));
  auto* out = reinterpret_cast<To*>(data.data());
  for (auto value : field) *out++ = static_cast<To>(value);
  return data;
}

absl::StatusOr<AlignedBuffer> typed_numbers(DataType type, const InferTensorContents& contents) {
  switch (type) {
    case DataType::kBool:
      return copy<uint8_t>(contents.bool_contents());
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

absl::StatusOr<Tensor> from_contents(DataType type, Shape shape, const InferTensorContents& contents) {
  TG_ASSIGN_OR_RETURN(int64_t expected, element_count(shape));
  auto mismatch = [&](int64_t got) {
    return absl::InvalidArgumentError(
        base::cat("contents have ", got, " elements; shape ", shape_text(shape), " needs ", expected));
  };
  if (type == DataType::kString) {
    if (contents.bytes_contents_size() != expected) return mismatch(contents.bytes_contents_size());
    StringList strings;
    for (const std::string& text : contents.bytes_contents()) strings.push(text);
    return Tensor(std::move(shape), std::move(strings));
  }
  TG_ASSIGN_OR_RETURN(AlignedBuffer data, typed_numbers(type, contents));
  auto got = static_cast<int64_t>(data.size() / model::size_of(type));
  if (got != expected) return mismatch(got);
  return Tensor(type, std::move(shape), std::move(data));
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
    if (input.shape_size() > 254)
      return absl::InvalidArgumentError(base::cat("input '", input.name(), "' has more than 254 dimensions"));
    TG_ASSIGN_OR_RETURN(DataType type, parse_type(input.datatype(), input.name()));
    Shape shape(input.shape().begin(), input.shape().end());
    auto tensor = raw ? from_raw(type, std::move(shape), request.raw_input_contents(i))
                      : from_contents(type, std::move(shape), input.contents());
    if (!tensor.ok()) return base::annotate(tensor.status(), base::cat("input '", input.name(), "'"));
    inputs.push_back({input.name(), *std::move(tensor)});
  }
  return inputs;
}

absl::StatusOr<std::string> signature_name(const inference::ModelInferRequest& request) {
  auto parameter = request.parameters().find("signature_name");
  if (parameter == request.parameters().end()) return std::string();
  if (parameter->second.has_string_param()) return parameter->second.string_param();
  return absl::InvalidArgumentError("the parameter signature_name must be a string");
}

template <class Metadata>
void describe(const std::vector<model::TensorSpec>& specs, Metadata* list) {
  for (const auto& spec : specs) {
    auto* metadata = list->Add();
    metadata->set_name(spec.name);
    metadata->set_datatype(std::string(model::oip_name(spec.type)));
    for (int64_t size : spec.shape) metadata->add_shape(size);
  }
}

}  // namespace

absl::Status model_infer(const ServableTable& table, const inference::ModelInferRequest& request,
                         inference::ModelInferResponse& response, Inference& inference) {
  TG_ASSIGN_OR_RETURN(ModelSpec spec, to_model_spec(request.model_name(), request.model_version()));
  TG_RETURN_IF_ERROR(inference.choose(table, spec));
  const Servable* servable = inference.servable();
  TG_ASSIGN_OR_RETURN(std::string name, signature_name(request));
  TG_ASSIGN_OR_RETURN(const model::Signature* signature, choose_signature(*servable, name));
  TG_ASSIGN_OR_RETURN(auto inputs, decode_inputs(request));
  TG_RETURN_IF_ERROR(check_types(*signature, inputs));
  std::vector<std::string> wanted;
  for (const auto& output : request.outputs()) wanted.push_back(output.name());
  TG_ASSIGN_OR_RETURN(auto outputs, inference.predict(*signature, std::move(inputs), wanted));
  response.set_model_name(servable->name());
  response.set_model_version(servable->version_text());
  response.set_id(request.id());
  for (const NamedTensor& output : outputs) {
    auto* described = response.add_outputs();
    described->set_name(output.name);
    described->set_datatype(std::string(model::oip_name(output.tensor.type())));
    for (int64_t size : output.tensor.shape()) described->add_shape(size);
    append_raw(*response.add_raw_output_contents(), output.tensor);
  }
  return absl::OkStatus();
}

absl::Status model_metadata(const ServableTable& table, const inference::ModelMetadataRequest& request,
                            inference::ModelMetadataResponse& response) {
  TG_ASSIGN_OR_RETURN(ModelSpec spec, to_model_spec(request.name(), request.version()));
  TG_ASSIGN_OR_RETURN(auto servable, table.find(spec));
  TG_ASSIGN_OR_RETURN(const model::Signature* signature, choose_signature(*servable, ""));
  response.set_name(servable->name());
  for (const std::string& version : serving_versions(table, servable->name())) response.add_versions(version);
  response.set_platform(platform(*servable));
  describe(signature->inputs, response.mutable_inputs());
  describe(signature->outputs, response.mutable_outputs());
  return absl::OkStatus();
}

absl::Status model_ready(const ServableTable& table, const inference::ModelReadyRequest& request,
                         inference::ModelReadyResponse& response) {
  TG_ASSIGN_OR_RETURN(ModelSpec spec, to_model_spec(request.name(), request.version()));
  response.set_ready(table.find(spec).ok());
  return absl::OkStatus();
}

void server_metadata(inference::ServerMetadataResponse& response) {
  response.set_name(std::string(kServerName));
  response.set_version(std::string(kServerVersion));
}

}  // namespace tidegate::serving::oip
