#pragma once
// Chooses requests at random, takes their records over and has them written, on a thread of its own: a request never
// waits for a disk or a network. What waits is bounded in bytes; what comes beyond is dropped and counted.
//
//   Inference ─ begin(): chosen? ─► record ─ take() ─► queue ─► log's thread ─► RecordSink
#include <absl/time/time.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "serving-runtime/core/request_record.h"
#include "serving-runtime/recording/record_sink.h"

namespace tidegate::serving {

struct RequestLogOptions {
  double rate = 0.01;                       // share of the requests, 0..1, of models that have none of their own
  bool payloads = true;                     // with tensors
  uint64_t max_payload_bytes = 1 << 20;     // of one request's tensors; records of larger ones have none
  uint64_t max_queue_bytes = 16 << 20;      // of the records that wait, and of those that are being written
  size_t max_batch = 1000;                  // records that the sink gets at once
  uint64_t max_batch_bytes = 1 << 20;       // the same in bytes; at least one record
  absl::Duration delay = absl::Seconds(1);  // the most that the first of a batch waits for others
};

class RequestLog : public RequestRecorder {
 public:
  // `seed`: of the choice.
  RequestLog(RequestLogOptions options, uint64_t seed, std::unique_ptr<RecordSink> sink);
  // Writes what waits, as far as the sink can still do it, and ends the thread.
  ~RequestLog() override;

  std::unique_ptr<RequestRecord> begin(std::optional<double> rate) override;
  void take(std::unique_ptr<RequestRecord> record) override;
  Counts counts() const override;

 private:
  using Batch = std::vector<std::unique_ptr<RequestRecord>>;

  void write_all();
  Batch next_batch();
  bool fills_a_batch() const;
  void write(const Batch& batch);

  const RequestLogOptions options_;
  const uint64_t seed_;
  const std::unique_ptr<RecordSink> sink_;
  std::atomic<uint64_t> requests_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<RequestRecord>> queue_;
  uint64_t waiting_bytes_ = 0;  // of the queue
  Counts counts_;
  bool overflowing_ = false;  // since the queue was empty last, something did not fit
  bool ending_ = false;
  bool failing_ = false;  // the last write failed; the log's thread alone
  std::thread thread_;    // last: it uses all of the above
};

}  // namespace tidegate::serving
