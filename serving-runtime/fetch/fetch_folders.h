#pragma once
// Where a download keeps its things beside its destination D = <parent>/<name>:
//   <parent>/.partial/<digest>/         the files so far; renamed to D when all are complete
//   <parent>/.partial/<digest>.journal  which parts are complete; gone before the files are
//   <parent>/.partial/<digest>.lock     one process at a time
//   <parent>/.partial/<name>.publish.lock
//                                       one that publishes at a time
//   <parent>/.fetched/<name>.json       what D holds: written after the rename, removed before a replacement
// So a folder that has its final name is whole, and one with a record needs no store to be known.
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>

#include "serving-runtime/fetch/fetch_plan.h"

namespace tidegate::serving {

class FetchFolders {
 public:
  explicit FetchFolders(std::string destination);

  std::string partial_parent() const;
  std::string partial(std::string_view digest) const;
  std::string journal(std::string_view digest) const;
  std::string lock(std::string_view digest) const;

  // The report of an earlier fetch when the destination holds exactly that source digest.
  std::optional<FetchReport> find_finished(std::string_view source_digest) const;
  // Gives the partial folder its final name and removes what belongs to the download only.
  absl::Status publish(std::string_view source_digest, const FetchReport& report) const;

 private:
  std::string publish_lock() const;
  std::string record() const;
  std::string destination_;
  std::string parent_;
  std::string name_;
};

}  // namespace tidegate::serving
