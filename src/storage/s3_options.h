#pragma once
// Where an S3 store is and how it is asked. s3_settings.h makes them of what users write.
#include <absl/time/time.h>

#include <string>

namespace tidegate::storage {

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

}  // namespace tidegate::storage
