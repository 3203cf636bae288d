#include "serving-runtime/core/inference.h"

#include <gtest/gtest.h>

#include "fake_backend.h"
#include "ticking_clock.h"

namespace tidegate::serving {
namespace {

// Two versions that are available.
ServableTable table_of_two() {
  ServableTable table;
  table.models["m"].versions[1] = {VersionState::kAvailable, {}, fake_servable("m", 1)};
  table.models["m"].versions[3] = {VersionState::kAvailable, {}, fake_servable("m", 3)};
  return table;
}

TEST(Inference, TellsItsVersionWhereTheTimeOfARequestWent) {
  TickingClock clock;
  ServableTable table = table_of_two();
  Inference inference(clock, clock.uptime());
  ASSERT_TRUE(inference.choose(table, {"m", {}, {}}).ok());
  const auto& signature = *inference.servable()->find_signature("");
  ASSERT_TRUE(inference.predict(signature, one_input("x", floats({2})), {}).ok());
  ASSERT_TRUE(inference.predict(signature, one_input("x", floats({2})), {}).ok());
  EXPECT_EQ(inference.end(absl::OkStatus()), absl::Milliseconds(5));
  InferenceStatistics::Totals totals = inference.servable()->statistics().read();
  EXPECT_EQ(totals.success.count, 1u);
  EXPECT_EQ(totals.executions, 2u);
  EXPECT_EQ(totals.success.time, absl::Milliseconds(6));
  EXPECT_EQ(totals.queue.time, absl::Milliseconds(1));
  EXPECT_EQ(totals.input.time, absl::Milliseconds(1));
  EXPECT_EQ(totals.infer.time, absl::Milliseconds(2));
  EXPECT_EQ(totals.output.time, absl::Milliseconds(2)) << "what lies between the runs is output too";
  EXPECT_EQ(totals.last_request, clock.now());
}

TEST(Inference, CountsAFailureOnlyAgainstAVersionThatWasFound) {
  TickingClock clock;
  ServableTable table = table_of_two();
  Inference lost(clock, clock.uptime());
  absl::Status missing = lost.choose(table, {"m", 9, {}});
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(lost.end(missing), absl::Milliseconds(1));
  Inference failed(clock, clock.uptime());
  ASSERT_TRUE(failed.choose(table, {"m", 1, {}}).ok());
  failed.end(absl::InvalidArgumentError("malformed"));
  InferenceStatistics::Totals totals = failed.servable()->statistics().read();
  EXPECT_EQ(totals.fail.count, 1u);
  EXPECT_EQ(totals.fail.time, absl::Milliseconds(2));
  EXPECT_EQ(totals.success.count + totals.queue.count, 0u);
}

TEST(InferenceStatistics, TellsHowLongRequestsHaveTakenLately) {
  InferenceStatistics statistics;
  EXPECT_EQ(statistics.typical_work(), absl::InfiniteDuration()) << "nothing is known yet";
  statistics.failed(absl::Seconds(1), absl::UnixEpoch());
  EXPECT_EQ(statistics.typical_work(), absl::InfiniteDuration());
  statistics.succeeded({.total = absl::Microseconds(95), .queue = absl::Microseconds(15)}, 1, absl::UnixEpoch());
  EXPECT_EQ(statistics.typical_work(), absl::Microseconds(80));
  statistics.succeeded({.total = absl::Milliseconds(10)}, 1, absl::UnixEpoch());
  EXPECT_LT(statistics.typical_work(), absl::Microseconds(91)) << "one that was interrupted does not change much";
  for (int i = 0; i < 200; ++i) statistics.succeeded({.total = absl::Microseconds(10)}, 1, absl::UnixEpoch());
  EXPECT_LT(statistics.typical_work(), absl::Microseconds(11));
  EXPECT_GT(statistics.typical_work(), absl::Microseconds(9));
}

TEST(InferenceStatistics, TakesAVersionForSlowOfWhichManyRequestsAreOrOneIsVery) {
  InferenceStatistics statistics;
  for (int i = 0; i < 500; ++i) {
    statistics.succeeded({.total = absl::Microseconds(i % 5 == 0 ? 1000 : 10)}, 1, absl::UnixEpoch());
  }
  EXPECT_GT(statistics.typical_work(), absl::Microseconds(500));
  for (int i = 0; i < 500; ++i) statistics.succeeded({.total = absl::Microseconds(10)}, 1, absl::UnixEpoch());
  EXPECT_LT(statistics.typical_work(), absl::Microseconds(11));
  statistics.succeeded({.total = absl::Seconds(1)}, 1, absl::UnixEpoch());
  EXPECT_EQ(statistics.typical_work(), absl::Milliseconds(1));
}

}  // namespace
}  // namespace tidegate::serving
