#pragma once
// What a Reflector has seen of one collection: immutable typed objects by key, with indexes and handlers.
// Controllers read it (never the network) in observe(); only the reflector writes it. Loop thread only, but for the
// decoder: it reads pages on other threads, so it must be pure.
//
// T is any slim type; it is shared, never copied: `auto pod = pods.get(key)` stays valid and unchanged for as long as
// it is held.
#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/object_key.h"
#include "kube/json.h"
#include "kube/reflector.h"
#include "kube/resource.h"

namespace tidegate::kube {

// How far a store has come; what Expectations asks.
class StorePosition {
 public:
  virtual ~StorePosition() = default;
  // Whether the store shows the write that gave `key` this resourceVersion, or something later.
  virtual bool has_reached(const base::ObjectKey& key, uint64_t resource_version) const = 0;
  // Whether the object of that uid is gone from the store, or is marked for deletion there.
  virtual bool is_gone_or_leaving(const base::ObjectKey& key, std::string_view uid) const = 0;
};

template <class T>
class Store : public ReflectorSink, public StorePosition {
 public:
  using Pointer = std::shared_ptr<const T>;
  using Decoder = std::function<absl::StatusOr<T>(const JsonView&)>;
  // The values under which an object is found; none: not in this index.
  using IndexFunction = std::function<std::vector<std::string>(const base::ObjectKey&, const T&)>;
  struct Handlers {
    std::function<void(const base::ObjectKey&, const Pointer& object)> on_add;
    // Only called when the resourceVersion changed.
    std::function<void(const base::ObjectKey&, const Pointer& before, const Pointer& after)> on_update;
    // The last state that was seen; called also for deletions missed between list and watch.
    std::function<void(const base::ObjectKey&, const Pointer& last)> on_delete;
  };

  // `name` is for logs and metrics (the plural). `clock` must outlive the store.
  // `decode` takes a JsonView; one that takes a Json works too, at the price of building it.
  template <class F>
  Store(std::string name, F decode, base::Clock& clock)
      : name_(std::move(name)), decode_(std::make_shared<Decoder>(decoder(std::move(decode)))), clock_(clock) {}

  // Indexes and handlers are added before the reflector runs. A handler may read the store: it sees the new state.
  void add_index(const std::string& index, IndexFunction function);
  void add_handlers(Handlers handlers) { handlers_.push_back(std::move(handlers)); }

  // Null when there is none.
  Pointer get(const base::ObjectKey& key) const;
  // The resourceVersion of one object; empty when there is none.
  std::string resource_version_of(const base::ObjectKey& key) const;
  // In the order of keys.
  std::vector<std::pair<base::ObjectKey, Pointer>> list() const;
  std::vector<Pointer> by_index(const std::string& index, const std::string& value) const;
  size_t size() const { return entries_.size(); }
  const std::string& name() const { return name_; }

  // Whether one complete list has been stored.
  bool synced() const { return synced_; }
  // While a list becomes visible: an object may have had other states between the two that a handler is told of.
  bool catches_up() const { return commit_.has_value(); }
  // The highest resourceVersion seen, of objects and bookmarks.
  uint64_t resource_version() const { return resource_version_; }
  // Time since the last event, bookmark or list; infinite before the first.
  absl::Duration age() const;
  // Objects that `decode` refused since the start. The last good state of such an object is kept.
  uint64_t undecodable() const { return undecodable_; }

  bool has_reached(const base::ObjectKey& key, uint64_t resource_version) const override;
  bool is_gone_or_leaving(const base::ObjectKey& key, std::string_view uid) const override;

  // For the reflector (and for tests that fill a store by hand).
  std::unique_ptr<ReflectorSink::Batch> make_batch() const override { return std::make_unique<Batch>(decode_); }
  void keep(ReflectorSink::Batch& batch) override;
  void keep(const JsonView& object) override;
  void discard_kept() override;
  void begin_commit(const std::string& resource_version) override;
  bool commit_some(size_t most) override;
  // All of it in one turn.
  void commit(const std::string& resource_version);
  void upsert(const JsonView& object) override;
  void erase(const JsonView& object) override;
  void progress(const std::string& resource_version) override;

