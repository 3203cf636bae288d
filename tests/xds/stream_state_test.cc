#include "xds/stream_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using traffic::ResourceType;

constexpr ResourceType kClusters = ResourceType::kCluster;
constexpr ResourceType kEndpoints = ResourceType::kEndpoints;
constexpr ResourceType kListener = ResourceType::kListener;
constexpr ResourceType kRoutes = ResourceType::kRoutes;

traffic::Snapshot snapshot_at(uint64_t number) {
  traffic::Snapshot snapshot;
  for (const ResourceType type : traffic::kResourceTypes) {
    snapshot.sets[static_cast<size_t>(type)].version = std::to_string(number) + "-a";
  }
  snapshot.sets[static_cast<size_t>(kClusters)].resources = {{"one", ""}};
  snapshot.sets[static_cast<size_t>(kEndpoints)].resources = {{"one", ""}};
  snapshot.resource_version = snapshot.caught_up_to = number;
  return snapshot;
}

struct Proxy {
  StreamState state;
  std::map<ResourceType, std::string> nonces;
  std::map<ResourceType, std::string> versions;
  std::map<ResourceType, std::set<std::string>> names;

  void subscribe(ResourceType type, std::set<std::string> wanted, const std::string& version = "") {
    names[type] = std::move(wanted);
    state.on_request({type, version, "", names[type], std::nullopt});
  }
  std::vector<ResourceType> send_due(const traffic::Snapshot& snapshot) {
    const std::vector<ResourceType> due = state.due(snapshot);
    for (const ResourceType type : due) {
      versions[type] = snapshot.set(type).version;
      nonces[type] = state.sent(type, versions[type]);
    }
    return due;
  }
  void accept(ResourceType type) { state.on_request({type, versions[type], nonces[type], names[type], std::nullopt}); }
  void reject(ResourceType type) { state.on_request({type, "", nonces[type], names[type], "no good"}); }
  // Everything subscribed, sent and accepted.
  void settle(const traffic::Snapshot& snapshot) {
    subscribe(kClusters, {});
    subscribe(kEndpoints, {"one"});
    subscribe(kListener, {});
    subscribe(kRoutes, {"tidegate"});
    for (std::vector<ResourceType> due; !(due = send_due(snapshot)).empty();) {
      for (const ResourceType type : due) accept(type);
    }
  }
};

TEST(StreamState, SendsClustersAndEndpointsTogetherAndRoutesAfterTheirAnswers) {
  Proxy proxy;
  proxy.settle(snapshot_at(1));
  const traffic::Snapshot next = snapshot_at(2);
  EXPECT_THAT(proxy.send_due(next), ElementsAre(kClusters, kEndpoints));
  EXPECT_THAT(proxy.send_due(next), IsEmpty());
  proxy.accept(kEndpoints);
  EXPECT_THAT(proxy.send_due(next), IsEmpty());
  proxy.accept(kClusters);
  EXPECT_THAT(proxy.send_due(next), ElementsAre(kListener, kRoutes));
}

TEST(StreamState, RoutesWaitUntilTheProxyHasAskedForANewClustersEndpoints) {
  Proxy proxy;
  proxy.settle(snapshot_at(1));
  traffic::Snapshot next = snapshot_at(2);
  next.sets[static_cast<size_t>(kClusters)].resources["two"] = "";
  EXPECT_THAT(proxy.send_due(next), ElementsAre(kClusters, kEndpoints));
  proxy.accept(kClusters);
  proxy.accept(kEndpoints);
  EXPECT_THAT(proxy.send_due(next), IsEmpty());
  proxy.names[kEndpoints].insert("two");
  proxy.accept(kEndpoints);
  EXPECT_THAT(proxy.send_due(next), ElementsAre(kEndpoints));
  proxy.accept(kEndpoints);
  EXPECT_THAT(proxy.send_due(next), ElementsAre(kListener, kRoutes));
}

TEST(StreamState, WhatDidNotChangeIsNotSentAgain) {
  Proxy proxy;
  const traffic::Snapshot first = snapshot_at(1);
  proxy.settle(first);
  traffic::Snapshot next = first;
  next.sets[static_cast<size_t>(kRoutes)].version = "2-a";
  EXPECT_THAT(proxy.send_due(next), ElementsAre(kRoutes));
}

TEST(StreamState, ARejectionIsKeptUntilSomethingNewerIsAccepted) {
  Proxy proxy;
  proxy.settle(snapshot_at(1));
  const traffic::Snapshot next = snapshot_at(2);
  proxy.send_due(next);
  proxy.reject(kClusters);
  proxy.accept(kEndpoints);
  const TypeStatus status = proxy.state.status()[static_cast<size_t>(kClusters)];
  ASSERT_TRUE(status.rejection);
  EXPECT_EQ(*status.rejection, (Rejection{"2-a", "no good"}));
  // What was rejected is not sent again, and does not hold up the rest.
  EXPECT_THAT(proxy.send_due(next), ElementsAre(kListener, kRoutes));
  const traffic::Snapshot newer = snapshot_at(3);
  EXPECT_THAT(proxy.send_due(newer), ElementsAre(kClusters, kEndpoints));
  proxy.accept(kClusters);
  EXPECT_FALSE(proxy.state.status()[static_cast<size_t>(kClusters)].rejection);
}

TEST(StreamState, AnAnswerToAnOlderResponseIsIgnored) {
  Proxy proxy;
  proxy.settle(snapshot_at(1));
  const std::string old_nonce = proxy.nonces[kRoutes];
  traffic::Snapshot next = snapshot_at(1);
  next.sets[static_cast<size_t>(kRoutes)].version = "2-a";
  proxy.send_due(next);
  proxy.state.on_request({kRoutes, "1-a", old_nonce, {"something else"}, "late"});
  EXPECT_FALSE(proxy.state.status()[static_cast<size_t>(kRoutes)].rejection);
  EXPECT_THAT(proxy.state.names(kRoutes), ElementsAre("tidegate"));
}

TEST(StreamState, AnswersNothingToAProxyThatKnowsMore) {
  Proxy proxy;
  proxy.subscribe(kClusters, {}, "50-a");
  proxy.subscribe(kRoutes, {"tidegate"}, "200-b");
  EXPECT_TRUE(proxy.state.waits_for(snapshot_at(199)));
  EXPECT_THAT(proxy.send_due(snapshot_at(199)), IsEmpty());
  EXPECT_FALSE(proxy.state.waits_for(snapshot_at(200)));
  EXPECT_THAT(proxy.send_due(snapshot_at(200)), ElementsAre(kClusters));
}

TEST(StreamState, AReplicaThatHasSeenEverythingMayAnswerWithALowerNumber) {
  Proxy proxy;
  proxy.subscribe(kRoutes, {"tidegate"}, "200-b");
  traffic::Snapshot snapshot = snapshot_at(150);  // the object at 200 was deleted
  snapshot.caught_up_to = 230;
  EXPECT_THAT(proxy.send_due(snapshot), ElementsAre(kRoutes));
}

TEST(StreamState, AProxyThatReconnectsIsAnsweredOnceEvenIfNothingChanged) {
  Proxy proxy;
  proxy.subscribe(kClusters, {}, "1-a");
  EXPECT_THAT(proxy.send_due(snapshot_at(1)), ElementsAre(kClusters));
  proxy.accept(kClusters);
  EXPECT_THAT(proxy.send_due(snapshot_at(1)), IsEmpty());
}

}  // namespace
}  // namespace tidegate::xds
