#include "serving-runtime/core/inference.h"

#include "base/status.h"

namespace tidegate::serving {

absl::Status Inference::choose(const ServableFinder& servables, const ModelSpec& spec) {
  TG_ASSIGN_OR_RETURN(servable_, servables.find(spec));
  if (recorder_ != nullptr) record_ = recorder_->begin(servable_->record_rate());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NamedTensor>> Inference::predict(const model::Signature& signature,
                                                            std::vector<NamedTensor> inputs,
                                                            const std::vector<std::string>& wanted) {
  if (record_) record_->note_inputs(signature.name, inputs);
  absl::Duration start = clock_.uptime();
  if (runs_++ == 0) input_ = start - begun_;
  CacheUse use;
  auto outputs = servable_->predict(signature, std::move(inputs), wanted, &use);
  infer_ += clock_.uptime() - start - use.took;
  if (use.kind == CacheUse::Kind::kHit) ++recalled_;
  if (use.kind == CacheUse::Kind::kMiss) in_cache_ = in_cache_.value_or(absl::ZeroDuration()) + use.took;
  if (record_ && outputs.ok()) record_->note_outputs(*outputs);
  return outputs;
}

absl::Duration Inference::end(const absl::Status& result) {
  absl::Duration now = clock_.uptime(), worked = now - begun_;
  if (!servable_) return worked;
  if (!result.ok()) {
    servable_->statistics().failed(now - arrived_, clock_.now());
    return worked;
  }
  if (recalled_ > 0 && recalled_ == runs_) {
    servable_->statistics().recalled(now - arrived_, queued(), clock_.now());
    return worked;
  }
  // What a request of several runs does between them is counted as output.
  const absl::Duration output = worked - input_ - infer_ - in_cache_.value_or(absl::ZeroDuration());
  InferenceTimes times{now - arrived_, queued(), input_, infer_, output, in_cache_};
  servable_->statistics().succeeded(times, runs_ - recalled_, clock_.now());
  return worked;
}

}  // namespace tidegate::serving
