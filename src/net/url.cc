#include "net/url.h"

#include <curl/curl.h>

#include <memory>

#include "base/strings.h"

namespace tidegate::net {

absl::Status check_http_url(const std::string& url) {
  const bool http = url.starts_with("http://") || url.starts_with("https://");
  if (!http) return absl::InvalidArgumentError(base::cat("'", url, "' is no http:// or https:// URL"));
  struct Cleanup {
    void operator()(CURLU* handle) const { curl_url_cleanup(handle); }
  };
  const std::unique_ptr<CURLU, Cleanup> handle(curl_url());
  const CURLUcode parsed = curl_url_set(handle.get(), CURLUPART_URL, url.c_str(), 0);
  if (parsed == CURLUE_OK) return absl::OkStatus();
  return absl::InvalidArgumentError(base::cat("'", url, "' is no URL: ", curl_url_strerror(parsed)));
}

}  // namespace tidegate::net
