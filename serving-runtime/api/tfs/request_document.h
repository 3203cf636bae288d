#pragma once
// The JSON object that every request of TensorFlow Serving's REST API is. Its grammar is checked at once, its values
// are found and not decoded yet, since their types are the signature's. Called by predict_json.h and examples_json.h.
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serving-runtime/api/json/json_reader.h"

namespace tidegate::serving::tfs {

// The object's names, each with where its value begins. `reader` stands before the object and ends behind it.
using Members = std::vector<std::pair<std::string, size_t>>;
absl::StatusOr<Members> member_positions(JsonReader& reader);

class RequestDocument {
 public:
  // INVALID_ARGUMENT "JSON Parse error: …" or "… Is not object". `body` must outlive the document.
  static absl::StatusOr<RequestDocument> scan(std::string_view body);

  // A reader that stands before the member's value; of two with one name the first counts.
  std::optional<JsonReader> find(std::string_view key) const;
  // "signature_name"; empty when there is none. INVALID_ARGUMENT when it is no string.
  absl::StatusOr<std::string> signature_name() const;
  // INVALID_ARGUMENT "JSON Value: <the document> <problem>".
  absl::Status error(std::string_view problem) const;

 private:
  explicit RequestDocument(std::string_view text) : text_(text) {}

  std::string_view text_;
  Members members_;
};

}  // namespace tidegate::serving::tfs
