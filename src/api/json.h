#pragma once
// Reads and writes the kinds of our API as JSON. Called by the operator for what the API server sends and for the
// status it writes, and by tests.
//
// Reading is total: any text gives a value or kInvalidArgument naming the field, as in
//   spec.rollout.steps[1].weight: expected an integer, got "many"
// Absent fields keep the schema's defaults, unknown ones are ignored (the API server has refused or dropped them in
// spec; in status they come from a newer operator).

#include <nlohmann/json.hpp>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include "api/runtime_types.h"
#include "api/types.h"
#include "base/json_view.h"

namespace tidegate::api {

absl::StatusOr<ModelDeployment> parse_model_deployment(const base::JsonView& object);
absl::StatusOr<ServingRuntime> parse_serving_runtime(const base::JsonView& object);  // either kind
absl::StatusOr<ObjectMeta> parse_object_meta(const base::JsonView& metadata);

nlohmann::json to_json(const ModelDeploymentSpec& spec);
nlohmann::json to_json(const ModelDeploymentStatus& status);
nlohmann::json to_json(const ServingRuntimeSpec& spec);

// "30s", "1h30m", "0s"; negative and infinite ones are refused.
absl::StatusOr<absl::Duration> parse_duration(std::string_view text);
std::string format_duration(absl::Duration duration);

// RFC 3339 in UTC, milliseconds only where there are some.
absl::StatusOr<absl::Time> parse_time(std::string_view text);
std::string format_time(absl::Time time);

}  // namespace tidegate::api
