#include "xds/stream_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/strings.h"

namespace tidegate::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using traffic::ResourceType;

constexpr ResourceType kClusters = ResourceType::kCluster;
constexpr ResourceType kEndpoints = ResourceType::kEndpoints;
constexpr ResourceType kListener = ResourceType::kListener;
constexpr ResourceType kRoutes = ResourceType::kRoutes;
constexpr ResourceType kHosts = ResourceType::kVirtualHost;

using SnapshotPointer = std::shared_ptr<const traffic::Snapshot>;

// One object: "demo/<name>" with one cluster; the versions of its parts.
struct Object {
  std::string name;
  std::string cluster = "c1";
  std::string endpoints = "e1";
  std::string host = "1-h1";
};

std::string cluster_of(const std::string& name) { return base::cat("demo/", name, "/", name, "-1"); }
std::string host_of(const std::string& name) { return base::cat("tidegate/demo.", name); }

SnapshotPointer snapshot_at(uint64_t number, const std::vector<Object>& objects) {
  auto snapshot = std::make_shared<traffic::Snapshot>();
  auto common = std::make_shared<traffic::ResourceGroup>();
  common->of(kClusters) = {{traffic::kVersionCluster, "v", "bytes"}};
  common->of(kEndpoints) = {{traffic::kVersionCluster, "0", "bytes"}};
  common->of(kListener) = {{"tidegate", "l", "bytes"}};
  common->of(kRoutes) = {{"tidegate", "r", "bytes"}};
  snapshot->groups.push_back(common);
  for (const Object& object : objects) {
    auto group = std::make_shared<traffic::ResourceGroup>();
    group->owner = {"demo", object.name};
    group->of(kClusters) = {{cluster_of(object.name), object.cluster, "bytes"}};
    group->of(kEndpoints) = {{cluster_of(object.name), object.endpoints, "bytes"}};
    group->of(kHosts) = {{host_of(object.name), object.host, "bytes"}};
    snapshot->groups.push_back(std::move(group));
  }
  snapshot->resource_version = snapshot->caught_up_to = number;
  return snapshot;
}

// What a message says, as "<type>: <changed> -<removed>".
std::string text_of(const Response& response) {
  static const char* const names[] = {"clusters", "endpoints", "listener", "routes", "hosts"};
  std::string text = base::cat(names[static_cast<size_t>(response.type)], ":");
  for (const traffic::Resource* resource : response.changed) {
    text += base::cat(" ", resource->name);
    if (resource->name == traffic::kVersionCluster && response.type == kEndpoints)
      text += base::cat("=", response.version);
  }
  for (const std::string& name : response.removed) text += base::cat(" -", name);
  return text;
}

// A proxy as Envoy is one: it asks for the endpoints of each new cluster, for routes after the listener, and for
// virtual hosts after the routes. It answers when it is told to.
struct Proxy {
  std::optional<StreamState> state;
  std::map<ResourceType, std::map<std::string, std::string>> has;
  std::set<ResourceType> subscribed;
  std::set<std::string> refuses;  // resources
  std::vector<Response> unanswered;
  std::vector<std::vector<std::string>> refused_batches;

