#pragma once
// The visitor of api/fields.h that writes down what the C++ types say, in the form of crd_schema.h.
#include <string>
#include <type_traits>
#include <vector>

#include "api/crd_schema.h"
#include "api/fields.h"
#include "api/json_visitors.h"

namespace tidegate::api {

class TypeFacts {
 public:
  TypeFacts(FieldFacts& facts, std::string path) : facts_(facts), path_(std::move(path)) {}

  template <class T>
  void required(std::string_view name, const T& member) {
    note(base::cat(path_, ".", name), member, true);
  }
  template <class T>
  void optional(std::string_view name, const T& member) {
    note(base::cat(path_, ".", name), member, false);
  }

 private:
  template <class T>
  void note(const std::string& path, const T& member, bool required) {
    facts_[path] = {type_of(member), required, required ? nlohmann::json() : default_of(member)};
    descend(path, member);
  }

  template <class T>
  void descend(const std::string& path, const T& member) {
    if constexpr (requires { visit_fields(*this, member); }) {
      TypeFacts inner(facts_, path);
      visit_fields(inner, member);
    }
  }
  template <class T>
  void descend(const std::string& path, const std::optional<T>&) {
    descend(path, T{});
  }
  template <class T>
  void descend(const std::string& path, const std::vector<T>&) {
    note(path + "[]", T{}, true);
  }

  static std::string type_of(const std::string&) { return "string"; }
  static std::string type_of(bool) { return "boolean"; }
  static std::string type_of(int) { return "integer"; }
  static std::string type_of(int64_t) { return "integer"; }
  static std::string type_of(double) { return "number"; }
  static std::string type_of(absl::Duration) { return "duration"; }
  static std::string type_of(absl::Time) { return "time"; }
  static std::string type_of(const std::map<std::string, std::string>&) { return "map"; }
  template <class T>
  static std::string type_of(const std::vector<T>&) {
    return "array";
  }
  template <class T>
  static std::string type_of(const std::optional<T>&) {
    return type_of(T{});
  }
  template <class T>
    requires std::is_class_v<T>
  static std::string type_of(const T&) {
    return "object";
  }
  template <class E>
    requires std::is_enum_v<E>
  static std::string type_of(E) {
    std::string names;
    for (const auto& [value, name] : enum_names<E>()) names += base::cat(names.empty() ? "" : "|", name);
    return "enum(" + names + ")";
  }

  // What a member holds before anything is read. Empty ones and objects have no default of their own.
  template <class T>
  static nlohmann::json default_of(const T& member) {
    if constexpr (requires { member.empty(); }) {
      return member.empty() ? nlohmann::json() : JsonWriter::write(member);
    } else if constexpr (std::is_class_v<T> && !std::is_same_v<T, absl::Duration> && !std::is_same_v<T, absl::Time>) {
      return {};
    } else {
      return JsonWriter::write(member);
    }
  }

  FieldFacts& facts_;
  std::string path_;
};

template <class T>
FieldFacts facts_of_type(const std::string& path) {
  FieldFacts facts;
  TypeFacts visitor(facts, path);
  const T initial{};
  visit_fields(visitor, initial);
  return facts;
}

}  // namespace tidegate::api
