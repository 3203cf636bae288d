#pragma once
// S3 and everything that speaks its protocol (MinIO, Ceph, R2, ...), over a net::HttpClient.
//
// Requests are signed by sigv4.h, or sent unsigned without keys. Throttling (SlowDown), 5xx answers and broken
// connections are repeated with exponential backoff and full jitter; an answer that says "no" is not.
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "net/http_client.h"
#include "storage/object_store.h"
#include "storage/s3_options.h"

namespace tidegate::storage {

// INVALID_ARGUMENT for options that cannot work (a malformed endpoint, an empty bucket). `http`, `clock` and `random`
// must outlive the store.
absl::StatusOr<std::unique_ptr<ObjectStore>> make_s3_object_store(S3Options options, std::string bucket,
                                                                  net::HttpClient& http, base::Clock& clock,
                                                                  base::Random& random);

}  // namespace tidegate::storage