  // Subscribes as it does on a new stream.
  void connect(bool holds_newcomers = false) {
    state.emplace(holds_newcomers);
    subscribed.clear();
    unanswered.clear();
    subscribe(kClusters, {});
    std::vector<std::string> clusters;
    for (const auto& [name, version] : has[kClusters]) clusters.push_back(name);
    if (!clusters.empty()) subscribe(kEndpoints, clusters);
    subscribe(kListener, {});
    if (!has[kListener].empty()) subscribe(kRoutes, {"tidegate"});
    if (!has[kRoutes].empty()) subscribe(kHosts, {"tidegate"});
  }
  void subscribe(ResourceType type, std::vector<std::string> names) {
    Request request{type, "", std::nullopt, std::move(names), {}, {}};
    if (subscribed.insert(type).second) request.present = has[type];
    state->on_request(std::move(request));
  }
  std::vector<std::string> receive(const SnapshotPointer& snapshot) {
    std::vector<std::string> texts;
    for (Response& response : state->due(snapshot)) {
      texts.push_back(text_of(response));
      unanswered.push_back(std::move(response));
    }
    return texts;
  }
  bool would_refuse(const Response& response) const {
    return std::any_of(response.changed.begin(), response.changed.end(),
                       [&](const traffic::Resource* resource) { return refuses.contains(resource->name); });
  }
  // The oldest unanswered one of this type.
  void answer(ResourceType type) {
    const auto found = std::find_if(unanswered.begin(), unanswered.end(),
                                    [&](const Response& response) { return response.type == type; });
    ASSERT_NE(found, unanswered.end());
    const Response response = *found;
    unanswered.erase(found);
    if (would_refuse(response)) {
      refused_batches.emplace_back();
      for (const traffic::Resource* resource : response.changed) refused_batches.back().push_back(resource->name);
      state->on_request({type, response.nonce, "no good", {}, {}, {}});
      return;
    }
    std::vector<std::string> anew;
    for (const traffic::Resource* resource : response.changed) {
      if (!has[type].contains(resource->name)) anew.push_back(resource->name);
      const bool is_version = type == kEndpoints && resource->name == traffic::kVersionCluster;
      has[type][resource->name] = is_version ? response.version : resource->version;
    }
    for (const std::string& name : response.removed) {
      has[type].erase(name);
      if (type == kClusters) state->on_request({kEndpoints, "", std::nullopt, {}, {name}, {}});
      if (type == kClusters) has[kEndpoints].erase(name);
    }
    state->on_request({type, response.nonce, std::nullopt, {}, {}, {}});
    if (type == kClusters && !anew.empty()) subscribe(kEndpoints, anew);
    if (type == kListener) subscribe(kRoutes, {"tidegate"});
    if (type == kRoutes) subscribe(kHosts, {"tidegate"});
  }
  // All that is sent until nothing more comes, each answered at once.
  std::vector<std::string> settle(const SnapshotPointer& snapshot) {
    std::vector<std::string> texts;
    for (std::vector<std::string> more; !(more = receive(snapshot)).empty();) {
      texts.insert(texts.end(), more.begin(), more.end());
      while (!unanswered.empty()) answer(unanswered.front().type);
    }
    return texts;
  }
};

class Stream : public testing::Test {
 protected:
  Stream() {
    proxy_.connect();
    proxy_.settle(first_);
  }
  std::string confirmed() const { return traffic::to_text(proxy_.state->applied()); }

  const SnapshotPointer first_ = snapshot_at(10, {{"cats"}, {"digits"}});
  Proxy proxy_;
};

TEST_F(Stream, BringsANewProxyEverythingAndThenTheVersion) {
  EXPECT_THAT(proxy_.has[kClusters], SizeIs(3));
  EXPECT_THAT(proxy_.has[kEndpoints], SizeIs(3));
  EXPECT_THAT(proxy_.has[kHosts], SizeIs(2));
  EXPECT_EQ(proxy_.has[kEndpoints][traffic::kVersionCluster], "10");
  EXPECT_EQ(confirmed(), "10");
}

TEST_F(Stream, SendsNothingWhereNothingChanged) { EXPECT_THAT(proxy_.settle(first_), IsEmpty()); }

TEST_F(Stream, SendsOnlyTheVersionWhereNothingElseChanged) {
  EXPECT_THAT(proxy_.settle(snapshot_at(11, {{"cats"}, {"digits"}})), ElementsAre("endpoints: tidegate/version=11"));
  EXPECT_EQ(confirmed(), "11");
}

