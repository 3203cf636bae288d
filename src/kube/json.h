#pragma once
// JSON of the Kubernetes API, read without exceptions: a path that is missing, or of another type, gives the default.
// Called by the decoders of src/kube, which read views (base/json_view.h), and by whoever builds objects for
// Client::apply.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/json_view.h"

namespace tidegate::kube {

using Json = nlohmann::json;
using base::JsonView;
using JsonPath = std::initializer_list<std::string_view>;

// INVALID_ARGUMENT names `what` and the byte where the text stops being JSON.
absl::StatusOr<Json> parse_json(std::string_view text, std::string_view what);

// Compact text. Bytes that are not UTF-8 (a container's last words) become U+FFFD.
std::string dump_json(const Json& json);

// The value at `path` through nested objects, or null.
const Json* find(const Json& object, JsonPath path);
// The same for arrays: an empty array when it is missing or no array.
const Json& array_at(const Json& object, JsonPath path);
std::string string_at(const Json& object, JsonPath path);
int64_t int_at(const Json& object, JsonPath path, int64_t fallback = 0);
bool bool_at(const Json& object, JsonPath path, bool fallback = false);
// String values only; others are left out.
std::map<std::string, std::string> strings_at(const Json& object, JsonPath path);
// RFC 3339, with or without fractions; nullopt when missing or malformed.
std::optional<absl::Time> time_at(const Json& object, JsonPath path);

// The same of views.
std::optional<JsonView> find(const JsonView& object, JsonPath path);
void each_at(const JsonView& object, JsonPath path, absl::FunctionRef<void(const JsonView&)> visit);
std::string string_at(const JsonView& object, JsonPath path);
int64_t int_at(const JsonView& object, JsonPath path, int64_t fallback = 0);
bool bool_at(const JsonView& object, JsonPath path, bool fallback = false);
std::map<std::string, std::string> strings_at(const JsonView& object, JsonPath path);
std::optional<absl::Time> time_at(const JsonView& object, JsonPath path);

// metadata.resourceVersion of an object (or a list), or empty.
std::string resource_version_of(const JsonView& object);

// metav1.Time (whole seconds) and metav1.MicroTime (six digits), UTC.
std::string format_time(absl::Time time);
std::string format_micro_time(absl::Time time);

}  // namespace tidegate::kube
