#pragma once
// Object stores as users write them: a URI, and the variables that AWS's own tools read.
#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <string_view>

#include "storage/s3_options.h"

namespace tidegate::storage {

// "s3://bucket/some/prefix": `prefix` is the rest without the first slash.
struct StoreUri {
  std::string scheme;
  std::string bucket;
  std::string prefix;
};

// INVALID_ARGUMENT says what is wrong and shows a right one. Only s3:// for now.
absl::StatusOr<StoreUri> parse_store_uri(std::string_view uri);

// From the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL, AWS_REGION
// (a Secret's data, or a process's environment); what is absent keeps its default. INVALID_ARGUMENT when one of the
// two keys lacks the other or the endpoint is no URL.
absl::StatusOr<S3Options> s3_options_from(const std::map<std::string, std::string>& variables);

}  // namespace tidegate::storage
