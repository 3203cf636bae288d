#pragma once
// One version of a model that can be asked: what front ends call after routing.
#include <absl/status/statusor.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/signature.h"
#include "serving-runtime/core/backend.h"
#include "serving-runtime/core/inference_statistics.h"
#include "serving-runtime/core/response_cache.h"
#include "serving-runtime/core/tensor.h"

namespace tidegate::serving {

inline constexpr std::string_view kDefaultSignature = "serving_default";

// An error that the model's own graph raised, as against one in what the client sent. The canary analysis counts the
// first kind against the version, whatever its code.
absl::Status as_model_error(absl::Status status);
bool is_model_error(const absl::Status& status);

class VersionSeries;

class Servable {
 public:
  Servable(std::string name, int64_t version, std::string folder, std::string platform,
           std::unique_ptr<LoadedModel> model, std::optional<ModelCache> cache = std::nullopt);

  const std::string& name() const { return name_; }
  int64_t version() const { return version_; }
  const std::string& version_text() const { return version_text_; }
  const std::string& folder() const { return folder_; }
  const std::string& platform() const { return platform_; }  // the backend's name
  const std::vector<model::Signature>& signatures() const { return model_->signatures(); }
  // An empty name means serving_default; null when there is no such signature.
  const model::Signature* find_signature(std::string_view name) const;
  // The share of its requests that is recorded, 0..1; unset: the recorder's own. May change while it serves.
  std::optional<double> record_rate() const {
    const double rate = record_rate_.load(std::memory_order_relaxed);
    return rate < 0 ? std::nullopt : std::optional(rate);
  }
  void set_record_rate(std::optional<double> rate) const {
    record_rate_.store(rate.value_or(-1), std::memory_order_relaxed);
  }
  // Of the requests that came through core/inference.h, which writes them.
  InferenceStatistics& statistics() const { return statistics_; }
  // This version's metrics, so that no request has to look for them: metrics/request_metrics.h's alone.
  std::atomic<VersionSeries*>& series() const { return series_; }

  // Whether answers may come from a cache.
  bool has_cache() const { return cache_.has_value(); }
  // Runs `signature` (one of signatures()). `inputs` may come in any order; `wanted` names outputs, empty means all, in
  // the signature's order. Errors before the model runs have TensorFlow Serving's texts (INVALID_ARGUMENT); those that
  // the model raises are marked, see is_model_error(). `use`, if not null, is written when that succeeds.
  absl::StatusOr<std::vector<NamedTensor>> predict(const model::Signature& signature, std::vector<NamedTensor> inputs,
                                                   const std::vector<std::string>& wanted,
                                                   CacheUse* use = nullptr) const;

 private:
  const std::string name_;
  const int64_t version_;
  const std::string version_text_;
  const std::string folder_;
  const std::string platform_;
  const std::unique_ptr<LoadedModel> model_;
  const std::optional<ModelCache> cache_;
  mutable InferenceStatistics statistics_;
  mutable std::atomic<double> record_rate_ = -1;  // below 0: unset
  mutable std::atomic<VersionSeries*> series_ = nullptr;
};

}  // namespace tidegate::serving
