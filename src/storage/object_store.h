#pragma once
// What Tidegate needs of an object store: list, stat, ranged get, put. One object of this class is one bucket.
//
// Called on the loop's thread by model_source.h (the operator's resolver) and by the model server's fetch. The S3
// implementation is s3_object_store.h; tests use fakes or a real MinIO.
//
// Errors, all methods: NOT_FOUND (no such bucket or key), PERMISSION_DENIED (wrong or missing credentials),
// UNAVAILABLE (unreachable, throttled or failing store, after the store's own retries), DEADLINE_EXCEEDED, CANCELLED
// (the scope ended), FAILED_PRECONDITION (the object is no longer the one that `if_match` names), INVALID_ARGUMENT.
// The message names the object and carries the store's own error code and words.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/scope.h"
#include "base/task.h"

namespace tidegate::storage {

struct ObjectInfo {
  std::string key;
  uint64_t size = 0;       // bytes
  std::string etag;        // without quotes; opaque (an MD5 only when the object was put in one piece)
  std::string version_id;  // empty when the bucket has no versions, and always in listings
  absl::Time modified = absl::InfinitePast();
  bool etag_is_md5 = false;  // known from get, stat and put only: put in one piece and not encrypted by the store
};

struct ListRequest {
  std::string prefix;
  std::string delimiter;           // "/" lists one level: deeper keys come back as `prefixes`
  std::string continuation_token;  // ListPage::next_token of the page before
  int max_keys = 1000;             // 1..1000
};

struct ListPage {
  std::vector<ObjectInfo> objects;
  std::vector<std::string> prefixes;  // each ends with the delimiter
  std::string next_token;             // empty: this was the last page
};

struct GetRequest {
  std::string key;
  uint64_t offset = 0;
  std::optional<uint64_t> length;  // bytes; without: to the end
  std::string if_match;            // an ETag; FAILED_PRECONDITION when the object has another one by now
  std::string version_id;
  absl::Duration timeout = absl::InfiniteDuration();
  // UNAVAILABLE when no byte arrives for this long.
  absl::Duration stall_timeout = absl::Seconds(30);
  // Receives the bytes in order as they arrive. Returning false ends the request with CANCELLED. The request is
  // repeated by the store only while nothing has been received; after that the caller resumes where it stands.
  std::function<bool(std::string_view)> on_chunk;
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  // One page, keys ascending in the order of their UTF-8 bytes. A prefix that nothing has gives an empty page.
  virtual base::Task<absl::StatusOr<ListPage>> list(ListRequest request, base::Scope& scope) = 0;
  virtual base::Task<absl::StatusOr<ObjectInfo>> stat(std::string key, base::Scope& scope) = 0;
  // OK only when every byte that was asked for has been given to on_chunk. `size` of the answer is the whole object's.
  virtual base::Task<absl::StatusOr<ObjectInfo>> get(GetRequest request, base::Scope& scope) = 0;
  // Replaces the object in one piece (up to 5 GiB by S3's rules; kept in memory, so for small objects).
  virtual base::Task<absl::StatusOr<ObjectInfo>> put(std::string key, std::string body, base::Scope& scope) = 0;
  // For messages: "s3://models at http://minio:9000".
  virtual std::string describe() const = 0;
};

// Every page of a listing. RESOURCE_EXHAUSTED beyond `max_objects` objects and prefixes.
base::Task<absl::StatusOr<ListPage>> list_all(ObjectStore& store, ListRequest request, size_t max_objects,
                                              base::Scope& scope);

}  // namespace tidegate::storage
