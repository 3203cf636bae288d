#include "kube/json.h"

#include "base/strings.h"

namespace tidegate::kube {

absl::StatusOr<Json> parse_json(std::string_view text, std::string_view what) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(base::cat(what, ": not JSON: ", error.what()));
  }
}

std::string dump_json(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

const Json* find(const Json& object, JsonPath path) {
  const Json* at = &object;
  for (std::string_view step : path) {
    if (!at->is_object()) return nullptr;
    auto member = at->find(step);
    if (member == at->end() || member->is_null()) return nullptr;
    at = &*member;
  }
  return at;
}

const Json& array_at(const Json& object, JsonPath path) {
  static const Json kEmpty = Json::array();
  const Json* value = find(object, path);
  return value != nullptr && value->is_array() ? *value : kEmpty;
}

std::string string_at(const Json& object, JsonPath path) { return string_at(JsonView(object), path); }

int64_t int_at(const Json& object, JsonPath path, int64_t fallback) { return int_at(JsonView(object), path, fallback); }

bool bool_at(const Json& object, JsonPath path, bool fallback) { return bool_at(JsonView(object), path, fallback); }

std::map<std::string, std::string> strings_at(const Json& object, JsonPath path) {
  return strings_at(JsonView(object), path);
}

std::optional<absl::Time> time_at(const Json& object, JsonPath path) { return time_at(JsonView(object), path); }

std::optional<JsonView> find(const JsonView& object, JsonPath path) {
  std::optional<JsonView> at = object;
  for (std::string_view step : path) {
    at = at->find(step);
    if (!at) return std::nullopt;
  }
  return at;
}

void each_at(const JsonView& object, JsonPath path, absl::FunctionRef<void(const JsonView&)> visit) {
  if (const auto list = find(object, path)) list->each_item(visit);
}

std::string string_at(const JsonView& object, JsonPath path) {
  const auto value = find(object, path);
  return value ? std::string(value->as_string().value_or("")) : "";
}

int64_t int_at(const JsonView& object, JsonPath path, int64_t fallback) {
  const auto value = find(object, path);
  return value ? value->as_integer().value_or(fallback) : fallback;
}

bool bool_at(const JsonView& object, JsonPath path, bool fallback) {
  const auto value = find(object, path);
  return value ? value->as_bool().value_or(fallback) : fallback;
}

std::map<std::string, std::string> strings_at(const JsonView& object, JsonPath path) {
  std::map<std::string, std::string> strings;
  if (const auto value = find(object, path)) {
    value->each_member([&](std::string_view name, const JsonView& member) {
      if (const auto text = member.as_string()) strings.emplace(name, *text);
    });
  }
  return strings;
}

std::optional<absl::Time> time_at(const JsonView& object, JsonPath path) {
  const auto value = find(object, path);
  const auto text = value ? value->as_string() : std::nullopt;
  absl::Time time;
  std::string error;
  if (!text || !absl::ParseTime(absl::RFC3339_full, base::absl_view(*text), &time, &error)) return std::nullopt;
  return time;
}

std::string resource_version_of(const JsonView& object) { return string_at(object, {"metadata", "resourceVersion"}); }

std::string format_time(absl::Time time) { return absl::FormatTime("%Y-%m-%d%ET%H:%M:%SZ", time, absl::UTCTimeZone()); }

std::string format_micro_time(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

}  // namespace tidegate::kube
