#pragma once
// Who owns which field of an object, and what a server-side apply or an ordinary write does to that: the rules of
// Kubernetes' structured merge, as FakeApiServer plays them. Pure.
//
// A field's path is a string of elements, each ended by '/' ('/' and '~' inside an element are escaped): "f:<name>" for
// a member, "k:<keys>" for an item of a list that is merged by keys, "v:<value>" for an item of a set. What a manager
// owns are leaves (scalars, atomic lists and maps, empty maps), the items of merged lists and, when it made them by an
// ordinary write, maps and merged lists.
//
// Not modelled: versions of one kind (all managers speak the same one), a null in an applied configuration, time stamps
// of entries, the cap on the number of entries.
#include <absl/status/statusor.h>

#include <set>
#include <string>
#include <vector>

#include "kube/json.h"
#include "kube/merge_schema.h"

namespace tidegate::kube {

using FieldSet = std::set<std::string>;

struct FieldOwner {
  std::string manager;
  bool applies = false;  // by server-side apply; else by ordinary writes
  std::string subresource;
  FieldSet fields;

  friend bool operator==(const FieldOwner&, const FieldOwner&) = default;
};
using FieldOwners = std::vector<FieldOwner>;

struct FieldConflict {
  std::string manager;
  std::string field;  // ".data.value"
};

struct Applied {
  Json object;
  FieldOwners owners;
  std::vector<FieldConflict> conflicts;  // when there are some, nothing is to be written
};

// What the configuration `config` of `who` (its `fields` do not count) makes of `live` (an empty object when there is
// none). `config` and `live` hold only what the subresource may change, beside metadata. UNIMPLEMENTED for what is not
// modelled.
absl::StatusOr<Applied> apply_fields(const MergeSchema& schema, const Json& live, const FieldOwners& owners,
                                     const Json& config, const FieldOwner& who, bool force);

// Who owns what after `who` has turned `before` into `after` by an ordinary write.
FieldOwners owners_after_write(const MergeSchema& schema, const Json& before, const Json& after, FieldOwners owners,
                               const FieldOwner& who);

}  // namespace tidegate::kube
