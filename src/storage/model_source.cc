#include "storage/model_source.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/status.h"
#include "base/strings.h"

namespace tidegate::storage {
namespace {

using base::cat;

constexpr size_t kMaxFiles = 100'000;
constexpr size_t kMaxVersionsNamed = 20;

// The key prefix of a folder: "" or with one final slash.
std::string folder_prefix(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path.empty() ? "" : cat(path, "/");
}

// Canonical means that the number's text is the folder's name: "7", not "007".
std::optional<int64_t> parse_version(std::string_view name) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(base::absl_view(name), &number) || number < 0 || cat(number) != name) return std::nullopt;
  return number;
}

std::vector<std::string> versions_among(const ListPage& page, size_t prefix_size) {
  std::set<int64_t> numbers;
  for (const std::string& folder : page.prefixes) {
    if (folder.size() <= prefix_size + 1) continue;
    const std::string_view name = std::string_view(folder).substr(prefix_size, folder.size() - prefix_size - 1);
    if (const auto number = parse_version(name)) numbers.insert(*number);
  }
  std::vector<std::string> versions;
  for (const int64_t number : numbers) versions.push_back(cat(number));
  return versions;
}

// "There are versions 1, 2 and 3."
std::string name_versions(const std::vector<std::string>& versions) {
  if (versions.empty()) return "there are no versions (folders named by a number)";
  const size_t first = versions.size() > kMaxVersionsNamed ? versions.size() - kMaxVersionsNamed : 0;
  std::string text = versions.size() == 1 ? "there is only version " : "there are versions ";
  if (first > 0) text += "..., ";
  for (size_t i = first; i < versions.size(); ++i) {
    if (i > first) text += i + 1 == versions.size() ? " and " : ", ";
    text += versions[i];
  }
  return text;
}

absl::StatusOr<Manifest> manifest_of(ListPage page, std::string_view prefix) {
  Manifest manifest;
  for (ObjectInfo& object : page.objects) {
    if (object.key.size() < prefix.size()) return absl::InternalError("the store listed a key outside the prefix");
    std::string path = object.key.substr(prefix.size());
    // Consoles mark a folder by an empty object with its name.
    if (object.size == 0 && (path.empty() || path.ends_with('/'))) continue;
    if (absl::Status status = check_path_is_confined(path); !status.ok()) {
      return absl::FailedPreconditionError(cat("object '", object.key, "': ", status.message()));
    }
    manifest.files.push_back({.path = std::move(path),
                              .size = object.size,
                              .etag = std::move(object.etag),
                              .version_id = std::move(object.version_id)});
  }
  std::sort(manifest.files.begin(), manifest.files.end(),
            [](const ManifestFile& a, const ManifestFile& b) { return a.path < b.path; });
  return manifest;
}

std::vector<const ManifestFile*> sorted_files(const Manifest& manifest) {
  std::vector<const ManifestFile*> files;
  for (const ManifestFile& file : manifest.files) files.push_back(&file);
  std::sort(files.begin(), files.end(), [](const auto* a, const auto* b) { return a->path < b->path; });
  return files;
}

// A key need not be UTF-8; such bytes must not end the digest with an exception.
std::string canonical_text(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::Status no_such_version(const ObjectStore& store, const std::string& base_path, std::string_view what,
                             const std::vector<std::string>& versions) {
  return absl::NotFoundError(
      cat(what, " under '", folder_prefix(base_path), "' in ", store.describe(), "; ", name_versions(versions)));
}

}  // namespace

uint64_t Manifest::bytes() const {
  uint64_t sum = 0;
  for (const ManifestFile& file : files) sum += file.size;
  return sum;
}

std::string source_digest(const Manifest& manifest) {
  nlohmann::json array = nlohmann::json::array();
  for (const ManifestFile* file : sorted_files(manifest)) {
    nlohmann::json entry = {{"etag", file->etag}, {"path", file->path}, {"size", file->size}};
    if (!file->version_id.empty()) entry["version"] = file->version_id;
    array.push_back(std::move(entry));
  }
  return base::sha256_hex(canonical_text(array));
}

