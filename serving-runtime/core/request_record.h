#pragma once
// What is written down about one prediction, and who decides about which. core/inference.h fills a record while the
// request runs, api/front_end.h hands it in with the answer, and recording/request_log.h writes it, later and
// elsewhere.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serving-runtime/core/api.h"
#include "serving-runtime/core/tensor.h"

namespace tidegate::serving {

// One run of the model for the request, with copies of what went in and came out.
struct RunRecord {
  std::string signature;
  std::vector<NamedTensor> inputs;
  std::vector<NamedTensor> outputs;  // none when the run failed
};

struct RequestRecord {
  enum class Payload {
    kKept,
    kNotWanted,  // no tensors are recorded
    kTooLarge,   // this request's were larger than what may be kept of one
  };

  uint64_t max_payload_bytes = 0;  // of the tensors of all runs together

  absl::Time time;  // when the answer was made
  Api api = Api::kTfsRest;
  std::string request_id;   // empty: the client gave none
  std::string traceparent;  // empty: none
  std::string model;
  int64_t version = 0;
  absl::Status status;
  bool model_error = false;  // the model's own graph raised it
  absl::Duration queued;     // waiting for its turn
  absl::Duration latency;    // after that, until the answer was made
  Payload payload = Payload::kKept;
  uint64_t payload_bytes = 0;   // of all tensors so far
  std::vector<RunRecord> runs;  // as they were begun; of what failed before a run, none

  // Notes what goes into a run, what came out of the last one.
  void note_inputs(const std::string& signature, const std::vector<NamedTensor>& inputs);
  void note_outputs(const std::vector<NamedTensor>& outputs);

 private:
  bool has_room_for(const std::vector<NamedTensor>& tensors);
};

class RequestRecorder {
 public:
  // What /metrics tells.
  struct Counts {
    uint64_t written = 0;        // records
    uint64_t dropped_full = 0;   // too many waited
    uint64_t dropped_error = 0;  // they could not be written
    uint64_t queue_bytes = 0;
  };

  virtual ~RequestRecorder() = default;
  // A record to fill, or null for the many requests of which none is made. `rate`: the share of requests, of a model
  // that has one of its own. Any thread; never waits.
  virtual std::unique_ptr<RequestRecord> begin(std::optional<double> rate) = 0;
  // Takes it over to be written, or drops it when too much waits to be. Any thread; never waits.
  virtual void take(std::unique_ptr<RequestRecord> record) = 0;
  virtual Counts counts() const = 0;
};

}  // namespace tidegate::serving