TEST_F(Stream, SendsOnlyWhatChanged) {
  EXPECT_THAT(proxy_.settle(snapshot_at(11, {{"cats"}, {"digits", "c1", "e1", "11-h11"}})),
              ElementsAre("hosts: tidegate/demo.digits", "endpoints: tidegate/version=11"));
  EXPECT_THAT(proxy_.settle(snapshot_at(11, {{"cats", "c1", "e2"}, {"digits", "c1", "e1", "11-h11"}})),
              ElementsAre("endpoints: demo/cats/cats-1"));
}

TEST_F(Stream, RoutesFollowTheClustersAndEndpointsThatTheyLeadTo) {
  const SnapshotPointer next = snapshot_at(11, {{"cats"}, {"digits"}, {"dogs"}});
  EXPECT_THAT(proxy_.receive(next), ElementsAre("clusters: demo/dogs/dogs-1"));
  proxy_.answer(kClusters);  // and asks for its endpoints
  EXPECT_THAT(proxy_.receive(next), ElementsAre("endpoints: demo/dogs/dogs-1"));
  EXPECT_THAT(proxy_.receive(next), IsEmpty());
  proxy_.answer(kEndpoints);
  EXPECT_THAT(proxy_.receive(next), ElementsAre("hosts: tidegate/demo.dogs"));
  EXPECT_EQ(confirmed(), "10");
  proxy_.answer(kHosts);
  EXPECT_THAT(proxy_.receive(next), ElementsAre("endpoints: tidegate/version=11"));
  EXPECT_EQ(confirmed(), "10");
  proxy_.answer(kEndpoints);
  EXPECT_EQ(confirmed(), "11");
}

TEST_F(Stream, RoutesWaitUntilTheProxyHasAskedForANewClustersEndpoints) {
  const SnapshotPointer next = snapshot_at(11, {{"cats"}, {"digits"}, {"dogs"}});
  proxy_.receive(next);
  proxy_.state->on_request({kClusters, proxy_.unanswered.front().nonce, std::nullopt, {}, {}, {}});
  EXPECT_THAT(proxy_.receive(next), IsEmpty());
  proxy_.subscribe(kEndpoints, {cluster_of("dogs")});
  EXPECT_THAT(proxy_.receive(next), ElementsAre("endpoints: demo/dogs/dogs-1"));
}

TEST_F(Stream, EndpointsOfAChangedClusterAreSentAgain) {
  const SnapshotPointer next = snapshot_at(11, {{"cats"}, {"digits", "c2"}});
  EXPECT_THAT(proxy_.receive(next), ElementsAre("clusters: demo/digits/digits-1", "endpoints: demo/digits/digits-1"));
}

TEST_F(Stream, AClusterGoesAfterTheRoutesThatLedToIt) {
  const SnapshotPointer next = snapshot_at(11, {{"digits"}});
  EXPECT_THAT(proxy_.receive(next), ElementsAre("hosts: -tidegate/demo.cats"));
  proxy_.answer(kHosts);
  EXPECT_THAT(proxy_.receive(next), ElementsAre("clusters: -demo/cats/cats-1"));
  proxy_.answer(kClusters);
  EXPECT_THAT(proxy_.receive(next), ElementsAre("endpoints: tidegate/version=11"));
}

TEST_F(Stream, WhileTheProxyWorksSnapshotsComeAndGo) {
  EXPECT_THAT(proxy_.receive(snapshot_at(11, {{"cats"}, {"digits", "c1", "e1", "11-h11"}})), SizeIs(1));
  EXPECT_THAT(proxy_.receive(snapshot_at(12, {{"cats"}, {"digits", "c1", "e1", "12-h12"}})), IsEmpty());
  const SnapshotPointer last = snapshot_at(13, {{"cats"}, {"digits", "c1", "e1", "13-h13"}});
  EXPECT_THAT(proxy_.receive(last), IsEmpty());
  proxy_.answer(kHosts);
  EXPECT_THAT(proxy_.settle(last), ElementsAre("endpoints: tidegate/version=11", "hosts: tidegate/demo.digits",
                                               "endpoints: tidegate/version=13"));
}

