#include "operator/webhooks/admission.h"

#include <algorithm>
#include <utility>

#include "api/json.h"
#include "base/status.h"
#include "base/strings.h"
#include "kube/json.h"

namespace tidegate::operator_ {
namespace {

using kube::Json;

constexpr char kReviewApiVersion[] = "admission.k8s.io/v1";

absl::Status no_review(std::string_view why) {
  return absl::InvalidArgumentError(base::cat("not an AdmissionReview of ", kReviewApiVersion, ": ", why));
}

// What a person wrote, with the status that the operator wrote as far as it can be read: an unreadable one (of a newer
// operator) is nobody's fault who changes the spec.
absl::StatusOr<api::ModelDeployment> read_object(const Json& json, api::ModelDeployment*) {
  absl::StatusOr<api::ModelDeployment> whole = api::parse_model_deployment(json);
  if (whole.ok() || !json.contains("status")) return whole;
  Json without_status = json;
  without_status.erase("status");
  return api::parse_model_deployment(without_status);
}

absl::StatusOr<api::ServingRuntime> read_object(const Json& json, api::ServingRuntime*) {
  return api::parse_serving_runtime(json);
}

template <class T>
Change<T> read_change(const Json& request) {
  Change<T> change{read_object(*kube::find(request, {"object"}), static_cast<T*>(nullptr)), std::nullopt, false};
  const Json* before = kube::find(request, {"oldObject"});
  if (before == nullptr || !before->is_object()) return change;
  absl::StatusOr<T> read = read_object(*before, static_cast<T*>(nullptr));
  change.before_was_unreadable = !read.ok();
  if (read.ok()) change.before = *std::move(read);
  return change;
}

absl::StatusOr<Review> read_request(const Json& request) {
  Review review{kube::string_at(request, {"uid"}), Change<api::ModelDeployment>{absl::UnknownError(""), {}, false}};
  if (review.uid.empty()) return no_review("request.uid is missing");
  const std::string operation = kube::string_at(request, {"operation"});
  if (operation != "CREATE" && operation != "UPDATE") {
    return no_review(base::cat("request.operation is '", operation, "'; CREATE and UPDATE are judged"));
  }
  const Json* object = kube::find(request, {"object"});
  if (object == nullptr || !object->is_object()) return no_review("request.object is missing");
  const std::string group = kube::string_at(request, {"kind", "group"});
  const std::string kind = kube::string_at(request, {"kind", "kind"});
  if (group == api::kGroup && kind == api::kModelDeploymentKind) {
    review.change = read_change<api::ModelDeployment>(request);
  } else if (group == api::kGroup && (kind == api::kServingRuntimeKind || kind == api::kClusterServingRuntimeKind)) {
    review.change = read_change<api::ServingRuntime>(request);
  } else {
    return no_review(base::cat("request.kind is ", kind, " of group '", group, "', which nobody judges here"));
  }
  return review;
}

std::string sentence(const Finding& finding) {
  return base::cat(finding.path, ": ", finding.message, " [", finding.rule, "]");
}

// As the API server itself answers an object that its schema refuses.
Json refusal(const Findings& findings) {
  std::string message;
  Json causes = Json::array();
  for (const Finding& finding : findings) {
    if (finding.severity != Severity::kDeny) continue;
    message += base::cat(message.empty() ? "" : "; ", sentence(finding));
    causes.push_back({{"reason", "FieldValueInvalid"}, {"field", finding.path}, {"message", finding.message}});
  }
  return {{"code", 422}, {"reason", "Invalid"}, {"message", message}, {"details", {{"causes", causes}}}};
}

}  // namespace

int nesting_of(std::string_view json) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

absl::StatusOr<Review> parse_review(std::string_view body) {
  if (nesting_of(body) > kMaxNesting) return no_review(base::cat("it is nested deeper than ", kMaxNesting, " levels"));
  absl::StatusOr<Json> json = kube::parse_json(body, "the body");
  if (!json.ok()) return no_review(base::view(json.status().message()));
  if (!json->is_object()) return no_review("it is no object");
  if (kube::string_at(*json, {"apiVersion"}) != kReviewApiVersion) return no_review("apiVersion is another one");
  if (kube::string_at(*json, {"kind"}) != "AdmissionReview") return no_review("kind is another one");
  const Json* request = kube::find(*json, {"request"});
  if (request == nullptr || !request->is_object()) return no_review("request is missing");
  return read_request(*request);
}

std::string review_answer(const std::string& uid, const Findings& findings) {
  Json response = {{"uid", uid}, {"allowed", !denies(findings)}};
  if (denies(findings)) response["status"] = refusal(findings);
  Json warnings = Json::array();
  for (const Finding& finding : findings) {
    if (finding.severity == Severity::kWarn) warnings.push_back(sentence(finding));
  }
  if (!warnings.empty()) response["warnings"] = std::move(warnings);
  return kube::dump_json({{"apiVersion", kReviewApiVersion}, {"kind", "AdmissionReview"}, {"response", response}});
}

bool denies(const Findings& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.severity == Severity::kDeny; });
}

}  // namespace tidegate::operator_
