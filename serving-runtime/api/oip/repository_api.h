#pragma once
// Triton's model repository extension: which models there are, and loading and unloading them. Messages of gRPC; REST's
// bodies are read into the same ones.
#include <absl/status/statusor.h>

#include <string_view>

#include "open_inference.pb.h"
#include "serving-runtime/core/model_control.h"
#include "serving-runtime/core/servable_table.h"

namespace tidegate::serving::oip {

// Every version of every model that is known, in Triton's words: READY, LOADING, UNLOADING, UNAVAILABLE with the
// reason. A model without versions is there once, UNAVAILABLE. `ready`: only what serves.
absl::Status repository_index(const ServableTable& table, const inference::RepositoryIndexRequest& request,
                              inference::RepositoryIndexResponse& response);

// `control` null: UNAVAILABLE, as Triton answers when it is not in explicit mode. UNIMPLEMENTED for parameters that
// would change how a model is loaded, INVALID_ARGUMENT for unknown ones. `done` runs once, now or later, on any thread.
void load_model(ModelControl* control, const inference::RepositoryModelLoadRequest& request, ModelControl::Done done);
void unload_model(ModelControl* control, const inference::RepositoryModelUnloadRequest& request,
                  ModelControl::Done done);

// Bodies of REST; an empty one asks for nothing in particular. INVALID_ARGUMENT for anything that is not the protocol.
absl::StatusOr<inference::RepositoryIndexRequest> parse_index_request(std::string_view body);
absl::StatusOr<inference::RepositoryModelLoadRequest> parse_load_request(std::string_view body);
absl::StatusOr<inference::RepositoryModelUnloadRequest> parse_unload_request(std::string_view body);

}  // namespace tidegate::serving::oip
