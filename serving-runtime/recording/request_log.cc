#include "serving-runtime/recording/request_log.h"

#include <utility>

#include "base/log.h"
#include "base/strings.h"

namespace tidegate::serving {
namespace {

// What a record takes beside its tensors and texts.
constexpr uint64_t kOverhead = 512;

uint64_t bytes_of(const RequestRecord& record) {
  return kOverhead * (1 + record.runs.size()) + record.payload_bytes + record.status.message().size();
}

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators"): the numbers of a counter, mixed.
double uniform(uint64_t number) {
  uint64_t z = number * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
}

}  // namespace

RequestLog::RequestLog(RequestLogOptions options, uint64_t seed, std::unique_ptr<RecordSink> sink)
    : options_(options), seed_(seed), sink_(std::move(sink)), thread_([this] { write_all(); }) {}

RequestLog::~RequestLog() {
  sink_->hurry();
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::unique_ptr<RequestRecord> RequestLog::begin(std::optional<double> rate) {
  const double share = rate.value_or(options_.rate);
  if (share <= 0) return nullptr;
  if (share < 1 && uniform(seed_ + requests_.fetch_add(1, std::memory_order_relaxed)) >= share) return nullptr;
  auto record = std::make_unique<RequestRecord>();
  record->max_payload_bytes = options_.max_payload_bytes;
  if (!options_.payloads) record->payload = RequestRecord::Payload::kNotWanted;
  return record;
}

void RequestLog::take(std::unique_ptr<RequestRecord> record) {
  const uint64_t bytes = bytes_of(*record);
  bool wake = false, first_loss = false;
  {
    std::lock_guard lock(mutex_);
    if (counts_.queue_bytes + bytes > options_.max_queue_bytes) {
      ++counts_.dropped_full;
      first_loss = !std::exchange(overflowing_, true);
    } else {
      counts_.queue_bytes += bytes;
      waiting_bytes_ += bytes;
      queue_.push_back(std::move(record));
      // The thread waits for the first of a batch, and then for enough of them.
      wake = queue_.size() == 1 || fills_a_batch();
    }
  }
  if (wake) changed_.notify_one();
  if (first_loss) {
    base::log_error("records of requests are lost",
                    {{"error", absl::ResourceExhaustedError(
                                   base::cat("more than ", options_.max_queue_bytes, " bytes wait to be written"))}});
  }
}

RequestLog::Counts RequestLog::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

bool RequestLog::fills_a_batch() const {
  return queue_.size() >= options_.max_batch || waiting_bytes_ >= options_.max_batch_bytes;
}

// Empty: the log ends.
RequestLog::Batch RequestLog::next_batch() {
  Batch batch;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
  changed_.wait_for(lock, absl::ToChronoNanoseconds(options_.delay), [this] { return ending_ || fills_a_batch(); });
  uint64_t bytes = 0;
  while (!queue_.empty() && batch.size() < options_.max_batch && bytes < options_.max_batch_bytes) {
    bytes += bytes_of(*queue_.front());
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  waiting_bytes_ -= bytes;
  return batch;
}

void RequestLog::write_all() {
  for (Batch batch = next_batch(); !batch.empty(); batch = next_batch()) write(batch);
}

void RequestLog::write(const Batch& batch) {
  const absl::Status written = sink_->write(batch);
  // Once when it begins and once when it is over: a sink that is away for hours says the same all the time.
  if (!written.ok() && !failing_) base::log_error("records of requests are lost", {{"error", written}});
  if (written.ok() && failing_) base::log_info("records of requests are written again");
  failing_ = !written.ok();
  uint64_t bytes = 0;
  for (const auto& record : batch) bytes += bytes_of(*record);
  std::lock_guard lock(mutex_);
  if (queue_.empty() && std::exchange(overflowing_, false)) base::log_info("the queue of records has room again");
  counts_.queue_bytes -= bytes;
  (written.ok() ? counts_.written : counts_.dropped_error) += batch.size();
}

}  // namespace tidegate::serving