TEST_F(Stream, WhatIsRefusedStandsAloneAndKeepsNothingElseBack) {
  proxy_.refuses = {host_of("digits")};
  const SnapshotPointer next =
      snapshot_at(20, {{"cats", "c1", "e1", "20-h20"}, {"digits", "c1", "e1", "20-h20"}, {"dogs"}, {"eels"}, {"owls"}});
  proxy_.settle(next);
  for (const char* name : {"cats", "dogs", "eels", "owls"}) EXPECT_TRUE(proxy_.has[kHosts].contains(host_of(name)));
  EXPECT_EQ(proxy_.has[kHosts][host_of("cats")], "20-h20");
  EXPECT_EQ(proxy_.has[kHosts][host_of("digits")], "1-h1");
  EXPECT_EQ(confirmed(), "20 without demo/digits");
  EXPECT_THAT(proxy_.state->rejections(), ElementsAre(Rejection{kHosts, "demo/digits", "no good"}));
}

TEST_F(Stream, WhatWasRefusedIsOfferedAgainWithTheNextSnapshotButDoesNotHoldItUp) {
  proxy_.refuses = {host_of("digits"), host_of("cats")};
  proxy_.settle(snapshot_at(20, {{"cats", "c1", "e1", "20-h20"}, {"digits", "c1", "e1", "20-h20"}}));
  EXPECT_EQ(confirmed(), "20 without demo/cats,demo/digits");
  proxy_.settle(snapshot_at(21, {{"cats", "c1", "e1", "20-h20"}, {"digits", "c1", "e1", "20-h20"}, {"dogs"}}));
  EXPECT_EQ(confirmed(), "21 without demo/cats,demo/digits");
  EXPECT_TRUE(proxy_.has[kHosts].contains(host_of("dogs")));
  // One that is taken shows that the proxy has changed its mind.
  proxy_.refuses.clear();
  proxy_.settle(snapshot_at(22, {{"cats", "c1", "e1", "20-h20"}, {"digits", "c1", "e1", "20-h20"}, {"dogs"}}));
  EXPECT_EQ(confirmed(), "22");
  EXPECT_EQ(proxy_.has[kHosts][host_of("digits")], "20-h20");
  EXPECT_THAT(proxy_.state->rejections(), IsEmpty());
}

TEST_F(Stream, AnObjectThatIsNoMoreIsNotRefused) {
  proxy_.refuses = {host_of("dogs"), cluster_of("dogs")};
  proxy_.settle(snapshot_at(20, {{"cats"}, {"digits"}, {"dogs"}}));
  EXPECT_EQ(confirmed(), "20 without demo/dogs");
  proxy_.settle(snapshot_at(21, {{"cats"}, {"digits"}}));
  EXPECT_EQ(confirmed(), "21");
}

TEST_F(Stream, MoreRefusalsThanCanBeNamedConfirmNothing) {
  std::vector<Object> objects;
  for (int i = 10; i < 40; ++i) {
    objects.push_back({base::cat("model", i)});
    proxy_.refuses.insert(host_of(objects.back().name));
  }
  proxy_.settle(snapshot_at(20, objects));
  EXPECT_EQ(confirmed(), "10");
  EXPECT_THAT(proxy_.state->rejections(), SizeIs(30));
}

TEST_F(Stream, AnAnswerToAnOlderResponseIsIgnored) {
  const SnapshotPointer next = snapshot_at(11, {{"cats"}, {"digits", "c1", "e1", "11-h11"}});
  proxy_.receive(next);
  proxy_.state->on_request({kHosts, "1", "late", {}, {}, {}});
  EXPECT_THAT(proxy_.state->rejections(), IsEmpty());
  EXPECT_THAT(proxy_.receive(next), IsEmpty());
}

