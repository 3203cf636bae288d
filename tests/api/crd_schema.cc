#include "api/crd_schema.h"

#include <yaml-cpp/yaml.h>

#include <functional>
#include <stdexcept>
#include <vector>

namespace tidegate::api {
namespace {

// A YAML scalar as JSON; quoted ones stay text.
nlohmann::json to_json(const YAML::Node& node) {
  if (node.IsSequence()) {
    nlohmann::json list = nlohmann::json::array();
    for (const YAML::Node& item : node) list.push_back(to_json(item));
    return list;
  }
  if (node.IsMap()) {
    nlohmann::json object = nlohmann::json::object();
    for (const auto& entry : node) object[entry.first.as<std::string>()] = to_json(entry.second);
    return object;
  }
  const auto text = node.as<std::string>();
  if (node.Tag() == "!") return text;
  nlohmann::json parsed = nlohmann::json::parse(text, nullptr, false);
  return parsed.is_discarded() ? nlohmann::json(text) : parsed;
}

std::string text_at(const YAML::Node& node, const char* key) { return node[key] ? node[key].as<std::string>() : ""; }

std::string type_of(const YAML::Node& schema) {
  if (schema["enum"]) {
    std::string names;
    for (const YAML::Node& name : schema["enum"]) names += (names.empty() ? "" : "|") + name.as<std::string>();
    return "enum(" + names + ")";
  }
  const std::string type = text_at(schema, "type");
  if (type == "object" && schema["additionalProperties"]) return "map";
  if (type == "string" && text_at(schema, "format") == "date-time") return "time";
  if (type == "string" && text_at(schema, "pattern").find("(ms|s|m|h)") != std::string::npos) return "duration";
  return type;
}

using Visit = std::function<void(const std::string& path, const YAML::Node& schema, bool required)>;

void walk(const std::string& path, const YAML::Node& schema, bool required, const Visit& visit) {
  visit(path, schema, required);
  if (schema["items"]) walk(path + "[]", schema["items"], true, visit);
  std::set<std::string> names;
  for (const YAML::Node& name : schema["required"]) names.insert(name.as<std::string>());
  for (const auto& entry : schema["properties"]) {
    const auto name = entry.first.as<std::string>();
    walk(path + "." + name, entry.second, names.count(name) > 0, visit);
  }
}

void walk_crd(const std::string& file, const std::string& property, const Visit& visit) {
  const YAML::Node crd = YAML::LoadFile(file);
  const YAML::Node root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][property];
  if (!root) throw std::runtime_error(file + " has no " + property);
  walk(property, root, false, visit);
}

}  // namespace

FieldFacts facts_of_crd(const std::string& path, const std::string& property) {
  FieldFacts facts;
  walk_crd(path, property, [&](const std::string& field, const YAML::Node& schema, bool required) {
    if (field == property) return;
    FieldFact& fact = facts[field];
    fact.type = type_of(schema);
    fact.required = required;
    // `default: {}` on an object only lets its fields' own defaults appear.
    if (schema["default"] && fact.type != "object") fact.default_value = to_json(schema["default"]);
  });
  return facts;
}

std::set<std::string> undescribed_fields(const std::string& path, const std::string& property) {
  std::set<std::string> fields;
  walk_crd(path, property, [&](const std::string& field, const YAML::Node& schema, bool) {
    if (!field.ends_with("[]") && text_at(schema, "description").empty()) fields.insert(field);
  });
  return fields;
}

}  // namespace tidegate::api
