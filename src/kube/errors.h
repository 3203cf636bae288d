#pragma once
// What the API server says went wrong, as absl::Status with canonical codes:
//   400, 405, 406, 415, 422 INVALID_ARGUMENT     401 UNAUTHENTICATED     403 PERMISSION_DENIED     404 NOT_FOUND
//   409 AlreadyExists ALREADY_EXISTS, other 409 ABORTED (the object changed; read it again), as is a 422 for its uid
//   410 OUT_OF_RANGE (the resourceVersion is too old)     429 RESOURCE_EXHAUSTED     5xx UNAVAILABLE
// The message is the server's, with the field paths of its causes; reason, HTTP code and Retry-After are payloads.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <optional>
#include <string>
#include <string_view>

#include "kube/json.h"
#include "net/http_client.h"

namespace tidegate::kube {

// `what` names the request for a person: "apply deployments demo/digits-1a2b3c4d".
absl::Status error_from_response(const net::HttpResponse& response, std::string_view what);
// The same for a Status object that came inside a 200 answer (a watch's ERROR event).
absl::Status error_from_status_object(const Json& status, std::string_view what);

// The server's machine-readable reason ("Conflict", "Expired", "AlreadyExists", "Invalid", …); empty if it gave none.
std::string error_reason(const absl::Status& status);
// The HTTP status code; 0 when the error did not come from the server.
int error_http_code(const absl::Status& status);
// How long the server asked us to wait.
std::optional<absl::Duration> retry_after(const absl::Status& status);
// The server has not yet seen the resourceVersion that we asked for (another, slower server answered).
bool is_resource_version_too_large(const absl::Status& status);
// A precondition (resourceVersion, uid) did not hold, or another field manager owns a field.
bool is_conflict(const absl::Status& status);

}  // namespace tidegate::kube
