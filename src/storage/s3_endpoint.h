#pragma once
// Where the objects of a bucket are reached: path style (endpoint/bucket/key) or virtual host style
// (bucket.endpoint/key). Used by the S3 store only.
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "storage/s3_options.h"

namespace tidegate::storage {

struct S3Endpoint {
  std::string origin;       // "http://minio:9000", with the bucket in front of the host in virtual host style
  std::string host;         // as in the Host header: without the scheme's own port
  std::string path_prefix;  // "/bucket" in path style, else empty
};

// INVALID_ARGUMENT: the endpoint is not http(s)://host[:port], or the bucket's name is not one.
absl::StatusOr<S3Endpoint> resolve_endpoint(const S3Options& options, std::string_view bucket);

// 3 to 63 letters, digits, dots, hyphens and underscores; the first and last one a letter or digit.
absl::Status check_bucket_name(std::string_view bucket);

}  // namespace tidegate::storage
