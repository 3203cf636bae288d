#include "serving-runtime/backends/litert/output_shapes.h"

namespace tidegate::serving::litert {

OutputShapes::Key OutputShapes::key_of(size_t signature, const std::vector<Dims>& inputs) {
  Key key{static_cast<int64_t>(signature)};
  for (const Dims& dims : inputs) key.insert(key.end(), dims.begin(), dims.end());
  return key;
}

bool OutputShapes::recall(const Key& key, Shapes& found) {
  std::lock_guard lock(mutex_);
  const auto known = known_.find(key);
  if (known == known_.end()) return false;
  found = known->second;
  return true;
}

Failure OutputShapes::find(size_t signature, const std::vector<Dims>& inputs, size_t count, Shapes& found) {
  const Key key = key_of(signature, inputs);
  if (recall(key, found)) return {};
  std::lock_guard one_at_a_time(planning_);
  if (recall(key, found)) return {};
  if (!planner_) {
    if (Failure failure = make_planner_(planner_); !failure.ok()) return failure;
  }
  auto planned = std::make_shared<std::vector<Dims>>();
  if (Failure failure = planner_->plan(signature, inputs, count, *planned); !failure.ok()) {
    planner_.reset();  // what a failure left behind is not known
    return failure;
  }
  std::lock_guard lock(mutex_);
  if (known_.size() >= kMost) known_.clear();
  found = known_[key] = std::move(planned);
  return {};
}

Failure OutputShapes::learn(Instance& instance, size_t signature, const std::vector<Dims>& inputs, size_t count,
                            Shapes& found) {
  auto planned = std::make_shared<std::vector<Dims>>();
  if (Failure failure = instance.plan(signature, inputs, count, *planned); !failure.ok()) return failure;
  std::lock_guard lock(mutex_);
  found = known_[key_of(signature, inputs)] = std::move(planned);
  return {};
}

}  // namespace tidegate::serving::litert