TEST_F(Stream, AProxyThatReconnectsIsSentOnlyWhatItLacks) {
  proxy_.connect();
  EXPECT_EQ(confirmed(), "10");
  EXPECT_THAT(proxy_.settle(first_), IsEmpty());
  proxy_.connect();
  EXPECT_THAT(proxy_.settle(snapshot_at(11, {{"digits", "c1", "e2"}, {"dogs"}})),
              ElementsAre("clusters: demo/dogs/dogs-1", "endpoints: demo/digits/digits-1",
                          "endpoints: demo/dogs/dogs-1", "hosts: tidegate/demo.dogs -tidegate/demo.cats",
                          "clusters: -demo/cats/cats-1", "endpoints: tidegate/version=11"));
}

TEST_F(Stream, WhatAnotherReplicaSentIsNotSentAgain) {
  proxy_.has[kHosts][host_of("digits")] = "9-h1";
  proxy_.connect();
  EXPECT_THAT(proxy_.settle(first_), IsEmpty());
}

TEST_F(Stream, AnswersNothingToAProxyThatKnowsMore) {
  proxy_.connect();
  EXPECT_TRUE(proxy_.state->waits_for(*snapshot_at(9, {})));
  EXPECT_THAT(proxy_.receive(snapshot_at(9, {})), IsEmpty());
  EXPECT_FALSE(proxy_.state->waits_for(*first_));
}

TEST(StreamOfANewProxy, ANewcomerGetsNothingBeforeItIsConfirmedAndThenNothingOlder) {
  const SnapshotPointer first = snapshot_at(10, {{"cats"}});
  Proxy proxy;
  proxy.connect(true);
  EXPECT_TRUE(proxy.state->is_newcomer());
  EXPECT_THAT(proxy.receive(first), IsEmpty());
  proxy.state->confirm(11);
  EXPECT_FALSE(proxy.state->is_newcomer());
  EXPECT_THAT(proxy.receive(first), IsEmpty()) << "somebody has written since";
  EXPECT_THAT(proxy.settle(snapshot_at(11, {{"cats"}})), testing::Not(IsEmpty()));
  EXPECT_EQ(traffic::to_text(proxy.state->applied()), "11");
}

TEST_F(Stream, WhoComesWithAVersionIsNoNewcomer) {
  proxy_.connect(true);
  EXPECT_FALSE(proxy_.state->is_newcomer());
  EXPECT_FALSE(proxy_.state->waits_for(*first_));
}

// It had a newer virtual host when its stream broke, and had not confirmed it yet.
TEST_F(Stream, AnswersNothingToAProxyWhoseVirtualHostIsNewer) {
  proxy_.receive(snapshot_at(30, {{"cats"}, {"digits", "c1", "e1", "30-h30"}}));
  proxy_.answer(kHosts);
  proxy_.connect();
  EXPECT_EQ(confirmed(), "10");
  EXPECT_THAT(proxy_.receive(snapshot_at(29, {})), IsEmpty());
  EXPECT_FALSE(proxy_.state->waits_for(*snapshot_at(30, {})));
}

// Envoy keeps its first request about clusters back until none is warming.
TEST_F(Stream, AProxyThatConnectsWhileAClusterWaitsForItsEndpointsIsSentThoseFirst) {
  const SnapshotPointer next = snapshot_at(11, {{"cats"}, {"digits"}, {"dogs"}});
  proxy_.receive(next);
  proxy_.answer(kClusters);
  proxy_.state.emplace();
  proxy_.subscribed.clear();
  proxy_.unanswered.clear();
  proxy_.subscribe(kEndpoints,
                   {traffic::kVersionCluster, cluster_of("cats"), cluster_of("digits"), cluster_of("dogs")});
  proxy_.subscribe(kListener, {});
  proxy_.subscribe(kRoutes, {"tidegate"});
  proxy_.subscribe(kHosts, {"tidegate"});
  EXPECT_THAT(proxy_.receive(next), ElementsAre("endpoints: demo/cats/cats-1 demo/digits/digits-1 demo/dogs/dogs-1"))
      << "a changed cluster may wait for those that it has, too";
  proxy_.answer(kEndpoints);
  EXPECT_THAT(proxy_.receive(next), IsEmpty()) << "its clusters are not known yet";
  proxy_.subscribe(kClusters, {});
  EXPECT_THAT(proxy_.settle(next), ElementsAre("endpoints: demo/dogs/dogs-1", "hosts: tidegate/demo.dogs",
                                               "endpoints: tidegate/version=11"));
}

