#pragma once
// Which shapes a model's outputs have for given shapes of its inputs, remembered. LiteRT wants the memory for outputs
// before a run, and an interpreter that has run cannot be asked any more; so one that never runs is kept for this, made
// when the first new shape comes.
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "serving-runtime/backends/backend_support.h"
#include "serving-runtime/backends/litert/litert_instance.h"

namespace tidegate::serving::litert {

class OutputShapes {
 public:
  using Make = std::function<Failure(std::unique_ptr<Instance>&)>;
  using Shapes = std::shared_ptr<const std::vector<Dims>>;

  explicit OutputShapes(Make make_planner) : make_planner_(std::move(make_planner)) {}

  // Any thread. `count`: how many outputs the signature has.
  Failure find(size_t signature, const std::vector<Dims>& inputs, size_t count, Shapes& found);
  // Remembers what `instance`, which has not run yet, says.
  Failure learn(Instance& instance, size_t signature, const std::vector<Dims>& inputs, size_t count, Shapes& found);

 private:
  // Signature and all dimensions: the ranks of a signature's inputs are fixed.
  using Key = std::vector<int64_t>;
  static constexpr size_t kMost = 4096;

  static Key key_of(size_t signature, const std::vector<Dims>& inputs);
  bool recall(const Key& key, Shapes& found);

  const Make make_planner_;
  std::mutex planning_;  // for as long as that takes, so not with known_
  std::unique_ptr<Instance> planner_;
  std::mutex mutex_;
  std::map<Key, Shapes> known_;
};

}  // namespace tidegate::serving::litert
