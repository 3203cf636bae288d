#pragma once
// S3 and everything that speaks its protocol (MinIO, Ceph, R2, ...), over a net::HttpClient.
//
// Requests are signed by sigv4.h, or sent unsigned without keys. Throttling (SlowDown), 5xx answers and broken
// connections are repeated with exponential backoff and full jitter; an answer that says "no" is not.
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "net/http_client.h"
#include "storage/object_store.h"

namespace tidegate::storage {

// "s3://bucket/some/prefix": `prefix` is the rest without the first slash.
struct StoreUri {
  std::string scheme;
  std::string bucket;
  std::string prefix;
};

// INVALID_ARGUMENT says what is wrong and shows a right one. Only s3:// for now.
absl::StatusOr<StoreUri> parse_store_uri(std::string_view uri);

struct S3Credentials {
  std::string access_key_id;  // empty: anonymous
  std::string secret_access_key;
  std::string session_token;
};

enum class S3Addressing { kAuto, kPath, kVirtualHost };  // auto: virtual host on AWS itself, path elsewhere

struct S3Options {
  std::string endpoint;  // "http://minio:9000"; empty: AWS in `region`
  std::string region = "us-east-1";
  S3Credentials credentials;
  S3Addressing addressing = S3Addressing::kAuto;
  std::string ca_pem;  // trusted instead of the system's certificates, when set

  // Of a failed request: how many times in all it is sent, and the first and the longest wait between two.
  int max_attempts = 5;
  absl::Duration initial_backoff = absl::Milliseconds(200);
  absl::Duration max_backoff = absl::Seconds(10);
  // Whole exchange of list, stat and put; get has its own.
  absl::Duration timeout = absl::Seconds(30);
  absl::Duration connect_timeout = absl::Seconds(5);
};

// From the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL, AWS_REGION
// (a Secret's data, or a process's environment); what is absent keeps its default. INVALID_ARGUMENT when one of the
// two keys lacks the other or the endpoint is no URL.
absl::StatusOr<S3Options> s3_options_from(const std::map<std::string, std::string>& variables);

// INVALID_ARGUMENT for options that cannot work (a malformed endpoint, an empty bucket). `http`, `clock` and `random`
// must outlive the store.
absl::StatusOr<std::unique_ptr<ObjectStore>> make_s3_object_store(S3Options options, std::string bucket,
                                                                  net::HttpClient& http, base::Clock& clock,
                                                                  base::Random& random);

}  // namespace tidegate::storage
