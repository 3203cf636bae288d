#pragma once
// What runs models, as the rest of the runtime sees it. Implemented over a shared object by backends/backend_loader.h
// and by fakes in tests.
#include <absl/status/statusor.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/signature.h"
#include "serving-runtime/core/tensor.h"

namespace tidegate::serving {

// One loaded version. Thread-safe: any number of run() at once.
class LoadedModel {
 public:
  virtual ~LoadedModel() = default;
  // Sorted by name; constant.
  virtual const std::vector<model::Signature>& signatures() const = 0;
  // Runs signature number `signature` with one tensor for each of its inputs, in its order, consuming them. Returns
  // those of its outputs that `outputs` numbers, in that order. An error is the model's own.
  virtual absl::StatusOr<std::vector<Tensor>> run(size_t signature, std::span<Tensor> inputs,
                                                  std::span<const uint64_t> outputs) const = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;             // "tensorflow"
  virtual std::string library_version() const = 0;  // "2.21.0"
  // Loads the version in `folder`. Slow. The model must be destroyed before the backend.
  virtual absl::StatusOr<std::unique_ptr<LoadedModel>> load(const std::string& folder) const = 0;
};

}  // namespace tidegate::serving
