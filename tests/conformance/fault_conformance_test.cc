// The client against a real kube-apiserver while something breaks: the network, the server, etcd; and against more of
// everything than usual.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "base/scratch_folder.h"
#include "conformance/fixture.h"
#include "fetch/fault_proxy.h"
#include "kube/errors.h"
#include "kube/lease_elector.h"
#include "kube/reflector.h"
#include "kube/store.h"
#include "kube/types.h"

namespace tidegate::conformance {
namespace {

using base::ObjectKey;
using kube::Json;
using serving::FaultProxy;
namespace resources = kube::resources;

const kube::GroupVersionResource& kConfigMaps = resources::config_maps();

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

class FaultConformance : public Conformance {
 protected:
  // Follows this namespace's ConfigMaps with a connection of its own.
  struct Follower {
    Follower(World& world, kube::ClientConfig config, kube::ReflectorOptions options)
        : http(world.loop.context(), world.clock),
          client(http, std::move(config), &metrics),
          store("configmaps", kube::decode_config_map, world.clock),
          reflector(client, kConfigMaps, std::move(options), store, world.clock, world.random) {
      world.loop.spawn(reflector.run(scope));
    }
    ~Follower() { scope.cancel(); }

    base::Scope scope;
    kube::ClientMetrics metrics;
    net::CurlHttpClient http;
    kube::Client client;
    kube::Store<kube::ConfigMap> store;
    kube::Reflector reflector;
  };