TEST_F(Stream, AClusterThatWaitsAndIsNoMoreIsToldThatItHasNoEndpoints) {
  proxy_.state.emplace();
  proxy_.subscribed.clear();
  proxy_.subscribe(kEndpoints,
                   {traffic::kVersionCluster, cluster_of("cats"), cluster_of("digits"), "demo/gone/gone-1"});
  proxy_.subscribe(kHosts, {"tidegate"});
  EXPECT_THAT(proxy_.receive(first_),
              ElementsAre("endpoints: demo/cats/cats-1 demo/digits/digits-1 -demo/gone/gone-1"));
}

TEST(StreamOfANewProxy, ConfirmsNothingOfWhatWasAskedForInTheMiddle) {
  const SnapshotPointer snapshot = snapshot_at(10, {{"cats"}});
  StreamState state;
  const auto subscribe = [&](ResourceType type, std::vector<std::string> names) {
    state.on_request({type, "", std::nullopt, std::move(names), {}, {}});
    return state.due(snapshot);
  };
  const auto answer = [&](const Response& response) {
    state.on_request({response.type, response.nonce, std::nullopt, {}, {}, {}});
    return state.due(snapshot);
  };
  const auto clusters = subscribe(kClusters, {});
  const auto endpoints = subscribe(kEndpoints, {traffic::kVersionCluster, cluster_of("cats")});
  ASSERT_THAT(endpoints, SizeIs(1));
  subscribe(kListener, {});
  subscribe(kRoutes, {"tidegate"});
  answer(clusters[0]);
  std::vector<Response> more = answer(endpoints[0]);
  ASSERT_THAT(more, SizeIs(2)) << "the listener and the routes";
  subscribe(kHosts, {"tidegate"});
  answer(more[0]);
  more = answer(more[1]);
  ASSERT_THAT(more, SizeIs(1));
  EXPECT_EQ(text_of(more[0]), "hosts: tidegate/demo.cats");
  more = answer(more[0]);
  ASSERT_THAT(more, SizeIs(1));
  EXPECT_EQ(text_of(more[0]), "endpoints: tidegate/version=10");
}

TEST_F(Stream, AnswersNothingBeforeTheProxyHasSaidWhatItKnows) {
  const SnapshotPointer newer = snapshot_at(50, {{"digits"}});
  StreamState state;
  state.on_request({kClusters, "", std::nullopt, {}, {}, proxy_.has[kClusters]});
  EXPECT_THAT(state.due(newer), IsEmpty());
  state.on_request({kEndpoints, "", std::nullopt, {}, {}, proxy_.has[kEndpoints]});
  EXPECT_THAT(state.due(newer), IsEmpty());
  state.on_request({kListener, "", std::nullopt, {}, {}, proxy_.has[kListener]});
  state.on_request({kRoutes, "", std::nullopt, {}, {}, proxy_.has[kRoutes]});
  EXPECT_THAT(state.due(newer), IsEmpty());
  state.on_request({kHosts, "", std::nullopt, {}, {}, proxy_.has[kHosts]});
  EXPECT_FALSE(state.due(newer).empty());
}

TEST_F(Stream, AReplicaThatHasSeenEverythingMayAnswerThoughItsOwnNumberIsLower) {
  auto later = std::make_shared<traffic::Snapshot>(*snapshot_at(5, {{"cats"}}));  // the object at 10 was deleted
  later->caught_up_to = 23;
  proxy_.connect();
  EXPECT_FALSE(proxy_.settle(later).empty());
  EXPECT_FALSE(proxy_.has[kHosts].contains(host_of("digits")));
  EXPECT_EQ(confirmed(), "10") << "a proxy does not go back";
}

}  // namespace
}  // namespace tidegate::xds