absl::StatusOr<std::string> content_digest(const Manifest& manifest) {
  nlohmann::json array = nlohmann::json::array();
  for (const ManifestFile* file : sorted_files(manifest)) {
    if (file->sha256.size() != 64) {
      return absl::InvalidArgumentError(cat("the SHA-256 of '", file->path, "' is not known"));
    }
    array.push_back({{"path", file->path}, {"sha256", file->sha256}, {"size", file->size}});
  }
  return base::sha256_hex(canonical_text(array));
}

absl::Status check_path_is_confined(std::string_view path) {
  const auto fail = [&](std::string_view what) {
    return absl::InvalidArgumentError(cat("'", path, "' cannot be a file's path: ", what));
  };
  if (path.find('\0') != std::string_view::npos) return fail("it has a NUL byte");
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view component = path.substr(begin, end - begin);
    if (component.empty()) return fail("a part of it is empty");
    if (component == "." || component == "..") return fail("it leads out of its folder");
    if (component.size() > 255) return fail("a part of it is longer than 255 bytes");
    begin = end + 1;
  }
  return absl::OkStatus();
}

base::Task<absl::StatusOr<std::vector<std::string>>> list_versions(ObjectStore& store, std::string base_path,
                                                                   base::Scope& scope) {
  const std::string prefix = folder_prefix(base_path);
  ListRequest request{.prefix = prefix, .delimiter = "/"};
  absl::StatusOr<ListPage> page = co_await list_all(store, request, kMaxFiles, scope);
  if (!page.ok()) co_return page.status();
  if (page->prefixes.empty() && page->objects.empty()) {
    co_return absl::NotFoundError(cat("there is nothing under '", prefix, "' in ", store.describe()));
  }
  co_return versions_among(*page, prefix.size());
}

base::Task<absl::StatusOr<Manifest>> read_manifest(ObjectStore& store, std::string prefix, base::Scope& scope) {
  prefix = folder_prefix(prefix);
  ListRequest request{.prefix = prefix};
  absl::StatusOr<ListPage> page = co_await list_all(store, request, kMaxFiles, scope);
  if (!page.ok()) co_return page.status();
  absl::StatusOr<Manifest> manifest = manifest_of(*std::move(page), prefix);
  if (!manifest.ok()) co_return manifest.status();
  if (manifest->files.empty()) {
    co_return absl::NotFoundError(cat("there are no files under '", prefix, "' in ", store.describe()));
  }
  co_return manifest;
}

base::Task<absl::StatusOr<ResolvedVersion>> resolve_version(ObjectStore& store, std::string base_path,
                                                            std::string version, base::Scope& scope) {
  const bool latest = version == "latest";
  if (!latest && !parse_version(version)) {
    co_return absl::InvalidArgumentError(cat("'", version, "' is not a version: it is a number or 'latest'"));
  }
  ResolvedVersion resolved;
  if (latest) {
    absl::StatusOr<std::vector<std::string>> versions = co_await list_versions(store, base_path, scope);
    if (!versions.ok()) co_return versions.status();
    if (versions->empty()) co_return no_such_version(store, base_path, "no version", *versions);
    version = versions->back();
  }
  resolved.version = version;
  resolved.prefix = cat(folder_prefix(base_path), version, "/");
  absl::StatusOr<Manifest> manifest = co_await read_manifest(store, resolved.prefix, scope);
  if (absl::IsNotFound(manifest.status()) && !latest) {
    // What is there instead is worth a second listing.
    absl::StatusOr<std::vector<std::string>> versions = co_await list_versions(store, base_path, scope);
    if (!versions.ok()) co_return versions.status();
    if (std::find(versions->begin(), versions->end(), version) == versions->end()) {
      co_return no_such_version(store, base_path, cat("version ", version, " is not"), *versions);
    }
  }
  if (!manifest.ok()) co_return manifest.status();
  resolved.manifest = *std::move(manifest);
  resolved.digest = source_digest(resolved.manifest);
  co_return resolved;
}

}  // namespace tidegate::storage
