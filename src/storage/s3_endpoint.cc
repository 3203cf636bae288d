#include "storage/s3_endpoint.h"

#include <algorithm>

#include "base/status.h"
#include "base/strings.h"

namespace tidegate::storage {
namespace {

using base::cat;

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

std::string aws_endpoint(std::string_view region) {
  return cat("https://s3.", region, ".amazonaws.com", region.starts_with("cn-") ? ".cn" : "");
}

bool is_authority(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
  });
}

bool use_virtual_host(S3Addressing addressing, std::string_view authority, std::string_view bucket) {
  if (addressing != S3Addressing::kAuto) return addressing == S3Addressing::kVirtualHost;
  // A dot in the bucket's name breaks the store's wildcard certificate.
  const bool is_aws = authority.ends_with(".amazonaws.com") || authority.ends_with(".amazonaws.com.cn");
  return is_aws && bucket.find('.') == std::string_view::npos;
}

}  // namespace

absl::Status check_bucket_name(std::string_view bucket) {
  const bool characters = std::all_of(bucket.begin(), bucket.end(),
                                      [](char c) { return is_alphanumeric(c) || c == '.' || c == '-' || c == '_'; });
  if (bucket.size() < 3 || bucket.size() > 63 || !characters || !is_alphanumeric(bucket.front()) ||
      !is_alphanumeric(bucket.back()) || bucket.find("..") != std::string_view::npos) {
    return absl::InvalidArgumentError(cat("'", bucket, "' is not a bucket's name"));
  }
  return absl::OkStatus();
}

absl::StatusOr<S3Endpoint> resolve_endpoint(const S3Options& options, std::string_view bucket) {
  TG_RETURN_IF_ERROR(check_bucket_name(bucket));
  const std::string endpoint = options.endpoint.empty() ? aws_endpoint(options.region) : options.endpoint;
  std::string_view rest = endpoint;
  const bool tls = rest.starts_with("https://");
  if (!tls && !rest.starts_with("http://")) {
    return absl::InvalidArgumentError(cat("the S3 endpoint '", endpoint, "' does not begin with http:// or https://"));
  }
  rest.remove_prefix(tls ? 8 : 7);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (!is_authority(rest)) {
    return absl::InvalidArgumentError(
        cat("the S3 endpoint '", endpoint, "' is not http(s)://host or http(s)://host:port"));
  }
  const bool virtual_host = use_virtual_host(options.addressing, rest, bucket);
  S3Endpoint result;
  result.host = virtual_host ? cat(bucket, ".", rest) : std::string(rest);
  result.origin = cat(tls ? "https://" : "http://", result.host);
  if (!virtual_host) result.path_prefix = cat("/", bucket);
  const std::string_view own_port = tls ? ":443" : ":80";
  if (result.host.ends_with(own_port)) result.host.resize(result.host.size() - own_port.size());
  return result;
}

}  // namespace tidegate::storage
