#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "fake_backend.h"
#include "serving-runtime/core/half.h"
#include "serving-runtime/core/inference.h"
#include "serving-runtime/core/inference_gate.h"
#include "serving-runtime/core/servable_table.h"
#include "serving-runtime/server/termination_message.h"
#include "ticking_clock.h"

namespace tidegate::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::shared_ptr<const Servable> servable(int64_t version, absl::Status failure = {}) {
  auto alive = std::make_shared<std::atomic<int>>(0);
  return std::make_shared<const Servable>("m", version, "", "fake", std::make_unique<FakeModel>(failure, alive));
}

std::vector<NamedTensor> input(std::string name, Tensor tensor) {
  std::vector<NamedTensor> inputs;
  inputs.push_back({std::move(name), std::move(tensor)});
  return inputs;
}

TEST(Servable, ReturnsTheWantedOutputsInTheOrderWanted) {
  auto model = servable(1);
  const auto& signature = *model->find_signature("");
  auto all = model->predict(signature, input("x", floats({2})), {});
  ASSERT_EQ(all->size(), 2u);
  EXPECT_THAT(to_vector((*all)[0].tensor), ElementsAre(3));
  auto some = model->predict(signature, input("x", floats({2})), {"z", "y"});
  EXPECT_EQ((*some)[0].name, "z");
  EXPECT_THAT(to_vector((*some)[0].tensor), ElementsAre(-2));
}

TEST(Servable, SaysWhichInputsAreExtraAndWhichAreMissing) {
  auto model = servable(1);
  const auto& signature = *model->find_signature("serving_default");
  EXPECT_EQ(
      model->predict(signature, {}, {}).status().message(),
      "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.");
  EXPECT_THAT(model->predict(signature, input("q", floats({1})), {}).status().message(),
              HasSubstr("Sent extra: {q}. Missing but required: {x}."));
  EXPECT_EQ(model->find_signature("nope"), nullptr);
}

TEST(Servable, BlamesTheModelForItsErrorsButNotForInputsThatContradictTheSignature) {
  auto broken = servable(1, absl::InvalidArgumentError("assertion failed"));
  const auto& signature = *broken->find_signature("");
  EXPECT_TRUE(is_model_error(broken->predict(signature, input("x", floats({1})), {}).status()));
  EXPECT_FALSE(is_model_error(broken->predict(signature, input("x", floats({1}, {1, 1})), {}).status()));
  EXPECT_FALSE(is_model_error(broken->predict(signature, input("q", floats({1})), {}).status()));
}

ServableTable table_of_two() {
  ServableTable table;
  table.models["m"].versions[1] = {VersionState::kAvailable, {}, servable(1)};
  table.models["m"].versions[3] = {VersionState::kAvailable, {}, servable(3)};
  table.models["m"].versions[4] = {VersionState::kLoading, {}, nullptr};
  table.models["m"].labels = {{"stable", 1}, {"next", 4}};
  return table;
}

TEST(ServableTable, RoutesToTheNewestAvailableVersionUnlessOneIsNamed) {
  ServableTable table = table_of_two();
  EXPECT_EQ((*table.find({"m", {}, {}}))->version(), 3);
  EXPECT_EQ((*table.find({"m", 1, {}}))->version(), 1);
  EXPECT_EQ((*table.find({"m", {}, "stable"}))->version(), 1);
  EXPECT_EQ(table.find({"m", {}, "next"}).status().message(), "Servable not found for request: Specific(m, 4)");
  EXPECT_EQ(table.find({"m", 9, {}}).status().message(), "Servable not found for request: Specific(m, 9)");
  EXPECT_EQ(table.find({"q", {}, {}}).status().message(), "Servable not found for request: Latest(q)");
  EXPECT_EQ(table.find({"m", {}, "x"}).status().message(), "Unrecognized servable version label: x");
}

TEST(ServableTable, IsReadyWhenEveryModelHasAVersionThatServes) {
  EXPECT_FALSE(ServableTable{}.ready());
  ServableTable table = table_of_two();
  EXPECT_TRUE(table.ready());
  table.models["other"];
  EXPECT_FALSE(table.ready());
}