 private:
  struct Entry {
    Pointer object;
    std::string uid;
    std::string resource_version;
    bool leaving = false;
  };
  using Index = absl::flat_hash_map<std::string, std::set<base::ObjectKey>>;
  // What came of one object; without `error` the entry has an object.
  struct Reading {
    Entry entry;
    absl::Status error;
  };
  struct Batch : ReflectorSink::Batch {
    explicit Batch(std::shared_ptr<const Decoder> decode) : decode(std::move(decode)) {}
    void add(const JsonView& object) override;

    std::shared_ptr<const Decoder> decode;
    std::map<base::ObjectKey, Entry> good;
    std::vector<std::pair<base::ObjectKey, Reading>> bad;
  };
  // A complete set on its way from kept_ to entries_, in the order of keys.
  struct Commit {
    uint64_t resource_version = 0;
    std::optional<base::ObjectKey> last;  // that has been dealt with
  };

  template <class F>
  static Decoder decoder(F decode);
  static base::ObjectKey key_of(const JsonView& object);
  static Reading read(const Decoder& decode, const JsonView& object);
  // The entry to take, or one without an object when it cannot be read and never could.
  Entry accept(const base::ObjectKey& key, Reading reading);
  void commit_next();
  void end_commit();
  bool awaits_commit(const base::ObjectKey& key) const { return commit_ && !(commit_->last && key <= *commit_->last); }
  void put(const base::ObjectKey& key, Entry entry);
  void drop(const base::ObjectKey& key);
  void index_object(const base::ObjectKey& key, const Pointer& before, const Pointer& after);
  void seen(const std::string& resource_version);

  std::string name_;
  std::shared_ptr<const Decoder> decode_;  // also read by batches, on other threads
  base::Clock& clock_;
  std::map<base::ObjectKey, Entry> entries_;
  std::map<base::ObjectKey, Entry> kept_;
  std::optional<Commit> commit_;
  std::map<std::string, IndexFunction> index_functions_;
  std::map<std::string, Index> indexes_;
  std::vector<Handlers> handlers_;
  uint64_t resource_version_ = 0;
  uint64_t undecodable_ = 0;
  bool synced_ = false;
  absl::Duration last_seen_at_ = -absl::InfiniteDuration();
};

template <class T>
void Store<T>::add_index(const std::string& index, IndexFunction function) {
  index_functions_[index] = std::move(function);
  for (const auto& [key, entry] : entries_) {
    for (const std::string& value : index_functions_[index](key, *entry.object)) indexes_[index][value].insert(key);
  }
}

template <class T>
typename Store<T>::Pointer Store<T>::get(const base::ObjectKey& key) const {
  auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->second.object;
}

template <class T>
std::string Store<T>::resource_version_of(const base::ObjectKey& key) const {
  auto found = entries_.find(key);
  return found == entries_.end() ? "" : found->second.resource_version;
}

template <class T>
std::vector<std::pair<base::ObjectKey, typename Store<T>::Pointer>> Store<T>::list() const {
  std::vector<std::pair<base::ObjectKey, Pointer>> all;
  all.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) all.emplace_back(key, entry.object);
  return all;
}

template <class T>
std::vector<typename Store<T>::Pointer> Store<T>::by_index(const std::string& index, const std::string& value) const {
  std::vector<Pointer> found;
  auto keys_by_value = indexes_.find(index);
  if (keys_by_value == indexes_.end()) return found;
  auto keys = keys_by_value->second.find(value);
  if (keys == keys_by_value->second.end()) return found;
  for (const base::ObjectKey& key : keys->second) found.push_back(entries_.at(key).object);
  return found;
}

