#include "serving-runtime/api/front_end.h"

#include <string>
#include <utility>

#include "base/log.h"
#include "serving-runtime/core/trace_context.h"

namespace tidegate::serving {
namespace {

// Bytes; what a client sends beyond is no name.
constexpr size_t kMaxRequestId = 256;

void log_failure(const Servable* servable, const absl::Status& result, const RequestOrigin& origin) {
  base::log_debug("a prediction failed", {{"api", name_of(origin.api)},
                                          {"model", servable ? servable->name() : ""},
                                          {"version", servable ? servable->version_text() : ""},
                                          {"request", origin.id.substr(0, kMaxRequestId)},
                                          {"traceparent", valid_traceparent(origin.traceparent)},
                                          {"error", result}});
}

}  // namespace

void FrontEndContext::end(Inference& inference, const absl::Status& result, const RequestOrigin& origin) const {
  const absl::Duration took = inference.end(result);
  const Servable* servable = inference.servable();
  metrics.count({origin.api, origin.operation, servable, result, inference.queued(), took, inference.computed()});
  if (!result.ok()) log_failure(servable, result, origin);
  auto record = inference.take_record();
  if (!record) return;
  record->time = clock.now();
  record->api = origin.api;
  if (record->request_id.empty()) record->request_id = origin.id.substr(0, kMaxRequestId);
  record->traceparent = valid_traceparent(origin.traceparent);
  record->model = servable->name();
  record->version = servable->version();
  record->status = result;
  record->model_error = is_model_error(result);
  record->queued = inference.queued();
  record->latency = took;
  recorder->take(std::move(record));
}

}  // namespace tidegate::serving
