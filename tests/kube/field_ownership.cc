#include "kube/field_ownership.h"

#include <absl/status/status.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/strings.h"

namespace tidegate::kube {
namespace {

// Leaves with their values; the items of merged lists, empty maps and containers have null.
using Leaves = std::map<std::string, Json>;

// Whether maps and merged lists count as fields of their own. They do in what a write changed (it made the map), they
// do not in what an applier says.
enum class Containers { kNo, kYes };

constexpr const char* kMetadata = "f:metadata/";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string field_element(std::string_view name) { return base::cat("f:", escaped(name), "/"); }

// The path element of an item; nullopt when it does not say which item it is.
std::optional<std::string> item_element(const ListType& type, const Json& item) {
  if (type.kind == ListType::Kind::kSet) return base::cat("v:", escaped(item.dump()), "/");
  Json keys = Json::object();
  for (const std::string& key : type.keys) {
    const bool given = item.is_object() && item.contains(key);
    Json value = given ? item.at(key) : MergeSchema::key_default(key);
    if (value.is_null()) return std::nullopt;
    keys[key] = std::move(value);
  }
  return base::cat("k:", escaped(keys.dump()), "/");
}

std::string child(const std::string& path, const std::string& name) {
  return path.empty() ? name : base::cat(path, ".", name);
}

bool is_one_value(const MergeSchema& schema, const Json& value, const std::string& path) {
  if (value.is_object()) return value.empty() || schema.is_atomic_map(path);
  if (value.is_array()) return schema.list_at(path).kind == ListType::Kind::kAtomic;
  return true;
}

void flatten(const MergeSchema& schema, const Json& value, const std::string& path, const std::string& at,
             Containers containers, Leaves& leaves) {
  if (is_one_value(schema, value, path)) {
    leaves[at] = value.is_object() && value.empty() ? Json() : value;
    return;
  }
  if (containers == Containers::kYes && !at.empty() && at != kMetadata) leaves[at] = nullptr;
  if (value.is_object()) {
    for (const auto& [name, member] : value.items()) {
      flatten(schema, member, child(path, name), at + field_element(name), containers, leaves);
    }
  } else {
    const ListType& type = schema.list_at(path);
    for (const Json& item : value) {
      const std::string element = at + item_element(type, item).value_or("k:?/");
      leaves[element] = nullptr;
      if (item.is_object()) flatten(schema, item, path + "[]", element, containers, leaves);
    }
  }
}

// What ownership is kept of: the server looks after the rest by itself.
Leaves leaves_of(const MergeSchema& schema, Json object, Containers containers) {
  for (const char* field : {"apiVersion", "kind"}) object.erase(field);
  if (object.contains("metadata")) {
    Json& metadata = object["metadata"];
    for (const char* field : {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
                              "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"}) {
      metadata.erase(field);
    }
    if (metadata.empty()) object.erase("metadata");
  }
  Leaves leaves;
  if (!object.empty()) flatten(schema, object, "", "", containers, leaves);
  return leaves;
}

FieldSet fields_of(const Leaves& leaves) {
  FieldSet fields;
  for (const auto& [path, value] : leaves) fields.insert(path);
  return fields;
}

struct Difference {
  FieldSet changed;  // modified or added
  FieldSet removed;
};

Difference compare(const Leaves& before, const Leaves& after) {
  Difference difference;
  for (const auto& [path, value] : after) {
    const auto old = before.find(path);
    if (old == before.end() || old->second != value) difference.changed.insert(path);
  }
  for (const auto& [path, value] : before) {
    if (!after.contains(path)) difference.removed.insert(path);
  }
  return difference;
}

FieldSet without(const FieldSet& set, const FieldSet& taken) {
  FieldSet rest;
  std::set_difference(set.begin(), set.end(), taken.begin(), taken.end(), std::inserter(rest, rest.end()));
  return rest;
}

FieldSet common(const FieldSet& a, const FieldSet& b) {
  FieldSet both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(both, both.end()));
  return both;
}

// With every named member on the way to a field: a struct is there for as long as something in it is owned.
FieldSet with_ancestors(const FieldSet& fields) {
  FieldSet all = fields;
  for (const std::string& field : fields) {
    for (size_t end = field.find('/'); end + 1 < field.size(); end = field.find('/', end + 1)) {
      const size_t begin = field.rfind('/', end - 1);
      if (field.compare(begin == std::string::npos ? 0 : begin + 1, 2, "f:") == 0) all.insert(field.substr(0, end + 1));
    }
  }
  return all;
}

Json merge(const MergeSchema& schema, const Json& live, const Json& config, const std::string& path);

// The live order is kept, and so is the order of the applied items among themselves.
Json merge_list(const MergeSchema& schema, const Json& live, const Json& config, const std::string& path) {
  const ListType& type = schema.list_at(path);
  std::vector<std::string> left;
  std::vector<std::string> right;
  for (const Json& item : live) left.push_back(item_element(type, item).value_or("?"));
  for (const Json& item : config) right.push_back(item_element(type, item).value_or("?"));
  const auto is_in = [](const std::vector<std::string>& list, const std::string& element) {
    return std::find(list.begin(), list.end(), element) != list.end();
  };
  std::vector<std::string> shared;
  std::copy_if(right.begin(), right.end(), std::back_inserter(shared),
               [&](const std::string& element) { return is_in(left, element); });
  Json merged = Json::array();
  size_t l = 0;
  size_t r = 0;
  size_t next = 0;  // of `shared`
  const auto take_right = [&] {
    const auto same = std::find(left.begin(), left.end(), right[r]);
    const Json& item = config[r];
    if (same == left.end()) {
      merged.push_back(item);
    } else {
      merged.push_back(merge(schema, live[static_cast<size_t>(same - left.begin())], item, path + "[]"));
    }
    if (next < shared.size() && shared[next] == right[r]) ++next;
    ++r;
  };
  while (l < left.size() || r < right.size()) {
    if (l < left.size() && r < right.size() && left[l] == right[r]) {
      take_right();
      ++l;
    } else if (l < left.size() && r < right.size() && is_in(right, left[l]) && next < shared.size() &&
               shared[next] != left[l]) {
      ++l;  // an item of both, but another one is next
    } else if (l < left.size() && !is_in(right, left[l])) {
      merged.push_back(live[l++]);
    } else if (r < right.size()) {
      take_right();
    } else {
      ++l;
    }
  }
  return merged;
}

Json merge(const MergeSchema& schema, const Json& live, const Json& config, const std::string& path) {
  if (config.is_object() && live.is_object() && !schema.is_atomic_map(path)) {
    Json merged = live;
    for (const auto& [name, value] : config.items()) {
      const auto known = live.find(name);
      merged[name] = known == live.end() ? value : merge(schema, *known, value, child(path, name));
    }
    return merged;
  }
  const bool item_by_item =
      config.is_array() && live.is_array() && schema.list_at(path).kind != ListType::Kind::kAtomic;
  return item_by_item ? merge_list(schema, live, config, path) : config;
}

// `value` without the fields of `gone` and all that is below them.
Json prune(const MergeSchema& schema, const Json& value, const std::string& path, const std::string& at,
           const FieldSet& gone) {
  if (is_one_value(schema, value, path)) return value;
  const auto below = gone.lower_bound(at);
  if (below == gone.end() || !below->starts_with(at)) return value;
  Json kept = value.is_object() ? Json::object() : Json::array();
  if (value.is_object()) {
    for (const auto& [name, member] : value.items()) {
      const std::string element = at + field_element(name);
      if (!gone.contains(element)) kept[name] = prune(schema, member, child(path, name), element, gone);
    }
    return kept;
  }
  const ListType& type = schema.list_at(path);
  for (const Json& item : value) {
    const std::string element = at + item_element(type, item).value_or("k:?/");
    if (!gone.contains(element)) kept.push_back(prune(schema, item, path + "[]", element, gone));
  }
  return kept;
}

// "f:data/f:value/" as ".data.value".
std::string readable(const std::string& field) {
  std::string text;
  for (size_t begin = 0; begin < field.size();) {
    const size_t end = field.find('/', begin);
    const std::string element = field.substr(begin, end - begin);
    text += element.starts_with("f:") ? "." + element.substr(2) : base::cat("[", element.substr(2), "]");
    begin = end + 1;
  }
  return text;
}

absl::Status check_modelled(const MergeSchema& schema, const Json& config, const std::string& path) {
  if (config.is_null()) return absl::UnimplementedError(base::cat(path, ": a null in an applied configuration"));
  if (config.is_object() && !schema.is_atomic_map(path)) {
    for (const auto& [name, member] : config.items()) {
      if (absl::Status status = check_modelled(schema, member, child(path, name)); !status.ok()) return status;
    }
  }
  const ListType& type = config.is_array() ? schema.list_at(path) : ListType{};
  if (type.kind == ListType::Kind::kAtomic) return absl::OkStatus();
  std::set<std::string> seen;
  for (const Json& item : config) {
    const auto element = item_element(type, item);
    if (!element) return absl::UnimplementedError(base::cat(path, ": an item without the key that names it"));
    if (!seen.insert(*element).second)
      return absl::UnimplementedError(base::cat(path, ": an item that is there twice"));
    if (absl::Status status = check_modelled(schema, item, path + "[]"); !status.ok()) return status;
  }
  return absl::OkStatus();
}

bool is_entry_of(const FieldOwner& owner, const FieldOwner& who) {
  return owner.manager == who.manager && owner.applies == who.applies && owner.subresource == who.subresource;
}

FieldOwner& entry_of(FieldOwners& owners, const FieldOwner& who) {
  const auto found = std::find_if(owners.begin(), owners.end(), [&](const auto& o) { return is_entry_of(o, who); });
  if (found != owners.end()) return *found;
  owners.push_back({who.manager, who.applies, who.subresource, {}});
  return owners.back();
}

FieldSet all_owned(const FieldOwners& owners) {
  FieldSet all;
  for (const FieldOwner& owner : owners) all.insert(owner.fields.begin(), owner.fields.end());
  return all;
}

// The others lose what was changed or removed; entries that own nothing go.
void disown(FieldOwners& owners, const FieldOwner& who, const Difference& difference) {
  for (FieldOwner& owner : owners) {
    if (is_entry_of(owner, who)) continue;
    owner.fields = without(without(owner.fields, difference.changed), difference.removed);
  }
  std::erase_if(owners, [](const FieldOwner& owner) { return owner.fields.empty(); });
}

}  // namespace

