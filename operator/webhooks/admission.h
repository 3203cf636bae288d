#pragma once
// The language of admission webhooks (admission.k8s.io/v1): text to what is to be judged, judgement to text. Pure, and
// total: any bytes give a Review or kInvalidArgument that says why they are none. Called by WebhookServer, on the HTTP
// server's thread.
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/runtime_types.h"
#include "api/types.h"
#include "operator/webhooks/finding.h"

namespace tidegate::operator_ {

// Deeper texts are refused before they are parsed; an object of ours with all that the API server adds has 20 levels.
inline constexpr int kMaxNesting = 100;

// An object before and after. `object` is the parser's error (it begins with the field's path) when our types cannot
// hold it; `before` is absent on create, and when it was no better.
template <class T>
struct Change {
  absl::StatusOr<T> object;
  std::optional<T> before;
  bool before_was_unreadable = false;
};

struct Review {
  std::string uid;  // of the request
  std::variant<Change<api::ModelDeployment>, Change<api::ServingRuntime>> change;
};

// The deepest nesting of arrays and objects in a JSON text; brackets in strings do not count. Also defined for texts
// that are no JSON.
int nesting_of(std::string_view json);

absl::StatusOr<Review> parse_review(std::string_view body);

// The AdmissionReview that answers request `uid`: denied if one of the findings denies, the others are warnings.
std::string review_answer(const std::string& uid, const Findings& findings);

bool denies(const Findings& findings);

}  // namespace tidegate::operator_
