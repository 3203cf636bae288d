#include "serving-runtime/recording/request_log.h"

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "sample_record.h"

namespace tidegate::serving {
namespace {

using testing::ElementsAre;

// Keeps what it gets, and may be told to fail or to take its time.
class FakeSink : public RecordSink {
 public:
  absl::Status write(RecordBatch records) override {
    std::unique_lock lock(mutex_);
    batches_.push_back(records.size());
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_ || hurried_; });
    return result_;
  }
  void hurry() override {
    std::lock_guard lock(mutex_);
    hurried_ = true;
    changed_.notify_all();
  }

  void hold(bool held) {
    std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  void fail(absl::Status with) {
    std::lock_guard lock(mutex_);
    result_ = std::move(with);
  }
  bool wait_for_batches(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return batches_.size() >= count; });
  }
  std::vector<size_t> batches() {
    std::lock_guard lock(mutex_);
    return batches_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<size_t> batches_;
  bool held_ = false;
  bool hurried_ = false;
  absl::Status result_;
};

class RequestLogTest : public testing::Test {
 protected:
  void start(RequestLogOptions options) {
    auto sink = std::make_unique<FakeSink>();
    sink_ = sink.get();
    log_ = std::make_unique<RequestLog>(options, 1, std::move(sink));
  }
  // False when they do not become so in time.
  bool counts_become(const std::function<bool(const RequestLog::Counts&)>& as_wanted) {
    const absl::Time give_up = absl::Now() + absl::Seconds(20);
    while (!as_wanted(log_->counts()) && absl::Now() < give_up) std::this_thread::yield();
    return as_wanted(log_->counts());
  }
  void take(int count) {
    for (int i = 0; i < count; ++i) log_->take(make_record(floats({1})));
  }

  FakeSink* sink_ = nullptr;
  std::unique_ptr<RequestLog> log_;
};

TEST_F(RequestLogTest, ChoosesAboutAsManyAsItsRateSays) {
  start({.rate = 0.1});
  int chosen = 0;
  for (int i = 0; i < 10'000; ++i) chosen += log_->begin(std::nullopt) != nullptr;
  EXPECT_NEAR(chosen, 1000, 150);  // 5 standard deviations
  EXPECT_EQ(log_->begin(0.0), nullptr);
  EXPECT_NE(log_->begin(1.0), nullptr);  // a model's own
}

TEST_F(RequestLogTest, WritesABatchWhenItIsFull) {
  start({.max_batch = 3, .delay = absl::Hours(1)});
  take(7);
  ASSERT_TRUE(sink_->wait_for_batches(2));
  EXPECT_TRUE(counts_become([](const auto& counts) { return counts.written == 6; }));
  EXPECT_GT(log_->counts().queue_bytes, 0u);  // one waits for company
}

TEST_F(RequestLogTest, WritesWhatIsThereWhenTheFirstHasWaitedLongEnough) {
  start({.delay = absl::Milliseconds(1)});
  take(1);
  EXPECT_TRUE(counts_become([](const auto& counts) { return counts.written == 1 && counts.queue_bytes == 0; }));
}

TEST_F(RequestLogTest, DropsAndCountsWhatTheQueueCannotHold) {
  start({.max_queue_bytes = 5000, .max_batch = 1});
  sink_->hold(true);
  take(1);
  ASSERT_TRUE(sink_->wait_for_batches(1));
  take(100);
  const auto counts = log_->counts();
  EXPECT_GT(counts.dropped_full, 90u);
  EXPECT_LE(counts.queue_bytes, 5000u);
  sink_->hold(false);
  EXPECT_TRUE(counts_become([&](const auto& now) { return now.written == 101 - counts.dropped_full; }));
  EXPECT_EQ(log_->counts().queue_bytes, 0u);
  take(1);
  EXPECT_TRUE(counts_become([&](const auto& now) { return now.written == 102 - counts.dropped_full; }));
}

TEST_F(RequestLogTest, CountsWhatItsTargetDidNotTake) {
  start({.max_batch = 2});
  sink_->fail(absl::UnavailableError("gone"));
  take(2);
  EXPECT_TRUE(counts_become([](const auto& counts) { return counts.dropped_error == 2 && counts.queue_bytes == 0; }));
  sink_->fail(absl::OkStatus());
  take(2);
  EXPECT_TRUE(counts_become([](const auto& counts) { return counts.written == 2; }));
}

TEST_F(RequestLogTest, WritesWhatWaitsBeforeItEnds) {
  const auto batches = std::make_shared<std::vector<size_t>>();
  class Noting : public RecordSink {
   public:
    explicit Noting(std::shared_ptr<std::vector<size_t>> to) : to_(std::move(to)) {}
    absl::Status write(RecordBatch records) override {
      to_->push_back(records.size());
      return absl::OkStatus();
    }
    void hurry() override {}

   private:
    std::shared_ptr<std::vector<size_t>> to_;
  };
  log_ = std::make_unique<RequestLog>(RequestLogOptions{.max_batch = 4, .delay = absl::Hours(1)}, 1,
                                      std::make_unique<Noting>(batches));
  take(3);
  log_.reset();
  EXPECT_THAT(*batches, ElementsAre(3));
}

}  // namespace
}  // namespace tidegate::serving
