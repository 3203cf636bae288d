#include "serving-runtime/core/inference_gate.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tidegate::serving {
namespace {

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

}  // namespace
}  // namespace tidegate::serving
