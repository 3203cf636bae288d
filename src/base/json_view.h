#pragma once
// JSON that is only read: one view over two ways to hold it, so that a decoder is written once. Over simdjson's tape
// (JsonDocument) it costs a tenth of building a tree: that is how lists and watches are read. Over nlohmann::json,
// which converts by itself, it serves objects that are at hand anyway, and tests.
//
// A view is two words, valid for as long as what it looks at. What is not there, or is of another type, reads as
// nothing.
#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::base {

class JsonView {
 public:
  enum class Type { kNull, kBool, kInteger, kNumber, kString, kArray, kObject };

  // A null.
  JsonView();
  // NOLINTNEXTLINE: every nlohmann::json is a view.
  JsonView(const nlohmann::json& json) : json_(&json) {}

  Type type() const;
  bool is_null() const { return type() == Type::kNull; }
  bool is_string() const { return type() == Type::kString; }
  bool is_array() const { return type() == Type::kArray; }
  bool is_object() const { return type() == Type::kObject; }

  // A member of an object that is there and not null.
  std::optional<JsonView> find(std::string_view name) const;
  void each_item(absl::FunctionRef<void(const JsonView&)> visit) const;
  void each_member(absl::FunctionRef<void(std::string_view name, const JsonView&)> visit) const;
  // Of an array or object; 0 otherwise.
  size_t size() const;

  std::optional<std::string_view> as_string() const;
  std::optional<int64_t> as_integer() const;  // not a number with a fraction
  std::optional<double> as_number() const;    // any number
  std::optional<bool> as_bool() const;

  // A copy of its own.
  nlohmann::json to_json() const;
  // What it looks at when that is a nlohmann::json, else null: spares a copy.
  const nlohmann::json* tree() const { return json_; }

 private:
  friend class JsonDocument;
  using Tape = std::array<uint64_t, 2>;  // a simdjson::dom::element, without its header
  explicit JsonView(Tape tape) : tape_(tape) {}

  const nlohmann::json* json_ = nullptr;  // null: tape_ counts
  Tape tape_{};
};

// A parsed text. Reuse it for one text after another: its memory is kept.
class JsonDocument {
 public:
  JsonDocument();
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  // The text may go afterwards; views of an earlier one end. INVALID_ARGUMENT says why it is no JSON (UTF-8, nesting of
  // at most 1,024).
  absl::StatusOr<JsonView> parse(std::string_view text);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace tidegate::base
