#include "kube/crd_kind.h"

#include <yaml-cpp/yaml.h>

#include <regex>
#include <utility>

#include "base/strings.h"

namespace tidegate::kube {
namespace {

Json to_json(const YAML::Node& node) {
  if (node.IsMap()) {
    Json object = Json::object();
    for (const auto& member : node) object[member.first.Scalar()] = to_json(member.second);
    return object;
  }
  if (node.IsSequence()) {
    Json list = Json::array();
    for (const YAML::Node& item : node) list.push_back(to_json(item));
    return list;
  }
  if (!node.IsScalar()) return nullptr;
  if (node.Tag() == "!") return node.Scalar();  // quoted
  Json value = Json::parse(node.Scalar(), nullptr, false);
  const bool plain = !value.is_discarded() && !value.is_object() && !value.is_array() && !value.is_string();
  return plain ? value : Json(node.Scalar());
}

std::string child(const std::string& path, const std::string& name) {
  return path.empty() ? name : base::cat(path, ".", name);
}

bool keeps_everything(const Json& schema) {
  return schema.value("x-kubernetes-preserve-unknown-fields", false) ||
         schema.value("x-kubernetes-int-or-string", false);
}

Json completed_value(const Json& schema, Json value) {
  if (value.is_object() && schema.contains("additionalProperties") && schema["additionalProperties"].is_object()) {
    for (auto& member : value.items()) member.value() = completed_value(schema["additionalProperties"], member.value());
    return value;
  }
  if (value.is_array() && schema.contains("items")) {
    for (Json& item : value) item = completed_value(schema["items"], std::move(item));
    return value;
  }
  if (!value.is_object() || keeps_everything(schema) || !schema.contains("properties")) return value;
  const Json& properties = schema["properties"];
  Json complete = Json::object();
  for (const auto& [name, property] : properties.items()) {
    if (value.contains(name)) {
      complete[name] = completed_value(property, std::move(value[name]));
    } else if (property.contains("default")) {
      complete[name] = completed_value(property, property["default"]);
    }
  }
  return complete;
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  return type != "number" || value.is_number();
}

std::string untyped_value(const Json& schema, const Json& value, const std::string& path) {
  if (keeps_everything(schema)) return "";
  if (!has_type(value, schema.value("type", ""))) return base::cat(path, ": expected ", schema.value("type", ""));
  if (value.is_array() && schema.contains("items")) {
    for (const Json& item : value) {
      if (std::string found = untyped_value(schema["items"], item, path + "[]"); !found.empty()) return found;
    }
  }
  const bool is_map = schema.contains("additionalProperties") && schema["additionalProperties"].is_object();
  if (!value.is_object() || is_map) return "";
  for (const auto& [name, member] : value.items()) {
    if (path.empty() && (name == "metadata" || name == "apiVersion" || name == "kind")) continue;
    if (!schema.contains("properties") || !schema["properties"].contains(name)) {
      return base::cat(child(path, name), ": field not declared in schema");
    }
    std::string found = untyped_value(schema["properties"][name], member, child(path, name));
    if (!found.empty()) return found;
  }
  return "";
}

class Validator {
 public:
  void check(const Json& schema, const Json& value, const std::string& path) {
    if (schema.value("x-kubernetes-int-or-string", false)) {
      if (!value.is_string() && !value.is_number_integer()) found(path, "must be an integer or a string");
      return;
    }
    const std::string type = schema.value("type", "");
    if (!has_type(value, type)) return found(path, base::cat("must be of type ", type));
    check_enum(schema, value, path);
    if (value.is_number()) check_number(schema, value.get<double>(), path);
    if (value.is_string()) check_string(schema, value.get<std::string>(), path);
    if (value.is_array()) check_list(schema, value, path);
    if (value.is_object()) check_object(schema, value, path);
  }
  std::vector<std::string> take() { return std::move(violations_); }

