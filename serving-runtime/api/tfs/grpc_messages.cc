#include "serving-runtime/api/tfs/grpc_messages.h"

#include "base/status.h"
#include "serving-runtime/api/tfs/tensor_proto.h"

namespace tidegate::serving::tfs {
namespace {

namespace pb = tensorflow::serving;

constexpr std::string_view kSignatureField = "signature_def";

void describe(const std::vector<model::TensorSpec>& specs,
              google::protobuf::Map<std::string, tensorflow::TensorInfo>& map) {
  for (const auto& spec : specs) {
    tensorflow::TensorInfo& info = map[spec.name];
    info.set_name(spec.tensor_name);
    info.set_dtype(static_cast<int32_t>(spec.type));
    info.mutable_tensor_shape()->set_unknown_rank(spec.unknown_rank);
    for (int64_t size : spec.shape) info.mutable_tensor_shape()->add_dim()->set_size(size);
  }
}

void name_version(const Servable& servable, pb::ModelSpec& spec) {
  spec.set_name(servable.name());
  spec.mutable_version()->set_value(servable.version());
}

}  // namespace

absl::StatusOr<ModelSpec> to_model_spec(const pb::ModelSpec& spec) {
  if (spec.name().empty()) return absl::InvalidArgumentError("ModelSpec has no name specified.");
  ModelSpec out;
  out.name = spec.name();
  if (spec.has_version()) out.version = spec.version().value();
  if (!spec.version_label().empty()) out.label = spec.version_label();
  return out;
}

void name_version(const Servable& servable, const model::Signature& signature, pb::ModelSpec& spec) {
  name_version(servable, spec);
  spec.set_signature_name(signature.name);
}

absl::StatusOr<std::vector<NamedTensor>> decode_inputs(const pb::PredictRequest& request, RepeatAllowance& allowance) {
  std::vector<NamedTensor> inputs;
  for (const auto& [name, proto] : request.inputs()) {
    auto tensor = from_proto(proto, allowance);
    if (!tensor.ok()) return base::annotate(tensor.status(), base::cat("tensor parsing error: ", name));
    inputs.push_back({name, *std::move(tensor)});
  }
  return inputs;
}

absl::Status predict(const ServableFinder& servables, const pb::PredictRequest& request, pb::PredictResponse& response,
                     Inference& inference, const Rules& rules) {
  if (!request.has_model_spec()) return absl::InvalidArgumentError("Missing ModelSpec");
  TG_ASSIGN_OR_RETURN(ModelSpec spec, to_model_spec(request.model_spec()));
  TG_RETURN_IF_ERROR(inference.choose(servables, spec));
  const model::Signature* signature = inference.servable()->find_signature(request.model_spec().signature_name());
  if (!signature) {
    const std::string& asked = request.model_spec().signature_name();
    return absl::FailedPreconditionError(
        base::cat("Serving signature key \"", asked.empty() ? kDefaultSignature : asked, "\" not found."));
  }
  RepeatAllowance allowance;
  TG_ASSIGN_OR_RETURN(auto inputs, decode_inputs(request, allowance));
  std::vector<std::string> wanted(request.output_filter().begin(), request.output_filter().end());
  TG_ASSIGN_OR_RETURN(auto outputs, inference.predict(*signature, std::move(inputs), wanted));
  const ProtoForm form = rules.tensor_content ? ProtoForm::kContent : ProtoForm::kTyped;
  for (const NamedTensor& output : outputs) to_proto(output.tensor, (*response.mutable_outputs())[output.name], form);
  name_version(*inference.servable(), *signature, *response.mutable_model_spec());
  return absl::OkStatus();
}

absl::Status get_model_metadata(const ServableTable& table, const pb::GetModelMetadataRequest& request,
                                pb::GetModelMetadataResponse& response) {
  if (!request.has_model_spec()) return absl::InvalidArgumentError("Missing ModelSpec");
  if (request.metadata_field_size() == 0) {
    return absl::InvalidArgumentError("GetModelMetadataRequest must specify at least one metadata_field");
  }
  for (const std::string& field : request.metadata_field()) {
    if (field != kSignatureField)
      return absl::InvalidArgumentError(base::cat("Metadata field ", field, " is not supported"));
  }
  TG_ASSIGN_OR_RETURN(ModelSpec spec, to_model_spec(request.model_spec()));
  TG_ASSIGN_OR_RETURN(auto servable, table.find(spec));
  pb::SignatureDefMap signatures;
  for (const model::Signature& signature : servable->signatures()) {
    tensorflow::SignatureDef& def = (*signatures.mutable_signature_def())[signature.name];
    describe(signature.inputs, *def.mutable_inputs());
    describe(signature.outputs, *def.mutable_outputs());
    def.set_method_name(signature.method_name);
  }
  name_version(*servable, *response.mutable_model_spec());
  (*response.mutable_metadata())[std::string(kSignatureField)].PackFrom(signatures);
  return absl::OkStatus();
}

absl::Status get_model_status(const ServableTable& table, const pb::GetModelStatusRequest& request,
                              pb::GetModelStatusResponse& response) {
  if (!request.has_model_spec()) return absl::InvalidArgumentError("Missing ModelSpec");
  TG_ASSIGN_OR_RETURN(ModelSpec spec, to_model_spec(request.model_spec()));
  TG_ASSIGN_OR_RETURN(auto states, table.states(spec));
  for (const auto& [version, entry] : states) {
    auto* status = response.add_model_version_status();
    status->set_version(version);
    status->set_state(static_cast<int32_t>(entry.state));
    status->mutable_status()->set_error_code(static_cast<int32_t>(entry.error.code()));
    status->mutable_status()->set_error_message(std::string(base::view(entry.error.message())));
  }
  return absl::OkStatus();
}

absl::Status check_reload(const tensorflow::serving::ReloadConfigRequest& request) {
  if (!request.config().has_model_config_list()) {
    return absl::InvalidArgumentError(
        "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
        "supported");
  }
  if (request.metric_names().empty()) return absl::OkStatus();
  return absl::UnimplementedError("metric_names is not supported; leave it out, and read /metrics");
}

}  // namespace tidegate::serving::tfs
