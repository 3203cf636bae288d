#pragma once
// The visitors of fields.h that read and write JSON. Only json.cc and the test that compares types and CRDs need them.

#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "api/fields.h"
#include "api/json.h"
#include "base/json_view.h"
#include "base/strings.h"

namespace tidegate::api {

// Reads an object's fields; keeps the first error.
class JsonReader {
 public:
  JsonReader(const base::JsonView& object, std::string path, absl::Status& status)
      : object_(object), path_(std::move(path)), status_(status) {}

  template <class T>
  void required(std::string_view name, T& member) {
    const std::optional<base::JsonView> field = object_.find(name);
    if (!field) return fail(child(name), "is required");
    read(*field, child(name), member);
  }

  template <class T>
  void optional(std::string_view name, T& member) {
    if (const std::optional<base::JsonView> field = object_.find(name)) read(*field, child(name), member);
  }

  // Reads any value of our API; also the entry point for whole objects.
  template <class T>
  void read(const base::JsonView& json, const std::string& path, T& value) {
    if (!status_.ok()) return;
    if constexpr (std::is_enum_v<T>) {
      read_enum(json, path, value);
    } else {
      read_value(json, path, value);
    }
  }

 private:
  std::string child(std::string_view name) const {
    return path_.empty() ? std::string(name) : base::cat(path_, ".", name);
  }
  void fail(const std::string& path, std::string_view what) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(base::cat(path, ": ", what));
  }
  void expected(std::string_view what, const base::JsonView& json, const std::string& path) {
    std::string got = json.to_json().dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (got.size() > 80) got = base::cat(got.substr(0, 80), "…");
    fail(path, base::cat("expected ", what, ", got ", got));
  }

  void read_value(const base::JsonView& json, const std::string& path, std::string& value) {
    const auto text = json.as_string();
    if (!text) return expected("a string", json, path);
    value = *text;
  }
  void read_value(const base::JsonView& json, const std::string& path, bool& value) {
    const auto truth = json.as_bool();
    if (!truth) return expected("true or false", json, path);
    value = *truth;
  }
  void read_value(const base::JsonView& json, const std::string& path, int64_t& value) {
    const auto number = json.as_integer();
    if (!number) return expected("an integer", json, path);
    value = *number;
  }
  void read_value(const base::JsonView& json, const std::string& path, int& value) {
    int64_t wide = 0;
    read_value(json, path, wide);
    if (wide < std::numeric_limits<int>::min() || wide > std::numeric_limits<int>::max()) {
      return expected("a 32 bit integer", json, path);
    }
    value = static_cast<int>(wide);
  }
  void read_value(const base::JsonView& json, const std::string& path, double& value) {
    const auto number = json.as_number();
    if (!number) return expected("a number", json, path);
    value = *number;
  }
  void read_value(const base::JsonView& json, const std::string& path, absl::Duration& value) {
    if (!json.is_string()) return expected("a duration such as \"30s\"", json, path);
    absl::StatusOr<absl::Duration> parsed = parse_duration(*json.as_string());
    if (!parsed.ok()) return expected("a duration such as \"30s\"", json, path);
    value = *parsed;
  }
  void read_value(const base::JsonView& json, const std::string& path, absl::Time& value) {
    if (!json.is_string()) return expected("an RFC 3339 time", json, path);
    absl::StatusOr<absl::Time> parsed = parse_time(*json.as_string());
    if (!parsed.ok()) return expected("an RFC 3339 time", json, path);
    value = *parsed;
  }
  void read_value(const base::JsonView& json, const std::string& path, std::map<std::string, std::string>& value) {
    if (!json.is_object()) return expected("an object", json, path);
    value.clear();
    json.each_member([&](std::string_view name, const base::JsonView& item) {
      const std::string key(name);
      // Kubernetes accepts quantities as numbers ("cpu: 1"); they mean the same as text.
      if (item.as_number()) {
        value[key] = item.to_json().dump();
      } else {
        read(item, base::cat(path, "[", key, "]"), value[key]);
      }
    });
  }
  template <class T>
  void read_value(const base::JsonView& json, const std::string& path, std::optional<T>& value) {
    read(json, path, value.emplace());
  }
  template <class T>
  void read_value(const base::JsonView& json, const std::string& path, std::vector<T>& value) {
    if (!json.is_array()) return expected("a list", json, path);
    value.assign(json.size(), T{});
    size_t i = 0;
    json.each_item([&](const base::JsonView& item) {
      read(item, base::cat(path, "[", i, "]"), value[i]);
      ++i;
    });
  }
  template <class T>
    requires std::is_class_v<T>
  void read_value(const base::JsonView& json, const std::string& path, T& value) {
    if (!json.is_object()) return expected("an object", json, path);
    JsonReader reader(json, path, status_);
    visit_fields(reader, value);
  }
  template <class E>
  void read_enum(const base::JsonView& json, const std::string& path, E& value) {
    std::string names;
    for (const auto& [candidate, name] : enum_names<E>()) {
      if (json.as_string() == name) {
        value = candidate;
        return;
      }
      names += base::cat(names.empty() ? "" : ", ", name);
    }
    expected(base::cat("one of ", names), json, path);
  }

  const base::JsonView object_;
  const std::string path_;
  absl::Status& status_;
};

// Writes an object's fields into `object`.
class JsonWriter {
 public:
  template <class T>
  void required(std::string_view name, const T& member) {
    object[std::string(name)] = write(member);
  }
  template <class T>
  void optional(std::string_view name, const T& member) {
    if (!is_empty(member)) object[std::string(name)] = write(member);
  }

  static nlohmann::json write(const std::string& value) { return value; }
  static nlohmann::json write(bool value) { return value; }
  static nlohmann::json write(int value) { return value; }
  static nlohmann::json write(int64_t value) { return value; }
  static nlohmann::json write(double value) { return value; }
  static nlohmann::json write(absl::Duration value) { return format_duration(value); }
  static nlohmann::json write(absl::Time value) { return format_time(value); }
  static nlohmann::json write(const std::map<std::string, std::string>& value) { return value; }
  template <class T>
  static nlohmann::json write(const std::optional<T>& value) {
    return write(*value);
  }
  template <class T>
  static nlohmann::json write(const std::vector<T>& value) {
    nlohmann::json list = nlohmann::json::array();
    for (const T& item : value) list.push_back(write(item));
    return list;
  }
  template <class E>
    requires std::is_enum_v<E>
  static nlohmann::json write(E value) {
    return enum_name(value);
  }
  template <class T>
    requires requires(JsonWriter& v, const T& x) { visit_fields(v, x); }
  static nlohmann::json write(const T& value) {
    JsonWriter writer;
    visit_fields(writer, value);
    return std::move(writer.object);
  }

  nlohmann::json object = nlohmann::json::object();

 private:
  static bool is_empty(const std::string& value) { return value.empty(); }
  static bool is_empty(const std::map<std::string, std::string>& value) { return value.empty(); }
  template <class T>
  static bool is_empty(const std::optional<T>& value) {
    return !value.has_value();
  }
  template <class T>
  static bool is_empty(const T&) {
    return false;
  }
};

}  // namespace tidegate::api
