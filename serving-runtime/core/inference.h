#pragma once
// One request on its way through a version of a model: a front end makes one when the request's turn has come, whatever
// decodes the request chooses the version and runs it through this, and what took how long goes into the version's
// statistics, and into a record when the request is one of those that are recorded. For one thread.
#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "serving-runtime/core/request_record.h"
#include "serving-runtime/core/servable_table.h"

namespace tidegate::serving {

class Inference {
 public:
  // `arrived`: the clock's uptime when the whole request had been read; what lies between is time in the queue. Without
  // a recorder nothing is recorded.
  Inference(const base::Clock& clock, absl::Duration arrived, RequestRecorder* recorder = nullptr)
      : clock_(clock), arrived_(arrived), begun_(clock.uptime()), recorder_(recorder) {}

  // Errors as ServableFinder::find's; then there is no servable().
  absl::Status choose(const ServableFinder& servables, const ModelSpec& spec);
  void choose(std::shared_ptr<const Servable> servable) { servable_ = std::move(servable); }
  // The version that was chosen, or null. Requests that fail later are counted against it too.
  const Servable* servable() const { return servable_.get(); }

  // As Servable::predict, of the version chosen. Any number of times.
  absl::StatusOr<std::vector<NamedTensor>> predict(const model::Signature& signature, std::vector<NamedTensor> inputs,
                                                   const std::vector<std::string>& wanted);

  // The name that the client has for this request.
  void set_request_id(const std::string& id) {
    if (record_) record_->request_id = id.substr(0, 256);
  }

  absl::Duration queued() const { return begun_ - arrived_; }
  // The model's own part, of all runs. Of those that a cache answered, what that took.
  absl::Duration computed() const { return infer_; }
  // The answer is made: writes the statistics. Returns how long it took, the queue not counted. Call once.
  absl::Duration end(const absl::Status& result);
  // What was written down so far, or null. Call once, after end().
  std::unique_ptr<RequestRecord> take_record() { return std::move(record_); }

 private:
  const base::Clock& clock_;
  const absl::Duration arrived_;
  const absl::Duration begun_;
  RequestRecorder* const recorder_;
  std::shared_ptr<const Servable> servable_;
  std::unique_ptr<RequestRecord> record_;
  absl::Duration input_;  // until the first run
  absl::Duration infer_;  // all runs
  uint64_t runs_ = 0;
  uint64_t recalled_ = 0;                   // of them, what a cache answered
  std::optional<absl::Duration> in_cache_;  // of the others, if there is a cache
};

}  // namespace tidegate::serving