  std::unique_ptr<Follower> follow(kube::ClientConfig config, bool watch_list = false) {
    kube::ReflectorOptions options;
    options.ns = ns_;
    options.use_watch_list = watch_list;
    auto follower = std::make_unique<Follower>(world_, std::move(config), options);
    EXPECT_TRUE(world_.until([&] { return follower->store.synced(); })) << follower->reflector.last_error();
    return follower;
  }
  // By way of the proxy.
  kube::ClientConfig config_through(const FaultProxy& proxy) const {
    kube::ClientConfig config = server_.config();
    config.server = base::cat("https", proxy.url().substr(4));
    return config;
  }
  void put(const std::string& name, const std::string& value) {
    auto applied = world_.await(client_.apply(kConfigMaps, config_map(name, value), {}, scope_));
    ASSERT_TRUE(applied.ok()) << applied.status();
  }
  std::string value_in(const Follower& follower, const std::string& name) const {
    const auto object = follower.store.get({ns_, name});
    return object ? object->data.at("value") : "";
  }
  // As etcd holds them.
  std::vector<std::pair<std::string, std::string>> stored_config_maps(int count, const std::string& value) const {
    std::vector<std::pair<std::string, std::string>> objects;
    for (int i = 0; i < count; ++i) {
      Json object = config_map(base::cat("m-", 100000 + i), value);
      object["apiVersion"] = "v1";
      object["kind"] = "ConfigMap";
      object["metadata"]["uid"] = base::cat("00000000-0000-0000-0000-", 100000000000 + i);
      object["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z";
      objects.emplace_back(base::cat("/registry/configmaps/", ns_, "/m-", 100000 + i), object.dump());
    }
    return objects;
  }
  void TearDown() override {
    // Let what was cancelled unwind while its owners are there.
    world_.until([] { return false; }, absl::Milliseconds(50));
    Conformance::TearDown();
  }
};

TEST_F(FaultConformance, NoticesAPeerThatGoesSilentAndGoesOnWithoutAList) {
  std::atomic<bool> hold{false};
  FaultProxy proxy(server_.port(), [&](std::string&, size_t) {
    return hold ? FaultProxy::Verdict::kHold : FaultProxy::Verdict::kPass;
  });
  kube::ClientConfig config = config_through(proxy);
  config.probe_after = absl::Milliseconds(300);
  config.probe_timeout = absl::Milliseconds(700);
  auto follower = follow(config);
  put("a", "before");
  ASSERT_TRUE(world_.until([&] { return value_in(*follower, "a") == "before"; }));
  // The next bytes vanish, and with them all that come after on this connection; TCP itself sees nothing wrong.
  hold = true;
  put("a", "after");
  ASSERT_TRUE(world_.until([&] { return follower->metrics.requests[{"watch", 0}] > 0; }, absl::Seconds(20)));
  hold = false;
  EXPECT_TRUE(world_.until([&] { return value_in(*follower, "a") == "after"; })) << follower->reflector.last_error();
  EXPECT_EQ(follower->metrics.relists["configmaps"], 0u);
  follower->scope.cancel();
  world_.until([] { return false; }, absl::Milliseconds(50));
}

TEST_F(FaultConformance, AnIdleConnectionThatAnswersIsLeftAlone) {
  FaultProxy proxy(server_.port(), [](std::string&, size_t) { return FaultProxy::Verdict::kPass; });
  kube::ClientConfig config = config_through(proxy);
  config.probe_after = absl::Milliseconds(100);
  config.probe_timeout = absl::Seconds(10);
  auto follower = follow(config);
  const size_t passed = proxy.passed();
  // Several probes have been answered by then.
  ASSERT_TRUE(world_.until([&] { return proxy.passed() > passed + 500; }, absl::Seconds(20)));
  EXPECT_EQ(follower->metrics.watch_restarts["configmaps"], 0u);
  follower->scope.cancel();
  world_.until([] { return false; }, absl::Milliseconds(50));
}

TEST_F(FaultConformance, StaysInStepOverANetworkThatDelaysTruncatesAndCuts) {
  std::atomic<bool> faulty{false};
  base::SeededRandom random(5);  // one call of the fault at a time
  FaultProxy proxy(server_.port(), [&](std::string& bytes, size_t) {
    if (!faulty) return FaultProxy::Verdict::kPass;
    const uint64_t dice = random.next() % 100;
    // A slow line is what is played here; nothing waits for it to be over.
    if (dice < 40) std::this_thread::sleep_for(std::chrono::milliseconds(dice / 4));
    if (dice >= 85 && bytes.size() > 1) bytes.resize(1 + random.next() % (bytes.size() - 1));  // TLS will not like it
    return dice >= 92 ? FaultProxy::Verdict::kCut : FaultProxy::Verdict::kPass;
  });
  auto paged = follow(config_through(proxy));
  auto streamed = follow(config_through(proxy), true);
  faulty = true;
  for (int i = 0; i < 300; ++i) {
    const ObjectKey key{ns_, base::cat("m", world_.random.next() % 20)};
    if (world_.random.next() % 4 == 0) {
      world_.await(client_.remove(kConfigMaps, key, {}, scope_)).IgnoreError();
    } else {
      put(key.name, base::cat(i));
    }
  }
  ASSERT_TRUE(world_.until([&] { return paged->metrics.requests[{"watch", 0}] > 2; }, absl::Seconds(20)));
  faulty = false;
  put("last", "x");
  for (Follower* follower : {paged.get(), streamed.get()}) {
    ASSERT_TRUE(world_.until([&] { return value_in(*follower, "last") == "x"; }, absl::Seconds(40)))
        << follower->reflector.last_error();
    kube::ListOptions options;
    options.ns = ns_;
    auto real = world_.await(client_.list(kConfigMaps, options, scope_));
    ASSERT_TRUE(real.ok());
    EXPECT_EQ(follower->store.size(), real->items.size());
    for (const Json& object : real->items) {
      EXPECT_EQ(follower->store.resource_version_of({ns_, kube::string_at(object, {"metadata", "name"})}),
                version(object));
    }
    follower->scope.cancel();
  }
  world_.until([] { return false; }, absl::Milliseconds(50));
}

base::Task<void> stand(kube::LeaseElector* elector, base::Scope* scope, bool* ended) {
  co_await elector->run(*scope);
  *ended = true;
}

TEST_F(FaultConformance, ARestartOfTheServerCostsNoLeaseAndTakesTheRotatedToken) {
  const base::ScratchFolder folder;
  const auto file = folder / "token";
  std::ofstream(file) << "first";
  server_.set_second_token("first");
  server_.stop_api();
  ASSERT_TRUE(server_.start_api(world_).ok());
  kube::ClientConfig config = server_.config();
  config.token = kube::make_file_token(file, world_.clock);
  auto follower = follow(config);
  std::vector<std::string> story;
  kube::LeaseCallbacks callbacks{[&](int64_t epoch) { story.push_back(base::cat("leads ", epoch)); },
                                 [&](const std::string& why) { story.push_back("lost: " + why); }, nullptr};
  base::Scope election;
  bool ended = false;
  // The operator's own times.
  kube::LeaseElector elector(follower->client, world_.clock, {{ns_, "lease"}, "a", {}}, callbacks);
  world_.loop.spawn(stand(&elector, &election, &ended));
  ASSERT_TRUE(world_.until([&] { return elector.is_leader(); }));

  server_.stop_api();
  server_.set_second_token("second");
  std::ofstream(file) << "second";
  ASSERT_TRUE(server_.start_api(world_).ok());
  put("a", "after");
  EXPECT_TRUE(world_.until([&] { return value_in(*follower, "a") == "after"; })) << follower->reflector.last_error();
  auto lease = world_.await(client_.get(resources::leases(), {ns_, "lease"}, scope_));
  ASSERT_TRUE(lease.ok());
  EXPECT_TRUE(world_.until([&] {
    auto later = world_.await(client_.get(resources::leases(), {ns_, "lease"}, scope_));
    return later.ok() && version(*later) != version(*lease);
  })) << "it is renewed again";
  EXPECT_THAT(story, ::testing::ElementsAre("leads 1"));
  EXPECT_GT((follower->metrics.requests[{"watch", 401}] + follower->metrics.requests[{"update", 401}] +
             follower->metrics.requests[{"list", 401}]),
            0u);
  election.cancel();
  ASSERT_TRUE(world_.until([&] { return ended; }));
  follower->scope.cancel();
  world_.until([] { return false; }, absl::Milliseconds(50));
}

TEST_F(FaultConformance, AStoppedStoreCostsTheLeaseInTimeAndNothingElse) {
  auto follower = follow(server_.config());
  put("a", "before");
  ASSERT_TRUE(world_.until([&] { return value_in(*follower, "a") == "before"; }));
  const kube::LeaseTiming quick{absl::Seconds(3), absl::Seconds(2), absl::Milliseconds(300), absl::Milliseconds(300)};
  base::Scope election;
  bool ended = false;
  kube::LeaseElector elector(client_, world_.clock, {{ns_, "lease"}, "a", quick},
                             {[](int64_t) {}, [](const std::string&) {}, nullptr});
  world_.loop.spawn(stand(&elector, &election, &ended));
  ASSERT_TRUE(world_.until([&] { return elector.is_leader(); }));
  const int64_t epoch = elector.epoch();
  server_.pause_etcd();
  const absl::Duration stopped = world_.clock.uptime();
  EXPECT_TRUE(world_.until([&] { return !elector.is_leader(); }, absl::Seconds(10)));
  EXPECT_LT(world_.clock.uptime() - stopped, absl::Seconds(3)) << "before another could have taken the lease";
  EXPECT_EQ(follower->store.size() > 0, true) << "what was known stays known";
  server_.resume_etcd();
  ASSERT_TRUE(world_.until([&] { return elector.is_leader(); }));
  EXPECT_GE(elector.epoch(), epoch);
  put("a", "after");
  EXPECT_TRUE(world_.until([&] { return value_in(*follower, "a") == "after"; })) << follower->reflector.last_error();
  EXPECT_EQ(follower->metrics.relists["configmaps"], 0u);
  election.cancel();
  ASSERT_TRUE(world_.until([&] { return ended; }));
  follower->scope.cancel();
  world_.until([] { return false; }, absl::Milliseconds(50));
}

TEST_F(FaultConformance, ListsTwentyThousandObjectsByPagesAndFollowsAThousandEventsASecond) {
  constexpr int kObjects = 20'000;
  const absl::Status filled = server_.put_in_etcd(world_, stored_config_maps(kObjects, "x"));
  ASSERT_TRUE(filled.ok()) << filled;
  kube::ListOptions options;
  options.ns = ns_;
  auto all = world_.await(client_.list(kConfigMaps, options, scope_));
  ASSERT_TRUE(all.ok()) << all.status();
  std::set<std::string> names;
  for (const Json& object : all->items) names.insert(kube::string_at(object, {"metadata", "name"}));
  names.erase("kube-root-ca.crt");
  EXPECT_EQ(names.size(), static_cast<size_t>(kObjects));
  all = absl::CancelledError("its memory is given back");

  for (const bool watch_list : {false, true}) {
    auto follower = follow(server_.config(), watch_list);
    EXPECT_GE(follower->store.size(), static_cast<size_t>(kObjects));
    size_t updates = 0;
    follower->store.add_handlers({nullptr, [&](const ObjectKey&, const auto&, const auto&) { ++updates; }, nullptr});
    const double cpu = cpu_seconds();
    const absl::Duration began = world_.clock.uptime();
    constexpr int kRounds = 20;  // of 100 objects, ten a second
    for (int round = 0; round < kRounds; ++round) {
      const absl::Status put = server_.put_in_etcd(world_, stored_config_maps(100, base::cat("round ", round)));
      ASSERT_TRUE(put.ok()) << put;
      const absl::Duration next = began + absl::Milliseconds(100) * (round + 1);
      world_.until([&] { return world_.clock.uptime() >= next; });  // the pace, not a wait
    }
    ASSERT_TRUE(world_.until([&] { return updates == 100 * kRounds; }, absl::Seconds(20))) << updates;
    const absl::Duration took = world_.clock.uptime() - began;
    std::printf("%s: %zu events in %.2f s, %.0f us of CPU an event, writing included\n",
                watch_list ? "streamed list" : "paged list", updates, absl::ToDoubleSeconds(took),
                1e6 * (cpu_seconds() - cpu) / static_cast<double>(updates));
    EXPECT_EQ(value_in(*follower, "m-100099"), base::cat("round ", kRounds - 1));
    follower->scope.cancel();
    world_.until([] { return false; }, absl::Milliseconds(50));
  }
}

TEST_F(FaultConformance, StartsABigListOverWhenItsContinuationIsCompactedAway) {
  ASSERT_TRUE(server_.put_in_etcd(world_, stored_config_maps(300, "x")).ok());
  kube::ListOptions options;
  options.ns = ns_;
  options.limit = 100;
  auto first = world_.await(client_.list_page(kConfigMaps, options, scope_));
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_FALSE(first->continue_token.empty());
  put("later", "x");
  ASSERT_TRUE(server_.compact(world_).ok());
  // The server serves continuations from its cache's snapshots too: only a new one has none.
  server_.stop_api();
  ASSERT_TRUE(server_.start_api(world_).ok());
  options.continue_token = first->continue_token;
  auto expired = world_.await(client_.list_page(kConfigMaps, options, scope_));
  EXPECT_TRUE(absl::IsOutOfRange(expired.status())) << expired.status();
  auto all = world_.await(client_.list(kConfigMaps, options, scope_));
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_GE(all->items.size(), 301u) << "started over from the beginning";
}

TEST_F(FaultConformance, WatchesMetadataAlone) {
  for (const bool watch_list : {false, true}) {
    put("a", "x");
    kube::Store<kube::ConfigMap> store("configmaps", kube::decode_config_map, world_.clock);
    kube::ReflectorOptions options;
    options.ns = ns_;
    options.metadata_only = true;
    options.use_watch_list = watch_list;
    kube::Reflector reflector(client_, kConfigMaps, options, store, world_.clock, world_.random);
    base::Scope scope;
    world_.loop.spawn(reflector.run(scope));
    // The first list may come from a cache that has not got it yet.
    ASSERT_TRUE(world_.until([&] { return store.get({ns_, "a"}) != nullptr; })) << reflector.last_error();
    EXPECT_TRUE(store.get({ns_, "a"})->data.empty());
    put("b", "x");
    ASSERT_TRUE(world_.until([&] { return store.get({ns_, "b"}) != nullptr; }));
    EXPECT_TRUE(store.get({ns_, "b"})->data.empty());
    ASSERT_TRUE(world_.await(client_.remove(kConfigMaps, {ns_, "b"}, {}, scope_)).ok());
    ASSERT_TRUE(world_.until([&] { return store.get({ns_, "b"}) == nullptr; }));
    scope.cancel();
    world_.until([] { return false; }, absl::Milliseconds(50));
  }
}

}  // namespace
}  // namespace tidegate::conformance
