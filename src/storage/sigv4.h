#pragma once
// AWS Signature Version 4 for S3, as a pure function
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
#include <absl/time/time.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidegate::storage {

// Percent-encodes everything but A-Z a-z 0-9 - _ . ~ (and "/" when `keep_slash`), with upper-case digits.
std::string uri_encode(std::string_view text, bool keep_slash);

struct SigningKey {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // optional
  std::string region;
};

struct SignableRequest {
  std::string method;
  std::string host;                                        // as sent: with the port unless it is the scheme's own
  std::string path;                                        // decoded, starts with "/"
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in any order
  std::map<std::string, std::string> headers;              // to be signed too; names in lower case, without host
  std::string payload_sha256;                              // of the body, 64 lower-case hexadecimal digits
};

// What goes on the wire: `target` is the encoded path and sorted query; `headers` are those of the request and, with a
// key, x-amz-date, x-amz-content-sha256, x-amz-security-token and authorization.
struct SignedRequest {
  std::string target;
  std::map<std::string, std::string> headers;
};

SignedRequest sign(const SignableRequest& request, const SigningKey& key, absl::Time now);
// The same without a signature, for anonymous access.
SignedRequest without_signature(const SignableRequest& request);

}  // namespace tidegate::storage
