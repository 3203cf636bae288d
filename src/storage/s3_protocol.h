#pragma once
// What S3's answers mean: errors, listings, the description of an object. Pure; used by the S3 store only.
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "net/http_client.h"
#include "storage/object_store.h"

namespace tidegate::storage {

// The error that a non-2xx answer stands for (see object_store.h for the codes), with the store's own code and words
// after `object`. OUT_OF_RANGE for a range beyond the object's end.
absl::Status error_of_answer(const net::HttpResponse& answer, std::string_view object);

// Worth sending again: throttled, or the store itself failed.
bool is_transient(const net::HttpResponse& answer);

// A ListObjectsV2 answer (asked for with encoding-type=url). INTERNAL when it is not one.
absl::StatusOr<ListPage> parse_list_answer(std::string_view body);

// Key, size, ETag, version and time from the headers of a GET, HEAD or PUT answer. The size is the whole object's
// (from Content-Range when there is one).
ObjectInfo object_of_headers(const net::HttpResponse& answer, std::string_view key);

}  // namespace tidegate::storage
