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

std::string string_at(const Json& object, JsonPath path) {
  const Json* value = find(object, path);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

int64_t int_at(const Json& object, JsonPath path, int64_t fallback) {
  const Json* value = find(object, path);
  return value != nullptr && value->is_number_integer() ? value->get<int64_t>() : fallback;
}

bool bool_at(const Json& object, JsonPath path, bool fallback) {
  const Json* value = find(object, path);
  return value != nullptr && value->is_boolean() ? value->get<bool>() : fallback;
}

std::map<std::string, std::string> strings_at(const Json& object, JsonPath path) {
  std::map<std::string, std::string> strings;
  const Json* value = find(object, path);
  if (value == nullptr || !value->is_object()) return strings;
  for (const auto& [key, member] : value->items()) {
    if (member.is_string()) strings.emplace(key, member.get<std::string>());
  }
  return strings;
}

std::optional<absl::Time> time_at(const Json& object, JsonPath path) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, string_at(object, path), &time, &error)) return std::nullopt;
  return time;
}

std::string format_time(absl::Time time) { return absl::FormatTime("%Y-%m-%d%ET%H:%M:%SZ", time, absl::UTCTimeZone()); }

std::string format_micro_time(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

}  // namespace tidegate::kube
