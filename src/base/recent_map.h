#pragma once
// A map of a bounded size that forgets what was used the longest ago. Every operation takes constant time. Used for
// what is remembered only to save work or to be polite (kube::EventAggregator), where forgetting does no harm.
#include <cstddef>
#include <iterator>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace tidegate::base {

template <class Value>
class RecentMap {
 public:
  // `capacity` > 0.
  explicit RecentMap(size_t capacity) : capacity_(capacity) {}
  RecentMap(const RecentMap&) = delete;  // places_ refers to the keys in entries_
  RecentMap& operator=(const RecentMap&) = delete;

  // Uses it; null when there is none. Valid until the next put or erase.
  Value* use(std::string_view key) {
    auto place = places_.find(key);
    if (place == places_.end()) return nullptr;
    entries_.splice(entries_.end(), entries_, place->second);
    return &place->second->second;
  }

  // Uses it, in place of what was there under this key.
  Value& put(std::string key, Value value) {
    erase(key);
    if (entries_.size() >= capacity_) erase(entries_.front().first);
    entries_.emplace_back(std::move(key), std::move(value));
    places_.emplace(entries_.back().first, std::prev(entries_.end()));
    return entries_.back().second;
  }

  void erase(std::string_view key) {
    auto place = places_.find(key);
    if (place == places_.end()) return;
    const auto entry = place->second;
    places_.erase(place);  // before the key that it refers to
    entries_.erase(entry);
  }

  size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<std::string, Value>>;

  size_t capacity_;
  Entries entries_;  // the least recently used first
  std::unordered_map<std::string_view, typename Entries::iterator> places_;
};

}  // namespace tidegate::base
