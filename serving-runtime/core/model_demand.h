#pragma once
// Models that come when they are asked for and go when others need their memory. The repository implements it
// (repository/resident_models.h); front ends that are given none find every model loaded.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace tidegate::serving {

// The model that it was given for stays loaded while it is held. Null when the model is none of those that come and go.
using ModelUse = std::shared_ptr<const void>;

class ModelDemand {
 public:
  using Then = std::function<void(absl::StatusOr<ModelUse>)>;

  // What /metrics tells.
  struct Counts {
    struct Model {
      uint64_t resident_bytes = 0;  // 0: not loaded
      uint64_t loads = 0;           // because somebody asked
      uint64_t evictions = 0;       // because others needed the memory
    };
    std::map<std::string, Model> models;
    uint64_t max_bytes = 0;
    uint64_t waiting = 0;  // requests
  };

  virtual ~ModelDemand() = default;
  // Loads the model unless it is loaded. `then` runs exactly once: here and now when there is nothing to wait for, else
  // on a thread that answers requests. OK also for a model that is not configured, which the table tells. Any number of
  // callers wait for one load. Errors: why it could not be loaded; RESOURCE_EXHAUSTED when it is larger than what may
  // be loaded, or too many wait; DEADLINE_EXCEEDED as soon as `deadline` (of the wall clock) has passed; UNAVAILABLE
  // when the server ends.
  virtual void need(std::string_view model, absl::Time deadline, Then then) = 0;
  virtual Counts counts() const = 0;
};

}  // namespace tidegate::serving
