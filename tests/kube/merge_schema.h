#pragma once
// What the real server's schemas say about merging: which lists are merged item by item (and by which keys), which
// lists and maps are one value. For the built-in kinds that Tidegate touches from a table, for our own kinds from their
// CRDs. Used by field_ownership.h.
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kube/json.h"

namespace tidegate::kube {

struct ListType {
  enum class Kind { kAtomic, kSet, kMap } kind = Kind::kAtomic;
  std::vector<std::string> keys;  // of kMap
};

// Paths are dotted names with "[]" for the items of a list: "spec.template.spec.containers[].ports".
class MergeSchema {
 public:
  // Lists that are not known are atomic, maps are not: what the server does for a CRD that says nothing.
  MergeSchema() = default;

  static MergeSchema built_in();

  void set_list(const std::string& path, ListType type) { lists_[path] = std::move(type); }
  void set_atomic_map(const std::string& path) { atomic_maps_.insert(path); }

  const ListType& list_at(const std::string& path) const;
  bool is_atomic_map(const std::string& path) const;
  // The value of a key that an item may leave out (protocol: TCP); null: it must be there.
  static Json key_default(std::string_view key);

 private:
  std::map<std::string, ListType> lists_;
  std::set<std::string> atomic_maps_;
};

}  // namespace tidegate::kube
