#pragma once
// Answers that were given before, kept for the same question. Opt-in: it is right only for models that always answer
// the same question alike. Bounded in bytes; what was asked for longest ago goes first. Any thread.
#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
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

// A model whose answers are kept in a cache that it may share with others. Errors are not kept.
class CachedModel : public LoadedModel {
 public:
  CachedModel(std::unique_ptr<LoadedModel> model, ResponseCache& cache, const base::Clock& clock)
      : model_(std::move(model)), number_(cache.next_model()), cache_(cache), clock_(clock) {}

  const std::vector<model::Signature>& signatures() const override { return model_->signatures(); }
  absl::StatusOr<std::vector<Tensor>> run(size_t signature, std::span<Tensor> inputs,
                                          std::span<const uint64_t> outputs) const override {
    RunNotes notes;
    return run_noted(signature, inputs, outputs, notes);
  }
  absl::StatusOr<std::vector<Tensor>> run_noted(size_t signature, std::span<Tensor> inputs,
                                                std::span<const uint64_t> outputs, RunNotes& notes) const override;
  bool has_cache() const override { return true; }

 private:
  const std::unique_ptr<LoadedModel> model_;
  const uint64_t number_;
  ResponseCache& cache_;
  const base::Clock& clock_;
};

}  // namespace tidegate::serving
