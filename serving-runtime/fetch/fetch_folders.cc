#include "serving-runtime/fetch/fetch_folders.h"

#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/status.h"
#include "base/strings.h"
#include "serving-runtime/fetch/disk.h"

namespace tidegate::serving {

using base::cat;

FetchFolders::FetchFolders(std::string destination) : destination_(std::move(destination)) {
  while (destination_.size() > 1 && destination_.ends_with('/')) destination_.pop_back();
  const std::filesystem::path path(destination_);
  parent_ = path.parent_path().string();
  name_ = path.filename().string();
}

std::string FetchFolders::partial_parent() const { return cat(parent_, "/.partial"); }
std::string FetchFolders::partial(std::string_view digest) const { return cat(partial_parent(), "/", digest); }
std::string FetchFolders::journal(std::string_view digest) const { return cat(partial(digest), ".journal"); }
std::string FetchFolders::lock(std::string_view digest) const { return cat(partial(digest), ".lock"); }
std::string FetchFolders::publish_lock() const { return cat(partial_parent(), "/", name_, ".publish.lock"); }
std::string FetchFolders::record() const { return cat(parent_, "/.fetched/", name_, ".json"); }

std::optional<FetchReport> FetchFolders::find_finished(std::string_view source_digest) const {
  std::error_code error;
  if (source_digest.empty() || !std::filesystem::is_directory(destination_, error)) return std::nullopt;
  const absl::StatusOr<std::string> text = base::read_file(record());
  if (!text.ok()) return std::nullopt;
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  try {
    if (json.at("source_digest") != source_digest) return std::nullopt;
    FetchReport report;
    report.content_digest = json.at("digest");
    report.bytes = json.at("bytes");
    report.files = json.at("files");
    report.was_there = true;
    return report;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;  // not a record of ours: fetch anew
  }
}

absl::Status FetchFolders::publish(std::string_view source_digest, const FetchReport& report) const {
  // Of two fetches to one destination, each leaves its own files with its own record.
  TG_ASSIGN_OR_RETURN(const DiskFile lock, DiskFile::open(publish_lock()));
  TG_RETURN_IF_ERROR(lock.lock());
  TG_RETURN_IF_ERROR(remove_tree(record()));
  // Before the files go: a journal that outlived them would vouch for others of their names.
  TG_RETURN_IF_ERROR(remove_tree(journal(source_digest)));
  TG_RETURN_IF_ERROR(sync_directory(partial_parent()));
  TG_RETURN_IF_ERROR(sync_directory(partial(source_digest)));
  TG_RETURN_IF_ERROR(publish_directory(partial(source_digest), destination_));
  const nlohmann::json json = {{"source_digest", source_digest},
                               {"digest", report.content_digest},
                               {"bytes", report.bytes},
                               {"files", report.files}};
  TG_RETURN_IF_ERROR(make_directories(std::filesystem::path(record()).parent_path().string()));
  return write_file_atomically(record(), json.dump());
}

}  // namespace tidegate::serving
