// The client against a real kube-apiserver: what the server in memory (tests/kube) claims must be true of this one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "conformance/fixture.h"
#include "kube/errors.h"
#include "kube/event_recorder.h"
#include "kube/expectations.h"
#include "kube/lease_elector.h"
#include "kube/reflector.h"
#include "kube/store.h"
#include "kube/types.h"

namespace tidegate::conformance {
namespace {

using base::ObjectKey;
using kube::Json;
using kube::string_at;
namespace resources = kube::resources;

const kube::GroupVersionResource& kConfigMaps = resources::config_maps();
const kube::GroupVersionResource& kDeployments = resources::deployments();

TEST_F(Conformance, AppliesChangesAndDropsFieldsAsTheirOwner) {
  Json first = config_map("a");
  first["data"]["extra"] = "y";
  auto created = world_.await(client_.apply(kConfigMaps, first, {}, scope_));
  ASSERT_TRUE(created.ok()) << created.status();
  auto again = world_.await(client_.apply(kConfigMaps, first, {}, scope_));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(created->resource_version, again->resource_version) << "an apply that changes nothing writes nothing";
  auto second = world_.await(client_.apply(kConfigMaps, config_map("a", "z"), {}, scope_));
  ASSERT_TRUE(second.ok());
  auto got = world_.await(client_.get(kConfigMaps, {ns_, "a"}, scope_));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ((*got)["data"], (Json{{"value", "z"}}));
  EXPECT_EQ(version(*got), second->resource_version);
}

TEST_F(Conformance, NamesTheManagerThatOwnsAField) {
  auto created = world_.await(client_.apply(kConfigMaps, config_map("a"), {}, scope_));
  ASSERT_TRUE(created.ok());
  kube::ApplyOptions other;
  other.field_manager = "somebody";
  other.force = false;
  auto refused = world_.await(client_.apply(kConfigMaps, config_map("a", "mine"), other, scope_));
  EXPECT_TRUE(kube::is_conflict(refused.status())) << refused.status();
  EXPECT_THAT(std::string(base::view(refused.status().message())), ::testing::HasSubstr("tidegate"));
}

TEST_F(Conformance, AnApplyWithAVersionIsAPreconditionOnAnObjectThatExists) {
  auto created = world_.await(client_.apply(kConfigMaps, config_map("a"), {}, scope_));
  ASSERT_TRUE(created.ok());
  auto moved = world_.await(client_.apply(kConfigMaps, config_map("a", "y"), {}, scope_));
  ASSERT_TRUE(moved.ok());
  Json stale = config_map("a", "stale");
  stale["metadata"]["resourceVersion"] = created->resource_version;
  auto refused = world_.await(client_.apply(kConfigMaps, stale, {}, scope_));
  EXPECT_TRUE(kube::is_conflict(refused.status())) << refused.status();
  stale["metadata"]["name"] = "absent";
  auto absent = world_.await(client_.apply(kConfigMaps, stale, {}, scope_));
  EXPECT_TRUE(absent.ok()) << "surprising, but so it is: a version does not keep apply from creating";
}

TEST_F(Conformance, AnApplyWithAUidNeverTouchesAnotherObject) {
  auto created = world_.await(client_.apply(kConfigMaps, config_map("a"), {}, scope_));
  ASSERT_TRUE(created.ok());
  Json same = config_map("a", "y");
  same["metadata"]["uid"] = created->uid;
  auto applied = world_.await(client_.apply(kConfigMaps, same, {}, scope_));
  EXPECT_TRUE(applied.ok()) << applied.status();
  Json other = config_map("a", "z");
  other["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000";
  auto refused = world_.await(client_.apply(kConfigMaps, other, {}, scope_));
  EXPECT_TRUE(kube::is_conflict(refused.status())) << refused.status();
  other["metadata"]["name"] = "absent";
  auto absent = world_.await(client_.apply(kConfigMaps, other, {}, scope_));
  EXPECT_TRUE(kube::is_conflict(absent.status())) << absent.status();
  auto got = world_.await(client_.get(kConfigMaps, {ns_, "absent"}, scope_));
  EXPECT_TRUE(absl::IsNotFound(got.status()));
}

TEST_F(Conformance, WritesNoStatusOfAnObjectThatIsGone) {
  auto gone =
      world_.await(client_.update_status(kDeployments, {ns_, "gone"}, {{"replicas", 1}}, "5", "tidegate", scope_));
  EXPECT_TRUE(absl::IsNotFound(gone.status())) << gone.status();
}

TEST_F(Conformance, WritesAStatusOnlyOnTheVersionItWasComputedFrom) {
  auto created = world_.await(client_.create(kDeployments, deployment("web", 1), scope_));
  ASSERT_TRUE(created.ok()) << created.status();
  const ObjectKey key{ns_, "web"};
  auto written = world_.await(client_.update_status(kDeployments, key, {{"observedGeneration", 1}},
                                                    created->resource_version, "tidegate", scope_));
  ASSERT_TRUE(written.ok()) << written.status();
  auto got = world_.await(client_.get(kDeployments, key, scope_));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(kube::int_at(*got, {"status", "observedGeneration"}), 1);
  EXPECT_EQ(kube::int_at(*got, {"spec", "replicas"}), 1);
  EXPECT_EQ(version(*got), written->resource_version);
  auto stale = world_.await(client_.update_status(kDeployments, key, {{"observedGeneration", 2}},
                                                  created->resource_version, "tidegate", scope_));
  EXPECT_TRUE(kube::is_conflict(stale.status())) << stale.status();
}

TEST_F(Conformance, ScalesThroughTheSubresourceWithAPrecondition) {
  auto created = world_.await(client_.create(kDeployments, deployment("web", 1), scope_));
  ASSERT_TRUE(created.ok()) << created.status();
  auto scaled =
      world_.await(client_.scale(kDeployments, {ns_, "web"}, 4, created->resource_version, "tidegate", scope_));
  ASSERT_TRUE(scaled.ok()) << scaled.status();
  auto got = world_.await(client_.get(kDeployments, {ns_, "web"}, scope_));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(kube::int_at(*got, {"spec", "replicas"}), 4);
  EXPECT_EQ(version(*got), scaled->resource_version);
  auto stale =
      world_.await(client_.scale(kDeployments, {ns_, "web"}, 5, created->resource_version, "tidegate", scope_));
  EXPECT_TRUE(kube::is_conflict(stale.status())) << stale.status();
}

TEST_F(Conformance, DeletesOnlyTheObjectItMeant) {
  auto created = world_.await(client_.create(kConfigMaps, config_map("a"), scope_));
  ASSERT_TRUE(created.ok());
  kube::DeleteOptions options;
  options.uid = "00000000-0000-0000-0000-000000000000";
  auto other = world_.await(client_.remove(kConfigMaps, {ns_, "a"}, options, scope_));
  EXPECT_TRUE(kube::is_conflict(other)) << other;
  options.uid = created->uid;
  options.resource_version = "1";
  auto stale = world_.await(client_.remove(kConfigMaps, {ns_, "a"}, options, scope_));
  EXPECT_TRUE(kube::is_conflict(stale)) << stale;
  options.resource_version = created->resource_version;
  auto removed = world_.await(client_.remove(kConfigMaps, {ns_, "a"}, options, scope_));
  EXPECT_TRUE(removed.ok()) << removed;
  auto gone = world_.await(client_.remove(kConfigMaps, {ns_, "a"}, {}, scope_));
  EXPECT_TRUE(absl::IsNotFound(gone)) << gone;
}

TEST_F(Conformance, TellsErrorsApart) {
  ASSERT_TRUE(world_.await(client_.create(kConfigMaps, config_map("a"), scope_)).ok());
  auto exists = world_.await(client_.create(kConfigMaps, config_map("a"), scope_));
  EXPECT_TRUE(absl::IsAlreadyExists(exists.status())) << exists.status();
  auto invalid = world_.await(client_.create(kDeployments, deployment("web", -1), scope_));
  EXPECT_TRUE(absl::IsInvalidArgument(invalid.status())) << invalid.status();
  EXPECT_THAT(std::string(base::view(invalid.status().message())), ::testing::HasSubstr("spec.replicas"));
  kube::ClientConfig stranger = server_.config();
  stranger.token = kube::make_static_token("wrong");
  kube::Client unknown(world_.http, stranger);
  auto refused = world_.await(unknown.get(kConfigMaps, {ns_, "a"}, scope_));
  EXPECT_TRUE(absl::IsUnauthenticated(refused.status())) << refused.status();
  auto version = world_.await(client_.server_version(scope_));
  ASSERT_TRUE(version.ok());
  EXPECT_EQ(version->major, 1);
  EXPECT_GT(version->minor, 30);
}

TEST_F(Conformance, ListsByPages) {
  constexpr int kObjects = 45;
  for (int i = 0; i < kObjects; ++i) {
    ASSERT_TRUE(world_.await(client_.create(kConfigMaps, config_map(base::cat("m", 100 + i)), scope_)).ok());
  }
  kube::ListOptions options;
  options.ns = ns_;
  options.limit = 20;
  auto first = world_.await(client_.list_page(kConfigMaps, options, scope_));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->items.size(), 20u);
  auto all = world_.await(client_.list(kConfigMaps, options, scope_));
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->items.size(), static_cast<size_t>(kObjects));
}

// A reflector of one namespace's ConfigMaps, through the gate.
class ReflectorConformance : public Conformance, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    Conformance::SetUp();
    kube::ReflectorOptions options;
    options.ns = ns_;
    options.use_watch_list = GetParam();
    reflector_ = std::make_unique<kube::Reflector>(gated_, kConfigMaps, options, store_, world_.clock, world_.random);
    store_.add_handlers(
        {nullptr, nullptr, [this](const ObjectKey& key, const auto&) { deleted_.push_back(key.name); }});
  }
  void start() {
    world_.loop.spawn(reflector_->run(scope_));
    ASSERT_TRUE(world_.until([&] { return store_.synced(); })) << reflector_->last_error();
  }
  std::string value(const std::string& name) const {
    const auto object = store_.get({ns_, name});
    return object ? object->data.at("value") : "";
  }

  kube::Store<kube::ConfigMap> store_{"configmaps", kube::decode_config_map, world_.clock};
  std::unique_ptr<kube::Reflector> reflector_;
  std::vector<std::string> deleted_;
};
INSTANTIATE_TEST_SUITE_P(, ReflectorConformance, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "StreamedList" : "PagedList"; });

