#include "base/json_view.h"

#include <simdjson.h>

#include <bit>
#include <utility>

#include "base/strings.h"

namespace tidegate::base {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

static_assert(sizeof(element) == sizeof(std::array<uint64_t, 2>) && std::is_trivially_copyable_v<element>);

element element_of(const std::array<uint64_t, 2>& tape) { return std::bit_cast<element>(tape); }
std::array<uint64_t, 2> tape_of(element value) { return std::bit_cast<std::array<uint64_t, 2>>(value); }

JsonView::Type type_of(element value) {
  switch (value.type()) {
    case element_type::ARRAY:
      return JsonView::Type::kArray;
    case element_type::OBJECT:
      return JsonView::Type::kObject;
    case element_type::INT64:
    case element_type::UINT64:
      return JsonView::Type::kInteger;
    case element_type::DOUBLE:
      return JsonView::Type::kNumber;
    case element_type::STRING:
      return JsonView::Type::kString;
    case element_type::BOOL:
      return JsonView::Type::kBool;
    case element_type::NULL_VALUE:
      break;
  }
  return JsonView::Type::kNull;
}

JsonView::Type type_of(const nlohmann::json& json) {
  if (json.is_object()) return JsonView::Type::kObject;
  if (json.is_array()) return JsonView::Type::kArray;
  if (json.is_string()) return JsonView::Type::kString;
  if (json.is_boolean()) return JsonView::Type::kBool;
  if (json.is_number_integer()) return JsonView::Type::kInteger;
  return json.is_number() ? JsonView::Type::kNumber : JsonView::Type::kNull;
}

nlohmann::json copy_of(element value) {
  switch (value.type()) {
    case element_type::OBJECT: {
      nlohmann::json object = nlohmann::json::object();
      const simdjson::dom::object members = value.get_object().value_unsafe();
      for (const auto& [name, member] : members) object[std::string(name)] = copy_of(member);
      return object;
    }
    case element_type::ARRAY: {
      nlohmann::json array = nlohmann::json::array();
      const simdjson::dom::array items = value.get_array().value_unsafe();
      for (const element item : items) array.push_back(copy_of(item));
      return array;
    }
    case element_type::STRING:
      return std::string(value.get_string().value_unsafe());
    case element_type::INT64:
      return value.get_int64().value_unsafe();
    case element_type::UINT64:
      return value.get_uint64().value_unsafe();
    case element_type::DOUBLE:
      return value.get_double().value_unsafe();
    case element_type::BOOL:
      return value.get_bool().value_unsafe();
    case element_type::NULL_VALUE:
      break;
  }
  return nullptr;
}

const nlohmann::json& null_json() {
  static const nlohmann::json kNull;
  return kNull;
}

}  // namespace

JsonView::JsonView() : json_(&null_json()) {}

JsonView::Type JsonView::type() const { return json_ != nullptr ? type_of(*json_) : type_of(element_of(tape_)); }

std::optional<JsonView> JsonView::find(std::string_view name) const {
  if (json_ != nullptr) {
    if (!json_->is_object()) return std::nullopt;
    const auto member = json_->find(name);
    if (member == json_->end() || member->is_null()) return std::nullopt;
    return JsonView(*member);
  }
  const element value = element_of(tape_);
  element member;
  if (!value.is_object() || value.at_key(name).get(member) != simdjson::SUCCESS || member.is_null())
    return std::nullopt;
  return JsonView(tape_of(member));
}

void JsonView::each_item(absl::FunctionRef<void(const JsonView&)> visit) const {
  if (!is_array()) return;
  if (json_ != nullptr) {
    for (const nlohmann::json& item : *json_) visit(item);
    return;
  }
  const simdjson::dom::array items = element_of(tape_).get_array().value_unsafe();
  for (const element item : items) visit(JsonView(tape_of(item)));
}

void JsonView::each_member(absl::FunctionRef<void(std::string_view, const JsonView&)> visit) const {
  if (!is_object()) return;
  if (json_ != nullptr) {
    for (auto member = json_->begin(); member != json_->end(); ++member) visit(member.key(), *member);
    return;
  }
  const simdjson::dom::object members = element_of(tape_).get_object().value_unsafe();
  for (const auto& [name, member] : members) visit(name, JsonView(tape_of(member)));
}

size_t JsonView::size() const {
  if (json_ != nullptr) return json_->is_structured() ? json_->size() : 0;
  const element value = element_of(tape_);
  if (value.is_array()) return value.get_array().value_unsafe().size();
  return value.is_object() ? value.get_object().value_unsafe().size() : 0;
}

std::optional<std::string_view> JsonView::as_string() const {
  if (!is_string()) return std::nullopt;
  if (json_ != nullptr) return json_->get_ref<const std::string&>();
  return element_of(tape_).get_string().value_unsafe();
}

std::optional<int64_t> JsonView::as_integer() const {
  if (type() != Type::kInteger) return std::nullopt;
  if (json_ != nullptr) return json_->get<int64_t>();
  int64_t value = 0;
  return element_of(tape_).get_int64().get(value) == simdjson::SUCCESS ? std::optional<int64_t>(value) : std::nullopt;
}

std::optional<double> JsonView::as_number() const {
  if (type() != Type::kInteger && type() != Type::kNumber) return std::nullopt;
  if (json_ != nullptr) return json_->get<double>();
  return element_of(tape_).get_double().value_unsafe();
}

std::optional<bool> JsonView::as_bool() const {
  if (type() != Type::kBool) return std::nullopt;
  return json_ != nullptr ? json_->get<bool>() : element_of(tape_).get_bool().value_unsafe();
}

nlohmann::json JsonView::to_json() const { return json_ != nullptr ? *json_ : copy_of(element_of(tape_)); }

struct JsonDocument::Parser {
  simdjson::dom::parser parser;
};

JsonDocument::JsonDocument() : parser_(std::make_unique<Parser>()) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

absl::StatusOr<JsonView> JsonDocument::parse(std::string_view text) {
  element root;
  const simdjson::error_code error = parser_->parser.parse(text.data(), text.size(), true).get(root);
  if (error != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(cat("not JSON: ", simdjson::error_message(error)));
  }
  return JsonView(tape_of(root));
}

}  // namespace tidegate::base
