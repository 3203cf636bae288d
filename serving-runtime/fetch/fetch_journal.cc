#include "serving-runtime/fetch/fetch_journal.h"

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/status.h"
#include "base/strings.h"

namespace tidegate::serving {
namespace {

using nlohmann::json;

std::string line_of(const json& entry) { return entry.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"; }

// A key that is not UTF-8 would be replaced by another text; such a file is simply loaded anew.
bool apply(const json& entry, std::map<std::string, FetchJournal::File>& files) {
  const auto path = entry.find("path");
  if (path == entry.end() || !path->is_string()) return false;
  FetchJournal::File& file = files[path->get<std::string>()];
  if (entry.contains("drop")) {
    file = {};
  } else if (entry.contains("sha256")) {
    file.sha256 = entry.value("sha256", "");
  } else {
    file.parts[entry.value("offset", uint64_t{0})] = entry.value("length", uint64_t{0});
    file.etag_is_md5 = entry.value("md5", false);
  }
  return true;
}

}  // namespace

absl::StatusOr<FetchJournal> FetchJournal::open(const std::string& path, std::string_view source_digest) {
  FetchJournal journal;
  const absl::StatusOr<std::string> text = base::read_file(path);
  TG_ASSIGN_OR_RETURN(journal.file_, DiskFile::open(path));
  if (text.ok() && journal.replay(*text, source_digest)) return journal;
  journal.files_.clear();
  TG_RETURN_IF_ERROR(journal.file_.resize(0));
  TG_RETURN_IF_ERROR(journal.file_.append(line_of({{"source_digest", source_digest}})));
  return journal;
}

// False when nothing of it can be used.
bool FetchJournal::replay(std::string_view text, std::string_view source_digest) {
  bool first = true;
  size_t end_of_good = 0;
  while (true) {
    const size_t end = text.find('\n', end_of_good);
    if (end == std::string_view::npos) break;
    const json entry = json::parse(text.substr(end_of_good, end - end_of_good), nullptr, false);
    if (!entry.is_object()) break;
    try {
      if (first ? entry.value("source_digest", "") != source_digest : !apply(entry, files_)) break;
    } catch (const json::exception&) {
      break;  // a value of another type
    }
    first = false;
    end_of_good = end + 1;
  }
  // What follows a torn line cannot be trusted, and must not be continued.
  return !first && file_.resize(end_of_good).ok();
}

absl::Status FetchJournal::add_part(std::string_view path, uint64_t offset, uint64_t length, bool etag_is_md5) {
  return file_.append(line_of({{"path", path}, {"offset", offset}, {"length", length}, {"md5", etag_is_md5}}));
}

absl::Status FetchJournal::add_file(std::string_view path, std::string_view sha256) {
  return file_.append(line_of({{"path", path}, {"sha256", sha256}}));
}

absl::Status FetchJournal::drop_file(std::string_view path) {
  return file_.append(line_of({{"path", path}, {"drop", true}}));
}

}  // namespace tidegate::serving
