#pragma once
// How much memory each version of a model takes. Pure bookkeeping; version_loader.h and model_versions.h measure.
//
// What is measured is the process's heap in use (heap.h), not its resident set: pages that the last model left
// behind would hide what the next one takes. What unloading gave back is the truth, since it holds what the version's
// requests have made it keep and nothing that the process would keep anyway; before that counts what loading took,
// which for the first model of a backend includes the library's own beginnings; before that, the size of its files.
// Never less than the files: they may be mapped, which the heap does not show. Requests for other models that come or
// end meanwhile blur a measurement by what they hold.
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

namespace tidegate::serving {

// Of all versions of a model that are to be loaded.
struct MemoryNeed {
  uint64_t bytes = 0;
  bool measured = true;  // else the size of files that have never been loaded is in it
};

class VersionMemory {
 public:
  bool is_known(int64_t version) const { return versions_.contains(version); }
  void expect(int64_t version, uint64_t file_bytes) { versions_[version].files = file_bytes; }
  void loaded(int64_t version, uint64_t growth) { versions_[version].growth = growth; }
  void freed(int64_t version, uint64_t shrinkage) { versions_[version].shrinkage = shrinkage; }
  // The version has other files now.
  void forget(int64_t version) { versions_.erase(version); }

  // It was loaded once; else bytes() is the size of its files.
  bool is_measured(int64_t version) const {
    const auto found = versions_.find(version);
    return found != versions_.end() && (found->second.growth || found->second.shrinkage);
  }
  // 0 for a version of which nothing is known.
  uint64_t bytes(int64_t version) const {
    const auto found = versions_.find(version);
    if (found == versions_.end()) return 0;
    const auto& [files, growth, shrinkage] = found->second;
    return std::max(files, shrinkage.value_or(growth.value_or(0)));
  }

 private:
  struct Version {
    uint64_t files = 0;
    std::optional<uint64_t> growth;
    std::optional<uint64_t> shrinkage;
  };
  std::map<int64_t, Version> versions_;
};

}  // namespace tidegate::serving
