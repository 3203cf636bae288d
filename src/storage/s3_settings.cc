#include "storage/s3_settings.h"

#include <algorithm>

#include "base/status.h"
#include "base/strings.h"
#include "storage/s3_endpoint.h"

namespace tidegate::storage {

using base::cat;

absl::StatusOr<StoreUri> parse_store_uri(std::string_view uri) {
  const auto fail = [&](std::string_view what) {
    return absl::InvalidArgumentError(cat("'", uri, "' ", what, "; a right one is s3://bucket/path/to/model"));
  };
  const size_t scheme_end = uri.find("://");
  if (scheme_end == std::string_view::npos) return fail("is not a storage URI");
  StoreUri result{.scheme = std::string(uri.substr(0, scheme_end))};
  if (result.scheme != "s3") return fail(cat("has the scheme '", result.scheme, "', which is not supported"));
  const std::string_view rest = uri.substr(scheme_end + 3);
  const size_t slash = std::min(rest.find('/'), rest.size());
  result.bucket = rest.substr(0, slash);
  if (slash < rest.size()) result.prefix = rest.substr(slash + 1);
  if (absl::Status status = check_bucket_name(result.bucket); !status.ok()) return fail("does not name a bucket");
  return result;
}

absl::StatusOr<S3Options> s3_options_from(const std::map<std::string, std::string>& variables) {
  const auto value = [&](const char* name) {
    const auto at = variables.find(name);
    return at == variables.end() ? std::string() : at->second;
  };
  S3Options options;
  options.credentials.access_key_id = value("AWS_ACCESS_KEY_ID");
  options.credentials.secret_access_key = value("AWS_SECRET_ACCESS_KEY");
  options.credentials.session_token = value("AWS_SESSION_TOKEN");
  options.endpoint = value("AWS_ENDPOINT_URL");
  if (std::string region = value("AWS_REGION"); !region.empty()) options.region = region;
  if (options.credentials.access_key_id.empty() != options.credentials.secret_access_key.empty()) {
    return absl::InvalidArgumentError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: set both or neither");
  }
  TG_RETURN_IF_ERROR(resolve_endpoint(options, "bucket").status());
  return options;
}

}  // namespace tidegate::storage
