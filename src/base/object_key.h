#pragma once
// Which object of the API is meant: its namespace and name. The key of whatever is kept by object, in every folder.
#include <compare>
#include <ostream>
#include <string>
#include <utility>

namespace tidegate::base {

// Identity of an object inside one collection; `ns` is empty for cluster-scoped objects. Sorts by namespace, then name.
struct ObjectKey {
  std::string ns;
  std::string name;

  // "ns/name", or "name" when cluster-scoped.
  std::string to_string() const { return ns.empty() ? name : ns + "/" + name; }
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
  friend bool operator==(const ObjectKey&, const ObjectKey&) = default;
  friend std::ostream& operator<<(std::ostream& out, const ObjectKey& key) { return out << key.to_string(); }
  template <class H>
  friend H AbslHashValue(H state, const ObjectKey& key) {
    return H::combine(std::move(state), key.ns, key.name);
  }
};

}  // namespace tidegate::base
