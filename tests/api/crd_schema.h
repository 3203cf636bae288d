#pragma once
// What a CRD's schema and our C++ types say about the same fields, in one form, so that a test can compare them.
#include <map>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

namespace tidegate::api {

// One field, by its path: "spec.rollout.steps[].weight".
struct FieldFact {
  std::string type;  // string, integer, number, boolean, array, object, map, duration, time, enum(a|b)
  bool required = false;
  nlohmann::json default_value;  // null: none

  friend bool operator==(const FieldFact&, const FieldFact&) = default;
};

using FieldFacts = std::map<std::string, FieldFact>;

// The schema of the first version in a CRD file, below `property` ("spec" or "status").
FieldFacts facts_of_crd(const std::string& path, const std::string& property);

// Every field that has a property but no description, by path.
std::set<std::string> undescribed_fields(const std::string& path, const std::string& property);

}  // namespace tidegate::api