template <class T>
absl::Duration Store<T>::age() const {
  return clock_.uptime() - last_seen_at_;
}

template <class T>
bool Store<T>::has_reached(const base::ObjectKey& key, uint64_t resource_version) const {
  if (resource_version_ >= resource_version) return true;
  auto found = entries_.find(key);
  return found != entries_.end() && resource_version_number(found->second.resource_version) >= resource_version;
}

template <class T>
bool Store<T>::is_gone_or_leaving(const base::ObjectKey& key, std::string_view uid) const {
  auto found = entries_.find(key);
  return found == entries_.end() || found->second.uid != uid || found->second.leaving;
}

template <class T>
template <class F>
typename Store<T>::Decoder Store<T>::decoder(F decode) {
  if constexpr (std::is_invocable_v<F, const JsonView&>) {
    return decode;
  } else {
    return [decode = std::move(decode)](const JsonView& object) {
      return object.tree() != nullptr ? decode(*object.tree()) : decode(object.to_json());
    };
  }
}

template <class T>
base::ObjectKey Store<T>::key_of(const JsonView& object) {
  return {string_at(object, {"metadata", "namespace"}), string_at(object, {"metadata", "name"})};
}

template <class T>
typename Store<T>::Reading Store<T>::read(const Decoder& decode, const JsonView& object) {
  Reading reading{{nullptr, string_at(object, {"metadata", "uid"}), kube::resource_version_of(object),
                   find(object, {"metadata", "deletionTimestamp"}).has_value()},
                  absl::OkStatus()};
  absl::StatusOr<T> decoded = decode(object);
  if (decoded.ok()) {
    reading.entry.object = std::make_shared<const T>(*std::move(decoded));
  } else {
    reading.error = decoded.status();
  }
  return reading;
}

template <class T>
typename Store<T>::Entry Store<T>::accept(const base::ObjectKey& key, Reading reading) {
  if (reading.error.ok()) return std::move(reading.entry);
  ++undecodable_;
  base::log_warning("ignored a change that cannot be read; the last good state stays",
                    {{"collection", name_}, {"object", key.to_string()}, {"error", reading.error}});
  auto known = entries_.find(key);
  // A state of another uid is no state of this object.
  if (known != entries_.end() && known->second.uid == reading.entry.uid) reading.entry.object = known->second.object;
  return std::move(reading.entry);
}

template <class T>
void Store<T>::Batch::add(const JsonView& object) {
  base::ObjectKey key = key_of(object);
  Reading reading = read(*decode, object);
  if (reading.error.ok()) {
    good.insert_or_assign(std::move(key), std::move(reading.entry));
  } else {
    bad.emplace_back(std::move(key), std::move(reading));
  }
}

// The first page, which may hold everything, costs a swap; a later one some hundred insertions.
template <class T>
void Store<T>::keep(ReflectorSink::Batch& batch) {
  auto& objects = static_cast<Batch&>(batch);
  if (kept_.empty()) {
    kept_.swap(objects.good);
  } else {
    for (auto& [key, entry] : objects.good) kept_.insert_or_assign(key, std::move(entry));
  }
  for (auto& [key, reading] : objects.bad) {
    Entry entry = accept(key, std::move(reading));
    if (entry.object) kept_.insert_or_assign(std::move(key), std::move(entry));
  }
}

template <class T>
void Store<T>::keep(const JsonView& object) {
  base::ObjectKey key = key_of(object);
  Entry entry = accept(key, read(*decode_, object));
  if (entry.object) kept_.insert_or_assign(std::move(key), std::move(entry));
}

template <class T>
void Store<T>::discard_kept() {
  kept_.clear();
  commit_.reset();
}

template <class T>
void Store<T>::begin_commit(const std::string& resource_version) {
  commit_ = Commit{resource_version_number(resource_version), std::nullopt};
  last_seen_at_ = clock_.uptime();
}