absl::StatusOr<Applied> apply_fields(const MergeSchema& schema, const Json& live, const FieldOwners& owners,
                                     const Json& config, const FieldOwner& who, bool force) {
  if (absl::Status status = check_modelled(schema, config, ""); !status.ok()) return status;
  Applied applied{merge(schema, live, config, ""), owners, {}};
  FieldOwner& own = entry_of(applied.owners, who);
  const FieldSet last = std::exchange(own.fields, fields_of(leaves_of(schema, config, Containers::kNo)));
  FieldSet gone = without(with_ancestors(last), with_ancestors(all_owned(applied.owners)));
  gone.erase(kMetadata);
  applied.object = prune(schema, applied.object, "", "", gone);

  const Difference difference =
      compare(leaves_of(schema, live, Containers::kYes), leaves_of(schema, applied.object, Containers::kYes));
  for (const FieldOwner& owner : applied.owners) {
    if (is_entry_of(owner, who) || force) continue;
    for (const std::string& field : common(owner.fields, difference.changed)) {
      applied.conflicts.push_back({owner.manager, readable(field)});
    }
  }
  disown(applied.owners, who, difference);
  return applied;
}

FieldOwners owners_after_write(const MergeSchema& schema, const Json& before, const Json& after, FieldOwners owners,
                               const FieldOwner& who) {
  const Difference difference =
      compare(leaves_of(schema, before, Containers::kYes), leaves_of(schema, after, Containers::kYes));
  FieldOwner& own = entry_of(owners, who);
  own.fields = without(own.fields, difference.removed);
  own.fields.insert(difference.changed.begin(), difference.changed.end());
  disown(owners, who, difference);
  return owners;
}

}  // namespace tidegate::kube
