#pragma once
// URLs that people write into flags and objects.
#include <absl/status/status.h>

#include <string>

namespace tidegate::net {

// INVALID_ARGUMENT with libcurl's words unless it is an absolute http:// or https:// URL with a host.
absl::Status check_http_url(const std::string& url);

}  // namespace tidegate::net
