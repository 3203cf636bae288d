#include "kube/errors.h"

#include <absl/strings/cord.h>
#include <absl/strings/numbers.h>

#include "base/strings.h"

namespace tidegate::kube {
namespace {

constexpr absl::string_view kReasonPayload = "tidegate.dev/kubernetes-reason";
constexpr absl::string_view kCodePayload = "tidegate.dev/http-code";
constexpr absl::string_view kRetryAfterPayload = "tidegate.dev/retry-after-seconds";
constexpr absl::string_view kCausePayload = "tidegate.dev/kubernetes-causes";
// Bodies of proxies in between can be whole pages.
constexpr size_t kMaxForeignBody = 300;

absl::StatusCode canonical_code(int http, std::string_view reason) {
  switch (http) {
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 409:
      return reason == "AlreadyExists" ? absl::StatusCode::kAlreadyExists : absl::StatusCode::kAborted;
    case 410:
      return absl::StatusCode::kOutOfRange;
    case 413:
      return absl::StatusCode::kInvalidArgument;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    default:
      break;
  }
  if (http >= 500) return absl::StatusCode::kUnavailable;
  if (http >= 400) return absl::StatusCode::kInvalidArgument;
  return absl::StatusCode::kInternal;
}

std::string payload(const absl::Status& status, absl::string_view name) {
  const auto value = status.GetPayload(name);
  return value ? std::string(*value) : "";
}

// "spec.replicas: must be positive; spec.model: required" from details.causes, unless the message has it already.
std::string causes_text(const Json& status, const std::string& message) {
  std::string text;
  for (const Json& cause : array_at(status, {"details", "causes"})) {
    const std::string field = string_at(cause, {"field"});
    if (field.empty() || message.find(field) != std::string::npos) continue;
    text += base::cat(text.empty() ? "" : "; ", field, ": ", string_at(cause, {"message"}));
  }
  return text;
}

// A write that names another uid than the object's is told "field is immutable" (422): the object we meant is gone.
bool is_uid_mismatch(const Json& status) {
  for (const Json& cause : array_at(status, {"details", "causes"})) {
    if (string_at(cause, {"field"}) == "metadata.uid") return true;
  }
  return false;
}

absl::Status make_error(int http, const Json& status, std::string message, std::string_view what) {
  const std::string reason = string_at(status, {"reason"});
  if (std::string causes = causes_text(status, message); !causes.empty()) message += base::cat(" (", causes, ")");
  const absl::StatusCode code = is_uid_mismatch(status) ? absl::StatusCode::kAborted : canonical_code(http, reason);
  absl::Status error(code, base::cat(what, ": ", message));
  error.SetPayload(kCodePayload, absl::Cord(base::cat(http)));
  if (!reason.empty()) error.SetPayload(kReasonPayload, absl::Cord(reason));
  std::string causes;
  for (const Json& cause : array_at(status, {"details", "causes"})) {
    causes += base::cat(string_at(cause, {"reason"}), "\n");
  }
  if (!causes.empty()) error.SetPayload(kCausePayload, absl::Cord(causes));
  if (const int64_t seconds = int_at(status, {"details", "retryAfterSeconds"}); seconds > 0) {
    error.SetPayload(kRetryAfterPayload, absl::Cord(base::cat(seconds)));
  }
  return error;
}

}  // namespace

absl::Status error_from_response(const net::HttpResponse& response, std::string_view what) {
  absl::StatusOr<Json> body = parse_json(response.body, what);
  const bool is_status = body.ok() && string_at(*body, {"kind"}) == "Status";
  std::string message = is_status ? string_at(*body, {"message"}) : response.body.substr(0, kMaxForeignBody);
  if (message.empty()) message = "no explanation";
  absl::Status error = make_error(response.status, is_status ? *body : Json::object(),
                                  base::cat("HTTP ", response.status, ": ", message), what);
  int64_t seconds = 0;
  if (absl::SimpleAtoi(base::absl_view(response.header("retry-after")), &seconds) && seconds > 0) {
    error.SetPayload(kRetryAfterPayload, absl::Cord(base::cat(seconds)));
  }
  return error;
}

absl::Status error_from_status_object(const Json& status, std::string_view what) {
  const int code = static_cast<int>(int_at(status, {"code"}, 500));
  return make_error(code, status, base::cat("HTTP ", code, ": ", string_at(status, {"message"})), what);
}

std::string error_reason(const absl::Status& status) { return payload(status, kReasonPayload); }

int error_http_code(const absl::Status& status) {
  int code = 0;
  return absl::SimpleAtoi(payload(status, kCodePayload), &code) ? code : 0;
}

std::optional<absl::Duration> retry_after(const absl::Status& status) {
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(payload(status, kRetryAfterPayload), &seconds)) return std::nullopt;
  return absl::Seconds(seconds);
}

bool is_resource_version_too_large(const absl::Status& status) {
  return payload(status, kCausePayload).find("ResourceVersionTooLarge") != std::string::npos ||
         (error_reason(status) == "Timeout" &&
          base::view(status.message()).find("Too large resource version") != std::string_view::npos);
}

bool is_conflict(const absl::Status& status) { return absl::IsAborted(status); }

}  // namespace tidegate::kube