TEST(Inference, TellsItsVersionWhereTheTimeOfARequestWent) {
  TickingClock clock;
  ServableTable table = table_of_two();
  Inference inference(clock, clock.uptime());
  ASSERT_TRUE(inference.choose(table, {"m", {}, {}}).ok());
  const auto& signature = *inference.servable()->find_signature("");
  ASSERT_TRUE(inference.predict(signature, input("x", floats({2})), {}).ok());
  ASSERT_TRUE(inference.predict(signature, input("x", floats({2})), {}).ok());
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

TEST(InferenceGate, RunsHereWhileSlotsAreFreeAndElsewhereLater) {
  std::vector<InferenceGate::Work> posted;
  InferenceGate gate({1, 1}, [&](InferenceGate::Work work) { posted.push_back(std::move(work)); });
  std::string order;
  absl::Status first = gate.run("m", [&] {
    order += "a";
    EXPECT_TRUE(gate.run("m", [&] { order += "b"; }).ok());
    EXPECT_EQ(gate.run("n", [&] { order += "c"; }).code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(gate.queued(), 1u);
  });
  EXPECT_TRUE(first.ok());
  EXPECT_EQ(order, "a");
  ASSERT_EQ(posted.size(), 1u);
  EXPECT_EQ(gate.running(), 1u) << "the slot goes to the queued request";
  posted[0]();
  EXPECT_EQ(order, "ab");
  EXPECT_EQ(gate.running(), 0u);
}

TEST(InferenceGate, LetsOneModelHaveOnlyItsShareOfTheSlots) {
  std::vector<InferenceGate::Work> posted;
  InferenceGate gate({3, 3, 1}, [&](InferenceGate::Work work) { posted.push_back(std::move(work)); });
  std::string order;
  const auto adds = [&order](const char* what) { return [&order, what] { order += what; }; };
  EXPECT_TRUE(gate.run("slow",
                       [&] {
                         order += "a";
                         EXPECT_TRUE(gate.run("slow", adds("b")).ok()) << "waits for the first one";
                         EXPECT_TRUE(gate.run("slow", adds("c")).ok());
                         EXPECT_TRUE(gate.run("other", adds("d")).ok()) << "passes them";
                         EXPECT_EQ(order, "ad");
                         EXPECT_EQ(gate.queued(), 2u);
                       })
                  .ok());
  ASSERT_EQ(posted.size(), 1u) << "one slot was handed on";
  std::exchange(posted, {})[0]();
  EXPECT_EQ(order, "adb");
  ASSERT_EQ(posted.size(), 1u);
  posted[0]();
  EXPECT_EQ(order, "adbc") << "in the order in which they came";
  EXPECT_EQ(gate.running() + gate.queued(), 0u);
}

TEST(InferenceGate, HandsASlotToTheRequestThatHasWaitedLongestAndMayRun) {
  std::vector<InferenceGate::Work> posted;
  InferenceGate gate({2, 9, 1}, [&](InferenceGate::Work work) { posted.push_back(std::move(work)); });
  std::string order;
  const auto adds = [&order](const char* what) { return [&order, what] { order += what; }; };
  EXPECT_TRUE(gate.run("a",
                       [&] {
                         EXPECT_TRUE(gate.run("b",
                                              [&] {
                                                EXPECT_TRUE(gate.run("a", adds("1")).ok());
                                                EXPECT_TRUE(gate.run("c", adds("2")).ok());
                                                EXPECT_TRUE(gate.run("b", adds("3")).ok());
                                              })
                                         .ok());
                         ASSERT_EQ(posted.size(), 1u) << "b has ended";
                         std::exchange(posted, {})[0]();
                         EXPECT_EQ(order, "2") << "a still has its only slot";
                       })
                  .ok());
  while (!posted.empty()) {
    for (const auto& work : std::exchange(posted, {})) work();
  }
  EXPECT_EQ(order, "231");
}

TEST(InferenceGate, LeavesTheCallersThreadWhenItIsAskedTo) {
  std::vector<InferenceGate::Work> posted;
  InferenceGate gate({1, 1}, [&](InferenceGate::Work work) { posted.push_back(std::move(work)); });
  std::string order;
  EXPECT_TRUE(gate.run("m", [&] { order += "a"; }, InferenceGate::Place::kElsewhere).ok());
  EXPECT_EQ(order, "");
  EXPECT_EQ(gate.running(), 1u) << "its slot is taken from now on";
  EXPECT_TRUE(gate.run("m", [&] { order += "b"; }).ok());
  EXPECT_EQ(gate.queued(), 1u);
  ASSERT_EQ(posted.size(), 1u);
  std::exchange(posted, {})[0]();
  ASSERT_EQ(posted.size(), 1u);
  posted[0]();
  EXPECT_EQ(order, "ab");
}

TEST(Half, ConvertsBothWaysRoundingToEven) {
  EXPECT_EQ(float_to_half(1), 0x3c00);
  EXPECT_EQ(float_to_half(65504), 0x7bff);
  EXPECT_EQ(float_to_half(65520), 0x7c00);
  EXPECT_EQ(half_to_float(0x3555), 0.333251953125f);
  EXPECT_EQ(float_to_bfloat16(1), 0x3f80);
  EXPECT_EQ(float_to_bfloat16(1.00390625f), 0x3f80) << "a tie goes to even";
  EXPECT_EQ(bfloat16_to_float(0x4049), 3.140625f);
}

TEST(AlignedBuffer, StaysAlignedWhileItGrows) {
  AlignedBuffer buffer;
  for (int i = 0; i < 10'000; ++i) buffer.push(i);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % AlignedBuffer::kAlignment, 0u);
  EXPECT_EQ(buffer.size(), 40'000u);
  EXPECT_EQ(reinterpret_cast<int*>(buffer.data())[9'999], 9'999);
}

TEST(TerminationMessage, IsOneJsonObjectBelowFourKilobytes) {
  EXPECT_EQ(termination_message("ModelLoadFailed", "it \"broke\""),
            R"({"error":"ModelLoadFailed","message":"it \"broke\""})");
  EXPECT_LT(termination_message("ModelLoadFailed", std::string(100'000, '"')).size(), 4096u);
  EXPECT_THAT(termination_message("ModelLoadFailed", "\xff"), testing::StartsWith("{\"error\""));
}

}  // namespace
}  // namespace tidegate::serving