 private:
  void found(const std::string& path, std::string_view what) { violations_.push_back(base::cat(path, ": ", what)); }
  void check_enum(const Json& schema, const Json& value, const std::string& path) {
    if (!schema.contains("enum")) return;
    const Json& choices = schema["enum"];
    if (std::find(choices.begin(), choices.end(), value) == choices.end()) found(path, "is none of the choices");
  }
  void check_number(const Json& schema, double value, const std::string& path) {
    const bool low = schema.contains("minimum") &&
                     (schema.value("exclusiveMinimum", false) ? value <= schema["minimum"].get<double>()
                                                              : value < schema["minimum"].get<double>());
    const bool high = schema.contains("maximum") &&
                      (schema.value("exclusiveMaximum", false) ? value >= schema["maximum"].get<double>()
                                                               : value > schema["maximum"].get<double>());
    if (low || high) found(path, "is out of range");
  }
  void check_string(const Json& schema, const std::string& value, const std::string& path) {
    if (value.size() < schema.value("minLength", size_t{0})) found(path, "is too short");
    if (value.size() > schema.value("maxLength", SIZE_MAX)) found(path, "is too long");
    if (schema.contains("pattern") && !std::regex_search(value, std::regex(schema["pattern"].get<std::string>()))) {
      found(path, "does not match its pattern");
    }
  }
  void check_list(const Json& schema, const Json& value, const std::string& path) {
    if (value.size() < schema.value("minItems", size_t{0})) found(path, "has too few items");
    if (value.size() > schema.value("maxItems", SIZE_MAX)) found(path, "has too many items");
    if (!schema.contains("items")) return;
    for (size_t i = 0; i < value.size(); ++i) check(schema["items"], value[i], base::cat(path, "[", i, "]"));
  }
  void check_object(const Json& schema, const Json& value, const std::string& path) {
    if (value.size() > schema.value("maxProperties", SIZE_MAX)) found(path, "has too many members");
    for (const Json& name : schema.value("required", Json::array())) {
      if (!value.contains(name.get<std::string>())) found(child(path, name.get<std::string>()), "is required");
    }
    for (const auto& [name, member] : value.items()) {
      if (path.empty() && (name == "metadata" || name == "apiVersion" || name == "kind")) continue;
      if (schema.contains("properties") && schema["properties"].contains(name)) {
        check(schema["properties"][name], member, child(path, name));
      } else if (schema.contains("additionalProperties") && schema["additionalProperties"].is_object()) {
        check(schema["additionalProperties"], member, child(path, name));
      }
    }
  }

  std::vector<std::string> violations_;
};

void collect_merge_rules(const Json& schema, const std::string& path, MergeSchema& merge) {
  const std::string list_type = schema.value("x-kubernetes-list-type", "");
  if (list_type == "set") merge.set_list(path, {ListType::Kind::kSet, {}});
  if (list_type == "map") {
    merge.set_list(path, {ListType::Kind::kMap, schema["x-kubernetes-list-map-keys"].get<std::vector<std::string>>()});
  }
  if (schema.value("x-kubernetes-map-type", "") == "atomic") merge.set_atomic_map(path);
  if (schema.contains("items")) collect_merge_rules(schema["items"], path + "[]", merge);
  if (!schema.contains("properties")) return;
  for (const auto& [name, property] : schema["properties"].items()) {
    collect_merge_rules(property, child(path, name), merge);
  }
}

}  // namespace

absl::StatusOr<CrdKind> CrdKind::parse(const std::string& yaml) {
  try {
    const Json crd = to_json(YAML::Load(yaml));
    const Json& spec = crd.at("spec");
    const Json& version = spec.at("versions").at(0);
    CrdKind kind;
    kind.collection_ =
        base::cat("/apis/", spec.at("group").get<std::string>(), "/", version.at("name").get<std::string>(), "/",
                  spec.at("names").at("plural").get<std::string>());
    kind.kind_ = spec.at("names").at("kind").get<std::string>();
    const Json subresources = version.value("subresources", Json::object());
    kind.has_status_ = subresources.contains("status");
    kind.has_scale_ = subresources.contains("scale");
    kind.schema_ = version.at("schema").at("openAPIV3Schema");
    kind.merge_.set_list("metadata.finalizers", {ListType::Kind::kSet, {}});
    kind.merge_.set_list("metadata.ownerReferences", {ListType::Kind::kMap, {"uid"}});
    kind.merge_.set_atomic_map("metadata.ownerReferences[]");
    collect_merge_rules(kind.schema_, "", kind.merge_);
    return kind;
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(base::cat("not a CustomResourceDefinition: ", error.what()));
  }
}

Json CrdKind::completed(Json object) const {
  Json complete = completed_value(schema_, object);
  for (const char* field : {"apiVersion", "kind", "metadata"}) {
    if (object.contains(field)) complete[field] = object[field];
  }
  return complete;
}

std::string CrdKind::untyped(const Json& configuration) const { return untyped_value(schema_, configuration, ""); }

std::vector<std::string> CrdKind::violations(const Json& object) const {
  Validator validator;
  validator.check(schema_, object, "");
  return validator.take();
}

}  // namespace tidegate::kube
