#pragma once
// Files of a version -> something that serves: the backend loads them, batches and a cache are put around the model if
// they are wanted, and it is warmed up.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "serving-runtime/core/backend.h"
#include "serving-runtime/core/batched_model.h"
#include "serving-runtime/core/response_cache.h"
#include "serving-runtime/core/servable.h"
#include "serving-runtime/repository/load_planner.h"
#include "serving-runtime/repository/model_config.h"

namespace tidegate::serving {

// The backend for a version's folder, opened on first use. Any thread.
using BackendSource = std::function<absl::StatusOr<const Backend*>(const std::string& folder)>;

// What loading a version is made of.
enum class LoadStep { kLoad, kWarmUp };
using OnLoadStep = std::function<void(const std::string& folder, LoadStep, const absl::Status&, absl::Duration took)>;

// How models are loaded and run; the same for all of a server.
struct LoadOptions {
  LoadRetries retries;
  std::optional<BatchingOptions> batching;  // unset: each request is a run of its own
  bool batching_per_model = false;          // then only of versions that bring a batching_params.pbtxt, as that says
  std::function<void(const std::string& model, const BatchRun&)> on_batch = [](const std::string&, const BatchRun&) {};
  OnLoadStep on_load_step = [](const std::string&, LoadStep, const absl::Status&, absl::Duration) {};
  uint32_t warm_up_iterations = 1;  // of each recorded request
  ResponseCache* cache = nullptr;   // null: each request is answered anew. Outlives what is loaded
  // Set: models are loaded when they are asked for, and what they take is measured by it: bytes in use in the process.
  std::function<uint64_t()> memory_in_use = nullptr;

  uint64_t bytes_in_use() const { return memory_in_use ? memory_in_use() : 0; }
};

// Any thread but those that answer requests: a load may take minutes.
class VersionLoader {
 public:
  // All must outlive it.
  VersionLoader(const BackendSource& backends, const base::Clock& clock, const LoadOptions& options)
      : backends_(backends), clock_(clock), options_(options) {}

  struct Loaded {
    std::shared_ptr<const Servable> servable;
    uint64_t growth = 0;  // of LoadOptions::memory_in_use
  };
  // The error is the backend's or the model's own, of the config when that asks for another backend, or of the
  // version's batching_params.pbtxt.
  absl::StatusOr<Loaded> load(const ModelConfig& config, int64_t version, const std::string& folder) const;

 private:
  absl::StatusOr<const Backend*> backend_for(const ModelConfig& config, const std::string& folder) const;
  absl::StatusOr<std::unique_ptr<LoadedModel>> load_model(const Backend& backend, const std::string& folder) const;
  absl::StatusOr<std::optional<BatchingOptions>> batching_of(const std::string& folder) const;
  std::unique_ptr<LoadedModel> batched(std::unique_ptr<LoadedModel> model, BatchingOptions batching,
                                       const std::string& name) const;
  absl::Status warm_up(const Servable& servable) const;

  const BackendSource& backends_;
  const base::Clock& clock_;
  const LoadOptions& options_;
};

}  // namespace tidegate::serving
