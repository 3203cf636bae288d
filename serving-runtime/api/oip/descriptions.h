#pragma once
// What the server tells of itself and its models: the Open Inference Protocol's metadata and Triton's extensions for
// configuration and statistics. Messages of gRPC; REST prints the same ones as JSON (message_json.h).
#include <absl/status/status.h>

#include "open_inference.pb.h"
#include "serving-runtime/core/servable_table.h"

namespace tidegate::serving::oip {

void server_metadata(inference::ServerMetadataResponse& response);

// NOT_FOUND when no such version serves; so everywhere here.
absl::Status model_metadata(const ServableTable& table, const inference::ModelMetadataRequest& request,
                            inference::ModelMetadataResponse& response);
absl::Status model_ready(const ServableTable& table, const inference::ModelReadyRequest& request,
                         inference::ModelReadyResponse& response);

// max_batch_size is 0: requests are run as they come, and the dims are those of the whole tensor.
absl::Status model_config(const ServableTable& table, const inference::ModelConfigRequest& request,
                          inference::ModelConfigResponse& response);

// Of one version, all versions of a model, or (no name) all that serve, since each was loaded.
absl::Status model_statistics(const ServableTable& table, const inference::ModelStatisticsRequest& request,
                              inference::ModelStatisticsResponse& response);

}  // namespace tidegate::serving::oip
