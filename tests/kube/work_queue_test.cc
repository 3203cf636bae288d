#include "kube/work_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "kube_fixture.h"

namespace tidegate::kube {
namespace {

const base::ObjectKey kA{"demo", "a"};
const base::ObjectKey kB{"demo", "b"};

base::Task<void> pop_forever(WorkQueue* queue, base::Scope* scope, std::vector<std::string>* popped) {
  while (true) {
    absl::StatusOr<base::ObjectKey> key = co_await queue->pop(*scope);
    if (!key.ok()) co_return;
    popped->push_back(key->name);
  }
}

class WorkQueueTest : public KubeTest {
 protected:
  ~WorkQueueTest() override {
    scope_.cancel();
    settle();
  }
  base::ObjectKey pop() {
    auto key = await(queue_.pop(scope_));
    EXPECT_TRUE(key.ok()) << key.status();
    return key.value_or(base::ObjectKey{});
  }

  WorkQueue queue_{clock_};
};

TEST_F(WorkQueueTest, HoldsAKeyOnce) {
  queue_.add(kA);
  queue_.add(kB);
  queue_.add(kA);
  EXPECT_EQ(queue_.depth(), 2u);
  EXPECT_EQ(pop(), kA);
  EXPECT_EQ(pop(), kB);
}

TEST_F(WorkQueueTest, NeverGivesOneKeyToTwoWorkers) {
  queue_.add(kA);
  pop();
  queue_.add(kA);
  EXPECT_EQ(queue_.depth(), 0u);
  queue_.done(kA);
  EXPECT_EQ(queue_.depth(), 1u);
  EXPECT_EQ(pop(), kA);
  queue_.done(kA);
  EXPECT_EQ(queue_.depth(), 0u);
}

TEST_F(WorkQueueTest, WakesAWorkerThatWaits) {
  std::vector<std::string> popped;
  loop_.spawn(pop_forever(&queue_, &scope_, &popped));
  loop_.spawn(pop_forever(&queue_, &scope_, &popped));
  settle();
  queue_.add(kA);
  queue_.add(kB);
  settle();
  EXPECT_THAT(popped, ::testing::ElementsAre("a", "b"));
  EXPECT_EQ(queue_.processing(), 2u);
}

TEST_F(WorkQueueTest, LosesNoKeyWhenAWaitingWorkerIsStopped) {
  base::Scope first(scope_);
  std::vector<std::string> popped;
  loop_.spawn(pop_forever(&queue_, &first, &popped));
  loop_.spawn(pop_forever(&queue_, &scope_, &popped));
  settle();
  queue_.add(kA);  // goes to the first, which is stopped before it runs
  first.cancel();
  settle();
  EXPECT_THAT(popped, ::testing::ElementsAre("a"));
}

TEST_F(WorkQueueTest, KeepsAKeyForTheNextLeaderWhenAllWorkersAreStoppedAtOnce) {
  base::Scope leading(scope_);
  std::vector<std::string> popped;
  loop_.spawn(pop_forever(&queue_, &leading, &popped));
  loop_.spawn(pop_forever(&queue_, &leading, &popped));
  settle();
  queue_.add(kA);  // wakes the first; both are stopped before either runs
  leading.cancel();
  settle();
  loop_.spawn(pop_forever(&queue_, &scope_, &popped));
  settle();
  EXPECT_THAT(popped, ::testing::ElementsAre("a"));
}

TEST_F(WorkQueueTest, EndsWithTheScope) {
  std::optional<absl::StatusOr<base::ObjectKey>> result;
  loop_.spawn(keep_result(queue_.pop(scope_), &result));
  settle();
  scope_.cancel();
  settle();
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(absl::IsCancelled(result->status()));
}

TEST_F(WorkQueueTest, AddsLaterAndTheEarlierOfTwoDelaysWins) {
  queue_.add_after(kA, absl::Seconds(10));
  queue_.add_after(kA, absl::Seconds(3));
  queue_.add_after(kA, absl::Seconds(20));
  queue_.add_after(kB, absl::Seconds(5));
  pass(absl::Seconds(2.9));
  EXPECT_EQ(queue_.depth(), 0u);
  pass(absl::Seconds(0.2));
  EXPECT_EQ(queue_.depth(), 1u);
  pass(absl::Seconds(2));
  EXPECT_EQ(queue_.depth(), 2u);
  EXPECT_EQ(queue_.delayed(), 0u);
}

TEST_F(WorkQueueTest, WakesOnceForManyLongDelaysAndNeverBeforeTheirTime) {
  int woken = 0;
  for (int i = 0; i < 50; ++i) {
    queue_.add_with_others({"demo", base::cat("key-", i)}, WorkQueue::kLong + absl::Milliseconds(20 * i));
  }
  const absl::Duration began = clock_.uptime();
  while (queue_.delayed() > 0) {
    const size_t before = queue_.delayed();
    clock_.advance(clock_.next_due() - clock_.now());
    if (queue_.delayed() != before) ++woken;
    ASSERT_LE(clock_.uptime() - began, WorkQueue::kLong + WorkQueue::kTogether + absl::Seconds(1));
  }
  EXPECT_LE(woken, 2) << "all within one second, which has at most one boundary in it";
  EXPECT_GE(clock_.uptime() - began, WorkQueue::kLong + absl::Milliseconds(20 * 49));
}

TEST_F(WorkQueueTest, KeepsAShortDelayToItsTime) {
  queue_.add_with_others(kA, absl::Seconds(3));
  queue_.add_after(kB, absl::Seconds(33));
  pass(absl::Seconds(3));
  EXPECT_EQ(queue_.depth(), 1u);
  pass(absl::Seconds(30));
  EXPECT_EQ(queue_.depth(), 2u);
}

TEST_F(WorkQueueTest, WaitsTwiceAsLongAfterEachFailureOfAKey) {
  for (const int milliseconds : {5, 10, 20, 40, 80}) {
    queue_.add_rate_limited(kA);
    pass(absl::Milliseconds(milliseconds) - absl::Microseconds(1));
    EXPECT_EQ(queue_.depth(), 0u) << milliseconds;
    pass(absl::Microseconds(1));
    ASSERT_EQ(queue_.depth(), 1u) << milliseconds;
    pop();
    queue_.done(kA);
  }
  EXPECT_EQ(queue_.failures(kA), 5);
  queue_.forget(kA);
  queue_.add_rate_limited(kA);
  pass(absl::Milliseconds(5));
  EXPECT_EQ(queue_.depth(), 1u);
}

TEST_F(WorkQueueTest, NeverWaitsLongerThanItsMaximum) {
  for (int i = 0; i < 70; ++i) {
    queue_.add_rate_limited(kA);
    pass(absl::Seconds(1000));
    ASSERT_EQ(queue_.depth(), 1u) << i;
    pop();
    queue_.done(kA);
  }
}

TEST_F(WorkQueueTest, SpreadsAStormOfRetries) {
  for (int i = 0; i < 150; ++i) queue_.add_rate_limited({"demo", base::cat("key-", i)});
  pass(absl::Milliseconds(5));
  EXPECT_EQ(queue_.depth(), 100u);
  pass(absl::Seconds(1));
  EXPECT_EQ(queue_.depth(), 110u);
  pass(absl::Seconds(4));
  EXPECT_EQ(queue_.depth(), 150u);
}

TEST_F(WorkQueueTest, MeasuresWaitingAndWork) {
  queue_.add(kA);
  pass(absl::Seconds(2));
  pop();
  pass(absl::Seconds(3));
  EXPECT_EQ(queue_.longest_running(), absl::Seconds(3));
  queue_.done(kA);
  EXPECT_DOUBLE_EQ(queue_.metrics().queue_latency.sum_seconds(), 2);
  EXPECT_DOUBLE_EQ(queue_.metrics().work_duration.sum_seconds(), 3);
  EXPECT_EQ(queue_.metrics().adds, 1u);
}

}  // namespace
}  // namespace tidegate::kube
