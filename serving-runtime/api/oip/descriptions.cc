#include "serving-runtime/api/oip/descriptions.h"

#include "base/status.h"
#include "serving-runtime/api/oip/model_view.h"

namespace tidegate::serving::oip {
namespace {

using model::DataType;

template <class Message>
void add_shape(const model::TensorSpec& spec, void (Message::*add)(int64_t), Message& message) {
  // The protocol has no word for an unknown number of dimensions; a list is the likeliest.
  if (spec.unknown_rank) (message.*add)(-1);
  for (int64_t size : spec.shape) (message.*add)(size);
}

void describe(const std::vector<model::TensorSpec>& specs,
              google::protobuf::RepeatedPtrField<inference::ModelMetadataResponse::TensorMetadata>* list) {
  using Metadata = inference::ModelMetadataResponse::TensorMetadata;
  for (const auto& spec : specs) {
    Metadata& metadata = *list->Add();
    metadata.set_name(spec.name);
    metadata.set_datatype(std::string(model::oip_name(spec.type)));
    add_shape(spec, &Metadata::add_shape, metadata);
  }
}

// The words of the configuration are the protocol's with a prefix, but for strings.
inference::DataType config_type(DataType type) {
  inference::DataType out = inference::TYPE_INVALID;
  if (type == DataType::kString) return inference::TYPE_STRING;
  inference::DataType_Parse(base::cat("TYPE_", model::oip_name(type)), &out);
  return out;
}

template <class Tensor>
void configure(const model::TensorSpec& spec, Tensor& tensor) {
  tensor.set_name(spec.name);
  tensor.set_data_type(config_type(spec.type));
  add_shape(spec, &Tensor::add_dims, tensor);
}

void write(const TotalTime& total, inference::StatisticDuration* out) {
  out->set_count(total.count);
  out->set_ns(static_cast<uint64_t>(absl::ToInt64Nanoseconds(total.time)));
}

// Where no requests are put together, each run is a batch of one, as Triton counts a model without batching.
void write_batches(const InferenceStatistics::Totals& totals, inference::ModelStatistics& out) {
  if (totals.executions == 0) return;
  auto* batch = out.add_batch_stats();
  batch->set_batch_size(1);
  write({totals.executions, totals.input.time}, batch->mutable_compute_input());
  write({totals.executions, totals.infer.time}, batch->mutable_compute_infer());
  write({totals.executions, totals.output.time}, batch->mutable_compute_output());
}

void write(const Servable& servable, inference::ModelStatistics& out) {
  InferenceStatistics::Totals totals = servable.statistics().read();
  out.set_name(servable.name());
  out.set_version(servable.version_text());
  if (totals.last_request != absl::InfinitePast()) {
    out.set_last_inference(static_cast<uint64_t>(absl::ToUnixMillis(totals.last_request)));
  }
  out.set_inference_count(totals.success.count - totals.cache_hit.count);
  out.set_execution_count(totals.executions);
  inference::InferStatistics& stats = *out.mutable_inference_stats();
  write(totals.success, stats.mutable_success());
  write(totals.fail, stats.mutable_fail());
  write(totals.queue, stats.mutable_queue());
  write(totals.input, stats.mutable_compute_input());
  write(totals.infer, stats.mutable_compute_infer());
  write(totals.output, stats.mutable_compute_output());
  write(totals.cache_hit, stats.mutable_cache_hit());
  write(totals.cache_miss, stats.mutable_cache_miss());
  write_batches(totals, out);
}

void write(const ModelEntry& model, inference::ModelStatisticsResponse& response) {
  for (const auto& [version, entry] : model.versions) {
    if (entry.servable) write(*entry.servable, *response.add_model_stats());
  }
}

}  // namespace

void server_metadata(inference::ServerMetadataResponse& response) {
  response.set_name(std::string(kServerName));
  response.set_version(std::string(kServerVersion));
  for (const char* extension : {"binary_tensor_data", "classification", "model_configuration", "model_repository",
                                "model_repository(unload_dependents)", "statistics"}) {
    response.add_extensions(extension);
  }
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
  response.set_ready(table.can_serve(spec));
  return absl::OkStatus();
}

absl::Status model_config(const ServableTable& table, const inference::ModelConfigRequest& request,
                          inference::ModelConfigResponse& response) {
  TG_ASSIGN_OR_RETURN(ModelSpec spec, to_model_spec(request.name(), request.version()));
  TG_ASSIGN_OR_RETURN(auto servable, table.find(spec));
  TG_ASSIGN_OR_RETURN(const model::Signature* signature, choose_signature(*servable, ""));
  inference::ModelConfig& config = *response.mutable_config();
  config.set_name(servable->name());
  config.set_platform(platform(*servable));
  config.set_backend(servable->platform());
  for (const auto& input : signature->inputs) configure(input, *config.add_input());
  for (const auto& output : signature->outputs) configure(output, *config.add_output());
  config.mutable_model_transaction_policy()->set_decoupled(false);
  if (servable->has_cache()) config.mutable_response_cache()->set_enable(true);
  return absl::OkStatus();
}

absl::Status model_statistics(const ServableTable& table, const inference::ModelStatisticsRequest& request,
                              inference::ModelStatisticsResponse& response) {
  if (request.name().empty() && request.version().empty()) {
    for (const auto& [name, model] : table.models) write(model, response);
    return absl::OkStatus();
  }
  TG_ASSIGN_OR_RETURN(ModelSpec spec, to_model_spec(request.name(), request.version()));
  TG_ASSIGN_OR_RETURN(auto servable, table.find(spec));
  if (spec.version) {
    write(*servable, *response.add_model_stats());
  } else {
    write(table.models.find(spec.name)->second, response);
  }
  return absl::OkStatus();
}

}  // namespace tidegate::serving::oip
