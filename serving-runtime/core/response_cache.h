#pragma once
// Answers that were given before, kept for the same question. Opt-in: it is right only for models that always answer
// the same question alike. Bounded in bytes; what was asked for longest ago goes first. Any thread.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "serving-runtime/core/backend.h"

namespace tidegate::serving {

class ResponseCache {
 public:
  using Tensors = std::shared_ptr<const std::vector<Tensor>>;

  explicit ResponseCache(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // Null: not there.
  Tensors find(const std::string& key);
  // Tells one loaded model from every other that the cache has seen.
  uint64_t next_model() { return ++models_; }
  // An answer larger than the whole cache is not kept.
  void keep(const std::string& key, Tensors answer);

  struct Counts {
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t bytes = 0;
  };
  Counts counts() const;

 private:
  struct Entry {
    std::string key;
    Tensors answer;
    uint64_t bytes = 0;
  };
  using Entries = std::list<Entry>;  // asked for last comes first

  const uint64_t max_bytes_;
  std::atomic<uint64_t> models_ = 0;
  mutable std::mutex mutex_;
  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> by_key_;
  Counts counts_;
};

// What an answer cost, of a model that may have a cache.
struct CacheUse {
  enum class Kind { kNone, kMiss, kHit };
  Kind kind = Kind::kNone;  // kHit: the answer was given before, and nothing ran
  absl::Duration took;      // of a miss: looking for the answer, and keeping it
};

// One model's part of a cache that it shares with others.
class ModelCache {
 public:
  // Both must outlive it.
  ModelCache(ResponseCache& cache, const base::Clock& clock)
      : number_(cache.next_model()), cache_(cache), clock_(clock) {}

  // LoadedModel::run() of `model`, always the same one, unless the answer is known. Errors are not kept. `use` is
  // written when it succeeds.
  absl::StatusOr<std::vector<Tensor>> run(const LoadedModel& model, size_t signature, std::span<Tensor> inputs,
                                          std::span<const uint64_t> outputs, CacheUse& use) const;

 private:
  const uint64_t number_;
  ResponseCache& cache_;
  const base::Clock& clock_;
};

}  // namespace tidegate::serving
