#include "api/json.h"

#include "api/json_visitors.h"
#include "base/strings.h"

namespace tidegate::api {
namespace {

template <class T>
absl::StatusOr<T> parse(const base::JsonView& json, const std::string& path) {
  absl::Status status;
  T value;
  JsonReader reader(json, path, status);
  reader.read(json, path, value);
  if (!status.ok()) return status;
  return value;
}

// A member that is not there reads as one without members of its own.
base::JsonView member(const base::JsonView& object, const char* name) {
  static const nlohmann::json* const empty = new nlohmann::json(nlohmann::json::object());
  return object.find(name).value_or(*empty);
}

}  // namespace

void visit_fields(auto& v, Maybe<ObjectMeta> auto& x) {
  v.required("name", x.name);
  v.optional("namespace", x.namespace_);
  v.optional("uid", x.uid);
  v.optional("resourceVersion", x.resource_version);
  v.optional("generation", x.generation);
  v.optional("creationTimestamp", x.creation_timestamp);
  v.optional("deletionTimestamp", x.deletion_timestamp);
  v.optional("labels", x.labels);
  v.optional("annotations", x.annotations);
}

absl::StatusOr<ObjectMeta> parse_object_meta(const base::JsonView& metadata) {
  return parse<ObjectMeta>(metadata, "metadata");
}

absl::StatusOr<ModelDeployment> parse_model_deployment(const base::JsonView& object) {
  absl::StatusOr<ObjectMeta> metadata = parse_object_meta(member(object, "metadata"));
  if (!metadata.ok()) return metadata.status();
  absl::StatusOr<ModelDeploymentSpec> spec = parse<ModelDeploymentSpec>(member(object, "spec"), "spec");
  if (!spec.ok()) return spec.status();
  absl::StatusOr<ModelDeploymentStatus> status = parse<ModelDeploymentStatus>(member(object, "status"), "status");
  if (!status.ok()) return status.status();
  return ModelDeployment{*std::move(metadata), *std::move(spec), *std::move(status)};
}

absl::StatusOr<ServingRuntime> parse_serving_runtime(const base::JsonView& object) {
  absl::StatusOr<ObjectMeta> metadata = parse_object_meta(member(object, "metadata"));
  if (!metadata.ok()) return metadata.status();
  absl::StatusOr<ServingRuntimeSpec> spec = parse<ServingRuntimeSpec>(member(object, "spec"), "spec");
  if (!spec.ok()) return spec.status();
  const bool cluster_scoped = metadata->namespace_.empty();
  return ServingRuntime{cluster_scoped, *std::move(metadata), *std::move(spec)};
}

nlohmann::json to_json(const ModelDeploymentSpec& spec) { return JsonWriter::write(spec); }
nlohmann::json to_json(const ModelDeploymentStatus& status) {
  nlohmann::json json = JsonWriter::write(status);
  // In spec an empty list says "none" where an absent one says "the default"; in status both say nothing.
  for (auto field = json.begin(); field != json.end();) {
    field = field->is_array() && field->empty() ? json.erase(field) : std::next(field);
  }
  return json;
}
nlohmann::json to_json(const ServingRuntimeSpec& spec) { return JsonWriter::write(spec); }

absl::StatusOr<absl::Duration> parse_duration(std::string_view text) {
  absl::Duration duration;
  if (!absl::ParseDuration(base::absl_view(text), &duration) || duration < absl::ZeroDuration() ||
      duration == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(base::cat("\"", text, "\" is not a duration such as 30s or 1h30m"));
  }
  return duration;
}

std::string format_duration(absl::Duration duration) {
  return duration == absl::ZeroDuration() ? "0s" : absl::FormatDuration(duration);
}

absl::StatusOr<absl::Time> parse_time(std::string_view text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, base::absl_view(text), &time, &error)) {
    return absl::InvalidArgumentError(error);
  }
  if (time == absl::InfiniteFuture() || time == absl::InfinitePast()) {
    return absl::InvalidArgumentError("infinite times are not RFC 3339");
  }
  return time;
}

std::string format_time(absl::Time time) {
  const absl::Time whole = absl::FromUnixMillis(absl::ToUnixMillis(time));
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", whole, absl::UTCTimeZone());
}

}  // namespace tidegate::api
