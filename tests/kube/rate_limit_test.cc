#include "kube/rate_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/event_recorder.h"
#include "kube_fixture.h"

namespace tidegate::kube {
namespace {

class RateLimitTest : public KubeTest {
 protected:
  static base::Task<void> ask(RateLimiter* limiter, RequestPriority priority, base::Scope* scope, std::string* order) {
    absl::Status turn = co_await limiter->acquire(priority, *scope);
    *order += !turn.ok() ? 'x' : priority == RequestPriority::kForeground ? 'f' : 'b';
  }
  void ask(RequestPriority priority, int times) {
    for (int i = 0; i < times; ++i) loop_.spawn(ask(&limiter_, priority, &scope_, &order_));
    settle();
  }

  RateLimiter limiter_{clock_, {{10, 5}, {1, 2}}};
  std::string order_;
};

TEST_F(RateLimitTest, LetsABurstThroughAndThenItsRate) {
  ask(RequestPriority::kForeground, 20);
  EXPECT_EQ(order_.size(), 5u);
  pass(absl::Seconds(1));
  EXPECT_EQ(order_.size(), 15u);
  pass(absl::Seconds(1));
  EXPECT_EQ(order_.size(), 20u);
  EXPECT_EQ(limiter_.delayed(RequestPriority::kForeground), 15u);
}

TEST_F(RateLimitTest, HoldsTheBackgroundToItsOwnBucket) {
  ask(RequestPriority::kBackground, 20);
  EXPECT_EQ(order_, "bb");
  pass(absl::Seconds(3));
  EXPECT_EQ(order_, "bbbbb");
}

TEST_F(RateLimitTest, LetsTheBackgroundThroughInBatchesAndNoSlower) {
  RateLimiter limiter{clock_, {{1000, 1000}, {20, 50}}};
  std::string order;
  for (int i = 0; i < 90; ++i) loop_.spawn(ask(&limiter, RequestPriority::kBackground, &scope_, &order));
  settle();
  EXPECT_EQ(order.size(), 50u);
  std::vector<size_t> batches;
  const absl::Time began = clock_.now();
  while (order.size() < 90) {
    const size_t before = order.size();
    clock_.advance(clock_.next_due() - clock_.now());
    settle();
    batches.push_back(order.size() - before);
  }
  EXPECT_THAT(batches, ::testing::Each(10u));
  EXPECT_LE(absl::AbsDuration(clock_.now() - began - absl::Seconds(2)), absl::Milliseconds(1));
}

TEST_F(RateLimitTest, LetsTheBackgroundThroughWithoutABatchWhenNothingWaits) {
  RateLimiter limiter{clock_, {{1000, 1000}, {10, 50}}};
  std::string order;
  for (int i = 0; i < 200; ++i) {
    loop_.spawn(ask(&limiter, RequestPriority::kBackground, &scope_, &order));
    settle();
    EXPECT_EQ(order.size(), static_cast<size_t>(i + 1));
    pass(absl::Milliseconds(110));
  }
}

TEST_F(RateLimitTest, AFloodInTheBackgroundDelaysNothingInTheForeground) {
  ask(RequestPriority::kBackground, 1000);
  order_.clear();
  ask(RequestPriority::kForeground, 3);
  EXPECT_EQ(order_, "fff");
  EXPECT_EQ(limiter_.delayed(RequestPriority::kForeground), 0u);
}

TEST_F(RateLimitTest, ServesTheForegroundFirstWhenBothWait) {
  ask(RequestPriority::kForeground, 5);
  order_.clear();
  ask(RequestPriority::kBackground, 2);
  ask(RequestPriority::kForeground, 4);
  EXPECT_EQ(order_, "");
  pass(absl::Milliseconds(400));
  EXPECT_EQ(order_, "ffff");
  pass(absl::Milliseconds(200));
  EXPECT_EQ(order_, "ffffbb");
}

TEST_F(RateLimitTest, WhoeverIsCancelledLeavesTheQueue) {
  ask(RequestPriority::kForeground, 7);
  base::Scope other;
  std::string rest;
  loop_.spawn(ask(&limiter_, RequestPriority::kForeground, &other, &rest));
  settle();
  other.cancel();
  settle();
  EXPECT_EQ(rest, "x");
  EXPECT_EQ(limiter_.waiting(RequestPriority::kForeground), 2u);
  scope_.cancel();
  settle();
  EXPECT_EQ(order_, "fffffxx");
  EXPECT_EQ(limiter_.waiting(RequestPriority::kForeground), 0u);
}

TEST_F(RateLimitTest, EventsWaitWhileAStatusIsWritten) {
  RateLimitedHttpClient slow(server_, limiter_, RequestPriority::kBackground);
  RateLimitedHttpClient quick(server_, limiter_, RequestPriority::kForeground);
  Client background(slow, config());
  Client foreground(quick, config());
  EventRecorder recorder(background, clock_, "tidegate.dev/test", "test-0");
  loop_.spawn(recorder.run(scope_));
  for (int i = 0; i < 10; ++i) {
    EventRecord event;
    event.regarding = {"v1", "ConfigMap", {"demo", "a"}, "uid", "1"};
    event.reason = "Because";
    event.action = "Act";
    event.note = std::to_string(i);
    recorder.record(event);
  }
  settle();
  EXPECT_EQ(recorder.written(), 2u);
  EXPECT_TRUE(await(foreground.create(resources::config_maps(), make_object("demo", "a"), scope_)).ok());
  pass(absl::Seconds(10));
  EXPECT_EQ(recorder.written(), 10u);
  scope_.cancel();
  settle();
}

}  // namespace
}  // namespace tidegate::kube
