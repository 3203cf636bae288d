#pragma once
// Which versions of a model are in a store, and what exactly a version consists of.
//
// A model lives under a base path with one folder a version, named by a number: <base>/<version>/<file>... Folders
// whose name is not a canonical non-negative decimal number ("7", not "007" or "v7") are no versions.
//
// Called by the operator's resolver (resolve_version) and by fetch (read_manifest, to notice a store that changed
// since the operator looked).
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/scope.h"
#include "base/task.h"
#include "storage/object_store.h"

namespace tidegate::storage {

// One file of a version. `path` is relative to the version's folder and safe to join to a directory.
struct ManifestFile {
  std::string path;
  uint64_t size = 0;
  std::string etag;
  std::string version_id;
  std::string sha256;  // 64 hexadecimal digits when known (after a download), else empty

  friend bool operator==(const ManifestFile&, const ManifestFile&) = default;
};

// All files of a version, sorted by path (byte order).
struct Manifest {
  std::vector<ManifestFile> files;

  uint64_t bytes() const;
};

// 64 lower-case hexadecimal digits: SHA-256 of the canonical JSON
//   [{"etag":E,"path":P,"size":N,"version":V},...]
// (files sorted by path, keys in this order, no white space, "version" only when there is one, non-ASCII characters as
// themselves). It changes when any file is added, removed, renamed or replaced, and costs only a listing.
std::string source_digest(const Manifest& manifest);

// 64 lower-case hexadecimal digits: SHA-256 of the canonical JSON [{"path":P,"sha256":S,"size":N},...], which depends
// on nothing but the contents. INVALID_ARGUMENT names a file whose SHA-256 is not known.
absl::StatusOr<std::string> content_digest(const Manifest& manifest);

// OK when `path` stays below the directory it is joined to: not empty or absolute, no "", "." or ".." component, no
// NUL. INVALID_ARGUMENT quotes the path otherwise.
absl::Status check_path_is_confined(std::string_view path);

// A model version as found in the store.
struct ResolvedVersion {
  std::string version;  // the folder's name
  std::string prefix;   // the folder's key prefix in the bucket; ends with "/" unless the bucket itself is the model
  Manifest manifest;
  std::string digest;  // source_digest(manifest)
};

// The versions under `base_path` (a key prefix, with or without the final "/"), in ascending numerical order.
// NOT_FOUND when there is nothing at all under the path.
base::Task<absl::StatusOr<std::vector<std::string>>> list_versions(ObjectStore& store, std::string base_path,
                                                                   base::Scope& scope);

// All files under `prefix` (the version's folder). NOT_FOUND when there is none; FAILED_PRECONDITION for a key that
// could not be a file below a directory (`..`, `//`); RESOURCE_EXHAUSTED beyond 100,000 files.
base::Task<absl::StatusOr<Manifest>> read_manifest(ObjectStore& store, std::string prefix, base::Scope& scope);

// `version` is a number or "latest" (the highest number). NOT_FOUND lists the versions there are.
base::Task<absl::StatusOr<ResolvedVersion>> resolve_version(ObjectStore& store, std::string base_path,
                                                            std::string version, base::Scope& scope);

}  // namespace tidegate::storage