TEST_P(ReflectorConformance, FollowsACollection) {
  ASSERT_TRUE(world_.await(client_.create(kConfigMaps, config_map("a"), scope_)).ok());
  start();
  // The first list may come from a cache that has not got it yet.
  ASSERT_TRUE(world_.until([&] { return value("a") == "x"; }));
  auto changed = world_.await(client_.apply(kConfigMaps, config_map("a", "y"), {}, scope_));
  ASSERT_TRUE(changed.ok());
  kube::Expectations expectations(world_.clock);
  expectations.wrote({ns_, "key"}, store_, {ns_, "a"}, changed->resource_version);
  ASSERT_TRUE(world_.until([&] { return expectations.ready({ns_, "key"}); }));
  EXPECT_EQ(value("a"), "y");
  EXPECT_EQ(expectations.given_up(), 0u);
  ASSERT_TRUE(world_.await(client_.remove(kConfigMaps, {ns_, "a"}, {}, scope_)).ok());
  ASSERT_TRUE(world_.until([&] { return store_.size() == 0; }));
  EXPECT_EQ(metrics_.requests.count({"list", 200}), GetParam() ? 0u : 1u);
}

TEST_P(ReflectorConformance, SeesADeletionThatItMissedWhenItsVersionIsCompacted) {
  ASSERT_TRUE(world_.await(client_.create(kConfigMaps, config_map("a"), scope_)).ok());
  ASSERT_TRUE(world_.await(client_.create(kConfigMaps, config_map("b"), scope_)).ok());
  start();
  gate_.shut();
  ASSERT_TRUE(world_.await(client_.remove(kConfigMaps, {ns_, "a"}, {}, scope_)).ok());
  ASSERT_TRUE(world_.await(client_.apply(kConfigMaps, config_map("b", "later"), {}, scope_)).ok());
  const absl::Status compacted = server_.compact(world_);
  ASSERT_TRUE(compacted.ok()) << compacted;
  // The API server keeps recent events in memory: only a new one knows nothing of them.
  server_.stop_api();
  const absl::Status started = server_.start_api(world_);
  ASSERT_TRUE(started.ok()) << started;
  gate_.open();
  ASSERT_TRUE(world_.until([&] { return value("b") == "later"; })) << reflector_->last_error();
  EXPECT_THAT(deleted_, ::testing::ElementsAre("a"));
  EXPECT_EQ((metrics_.requests[{"watch", 410}]) + metrics_.relists["configmaps"] > 0, true);
  ASSERT_TRUE(world_.await(client_.apply(kConfigMaps, config_map("b", "after"), {}, scope_)).ok());
  EXPECT_TRUE(world_.until([&] { return value("b") == "after"; }));
}

