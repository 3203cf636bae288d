#include "serving-runtime/api/http_status.h"

#include "base/strings.h"
#include "base/utf8.h"
#include "serving-runtime/api/json/json_tensor.h"
#include "serving-runtime/core/servable.h"

namespace tidegate::serving {

int to_http_status(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

net::ServerResponse error_response(const absl::Status& error) {
  net::ServerResponse response;
  response.status = to_http_status(error.code());
  response.body = R"({"error":)";
  // It may quote what the client sent, which may be anything.
  append_json_string(response.body, base::to_utf8(base::view(error.message())));
  response.body += '}';
  if (is_model_error(error)) response.headers.emplace_back("x-tidegate-error", "model");
  return response;
}

}  // namespace tidegate::serving