template <class T>
bool Store<T>::commit_some(size_t most) {
  for (size_t done = 0; commit_ && done < most; ++done) commit_next();
  return commit_.has_value();
}

template <class T>
void Store<T>::commit(const std::string& resource_version) {
  begin_commit(resource_version);
  while (commit_some(kept_.size() + entries_.size() + 1)) {
  }
}

// Of both sets together, the first key behind the last one.
template <class T>
void Store<T>::commit_next() {
  auto next = kept_.begin();
  auto old = commit_->last ? entries_.upper_bound(*commit_->last) : entries_.begin();
  if (next == kept_.end() && old == entries_.end()) return end_commit();
  if (next == kept_.end() || (old != entries_.end() && old->first < next->first)) {
    commit_->last = old->first;
    return drop(*commit_->last);
  }
  auto taken = kept_.extract(next);
  commit_->last = taken.key();
  put(taken.key(), std::move(taken.mapped()));
}

template <class T>
void Store<T>::end_commit() {
  // Set, not raised: after a restored backup the server's versions are lower than those we knew.
  resource_version_ = commit_->resource_version;
  commit_.reset();
  synced_ = true;
}

template <class T>
void Store<T>::upsert(const JsonView& object) {
  const base::ObjectKey key = key_of(object);
  Entry entry = accept(key, read(*decode_, object));
  seen(entry.resource_version);
  if (!entry.object) return;
  if (awaits_commit(key)) {
    kept_.insert_or_assign(key, std::move(entry));
  } else {
    put(key, std::move(entry));
  }
}

template <class T>
void Store<T>::erase(const JsonView& object) {
  const base::ObjectKey key = key_of(object);
  seen(kube::resource_version_of(object));
  if (awaits_commit(key)) kept_.erase(key);
  drop(key);
}

template <class T>
void Store<T>::progress(const std::string& resource_version) {
  seen(resource_version);
}

template <class T>
void Store<T>::put(const base::ObjectKey& key, Entry entry) {
  auto known = entries_.find(key);
  // Deleted and made again while we did not look: two objects, so two events.
  if (known != entries_.end() && known->second.uid != entry.uid) {
    drop(key);
    known = entries_.end();
  }
  const Pointer before = known == entries_.end() ? nullptr : known->second.object;
  const bool changed = !before || known->second.resource_version != entry.resource_version;
  if (!changed) return;
  const Pointer after = entry.object;
  entries_.insert_or_assign(key, std::move(entry));
  index_object(key, before, after);
  for (const Handlers& handlers : handlers_) {
    if (!before && handlers.on_add) handlers.on_add(key, after);
    if (before && handlers.on_update) handlers.on_update(key, before, after);
  }
}

template <class T>
void Store<T>::drop(const base::ObjectKey& key) {
  auto known = entries_.find(key);
  if (known == entries_.end()) return;
  const Pointer last = known->second.object;
  entries_.erase(known);
  index_object(key, last, nullptr);
  for (const Handlers& handlers : handlers_) {
    if (handlers.on_delete) handlers.on_delete(key, last);
  }
}

template <class T>
void Store<T>::index_object(const base::ObjectKey& key, const Pointer& before, const Pointer& after) {
  for (const auto& [name, function] : index_functions_) {
    Index& index = indexes_[name];
    for (const std::string& value : before ? function(key, *before) : std::vector<std::string>{}) {
      auto keys = index.find(value);
      if (keys == index.end()) continue;
      keys->second.erase(key);
      if (keys->second.empty()) index.erase(keys);
    }
    if (!after) continue;
    for (const std::string& value : function(key, *after)) index[value].insert(key);
  }
}

template <class T>
void Store<T>::seen(const std::string& resource_version) {
  // What a commit has not come to yet is older than what is said meanwhile.
  uint64_t& reached = commit_ ? commit_->resource_version : resource_version_;
  reached = std::max(reached, resource_version_number(resource_version));
  last_seen_at_ = clock_.uptime();
}

}  // namespace tidegate::kube