TEST_P(ReflectorConformance, GoesOnWithoutAListWhenItsConnectionBreaks) {
  ASSERT_TRUE(world_.await(client_.create(kConfigMaps, config_map("a"), scope_)).ok());
  start();
  gate_.shut();
  ASSERT_TRUE(world_.await(client_.apply(kConfigMaps, config_map("a", "later"), {}, scope_)).ok());
  gate_.open();
  ASSERT_TRUE(world_.until([&] { return value("a") == "later"; })) << reflector_->last_error();
  EXPECT_EQ(metrics_.relists["configmaps"], 0u);
}

base::Task<void> stand(kube::LeaseElector* elector, base::Scope* scope, int* ended) {
  co_await elector->run(*scope);
  ++*ended;
}

TEST_F(Conformance, ElectsOneLeaderAndHandsOverAtOnce) {
  const kube::LeaseTiming quick{absl::Seconds(3), absl::Seconds(2), absl::Milliseconds(300), absl::Milliseconds(300)};
  std::vector<std::string> story;
  const auto told = [&story](const std::string& who) {
    return kube::LeaseCallbacks{[&story, who](int64_t epoch) { story.push_back(base::cat(who, " leads ", epoch)); },
                                [&story, who](const std::string&) { story.push_back(who + " lost"); }, nullptr};
  };
  base::Scope first(scope_);
  base::Scope second(scope_);
  kube::LeaseElector a(gated_, world_.clock, {{ns_, "lease"}, "a", quick}, told("a"));
  kube::LeaseElector b(client_, world_.clock, {{ns_, "lease"}, "b", quick}, told("b"));
  int ended = 0;
  world_.loop.spawn(stand(&a, &first, &ended));
  ASSERT_TRUE(world_.until([&] { return a.is_leader(); }));
  world_.loop.spawn(stand(&b, &second, &ended));
  // Longer than the lease: it must have been renewed.
  world_.until([&] { return b.is_leader(); }, absl::Seconds(5));
  EXPECT_TRUE(a.is_leader());
  EXPECT_FALSE(b.is_leader());
  gate_.shut();
  bool both = false;
  ASSERT_TRUE(world_.until([&] {
    both = both || (a.is_leader() && b.is_leader());
    return b.is_leader();
  }));
  EXPECT_FALSE(both);
  gate_.open();
  second.cancel();
  ASSERT_TRUE(world_.until([&] { return a.is_leader(); }));
  EXPECT_THAT(story, ::testing::ElementsAre("a leads 1", "a lost", "b leads 2", "b lost", "a leads 3"));
  first.cancel();
  auto released = [&] {
    auto lease = world_.await(client_.get(resources::leases(), {ns_, "lease"}, scope_));
    return lease.ok() && string_at(*lease, {"spec", "holderIdentity"}).empty();
  };
  EXPECT_TRUE(world_.until(released, absl::Seconds(10))) << "a leader that leaves releases the lease";
  // The lease is free before its answer is here; the electors must outlive their tasks.
  EXPECT_TRUE(world_.until([&] { return ended == 2; }));
}

TEST_F(Conformance, WritesEventsAndTheirSeries) {
  kube::EventRecorder recorder(client_, world_.clock, "tidegate.dev/operator", "operator-0");
  world_.loop.spawn(recorder.run(scope_));
  kube::EventRecord record;
  record.regarding = {"v1", "ConfigMap", {ns_, "a"}, "uid", "1"};
  record.reason = "RolledBack";
  record.action = "Rollback";
  record.type = kube::EventType::kWarning;
  record.note = "version 3 answered 12 of 400 requests with an error";
  for (uint64_t i = 1; i <= 3; ++i) {
    recorder.record(record);
    ASSERT_TRUE(world_.until([&] { return recorder.written() + recorder.dropped() == i; }));
  }
  EXPECT_EQ(recorder.dropped(), 0u);
  kube::ListOptions options;
  options.ns = ns_;
  auto events = world_.await(client_.list(resources::events(), options, scope_));
  ASSERT_TRUE(events.ok());
  ASSERT_EQ(events->items.size(), 1u);
  EXPECT_EQ(kube::int_at(events->items[0], {"series", "count"}), 3);
}

}  // namespace
}  // namespace tidegate::conformance
