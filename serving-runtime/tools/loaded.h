#pragma once
// A version's folder, loaded for a tool.
#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "base/status.h"
#include "model/model_format.h"
#include "serving-runtime/core/servable.h"
#include "serving-runtime/repository/version_loader.h"
#include "serving-runtime/tools/sample_inputs.h"

namespace tidegate::serving {

// Errors name the folder.
inline absl::StatusOr<std::shared_ptr<const Servable>> load_folder(const std::string& folder,
                                                                   const BackendSource& backends) {
  absl::StatusOr<const Backend*> backend = backends(folder);
  if (!backend.ok()) return backend.status();
  absl::StatusOr<std::unique_ptr<LoadedModel>> model = (*backend)->load(folder);
  if (!model.ok()) return base::annotate(model.status(), folder);
  return std::make_shared<const Servable>(folder, 0, folder, (*backend)->name(), *std::move(model));
}

// A line on standard error, so that nobody takes a part of the records for all.
inline void tell_of_failed(const Samples& samples) {
  if (samples.failed == 0) return;
  std::cerr << "tidegate-runtime: " << samples.failed << " records of requests that had failed were passed over\n";
}

// NOT_FOUND with the names of those that there are.
inline absl::StatusOr<const model::Signature*> find_signature(const Servable& servable, const std::string& name) {
  if (const model::Signature* found = servable.find_signature(name)) return found;
  std::string known;
  for (const model::Signature& signature : servable.signatures()) {
    if (signature.name.starts_with("__")) continue;  // TensorFlow's own
    base::append(known, base::cat(known.empty() ? "" : ", ", signature.name));
  }
  return absl::NotFoundError(base::cat(servable.folder(), " has no signature ", name, "; it has: ", known));
}

}  // namespace tidegate::serving
