#include "kube/reflector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>

#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/strings.h"
#include "kube/store.h"
#include "kube/types.h"
#include "kube_fixture.h"

namespace tidegate::kube {
namespace {

const GroupVersionResource& kConfigMaps = resources::config_maps();

// The way to a server whose watches may stand still: open, and silent.
class StandingWatches : public net::HttpClient {
 public:
  explicit StandingWatches(net::HttpClient& server) : server_(server) {}
  base::Task<absl::StatusOr<net::HttpResponse>> request(net::HttpRequest request, base::Scope& scope) override {
    if (stand && request.on_chunk) request.on_chunk = [](std::string_view) { return true; };
    absl::StatusOr<net::HttpResponse> response = co_await server_.request(std::move(request), scope);
    co_return response;
  }

  bool stand = false;

 private:
  net::HttpClient& server_;
};

class ReflectorTest : public KubeTest {
 protected:
  void start(ReflectorOptions options = {}) {
    reflector_ = std::make_unique<Reflector>(client_, kConfigMaps, options, store_, clock_, random_);
    loop_.spawn(reflector_->run(scope_));
    settle();
  }
  ~ReflectorTest() override {
    scope_.cancel();
    settle();
  }

  void put(const std::string& name, const std::string& color = "red") {
    Json object = make_object("demo", name);
    object["metadata"]["labels"] = {{"color", color}};
    server_.put(kConfigMaps, object);
    settle();
  }

  // What the store holds is what the server holds, version by version.
  void expect_in_step() {
    EXPECT_EQ(store_.size(), server_.count(kConfigMaps));
    for (const auto& [key, object] : store_.list()) {
      auto real = server_.get(kConfigMaps, key);
      ASSERT_TRUE(real.has_value()) << key;
      EXPECT_EQ(object->meta.resource_version, string_at(*real, {"metadata", "resourceVersion"})) << key;
    }
  }

  Store<ConfigMap> store_{"configmaps", decode_config_map, clock_};
  std::unique_ptr<Reflector> reflector_;
};

TEST_F(ReflectorTest, MirrorsACollectionAndFollowsIt) {
  put("a");
  start();
  EXPECT_TRUE(store_.synced());
  put("b");
  server_.erase(kConfigMaps, {"demo", "a"});
  settle();
  expect_in_step();
  EXPECT_EQ(store_.size(), 1u);
}

TEST_F(ReflectorTest, PagesThroughABigCollection) {
  for (int i = 0; i < 1200; ++i) server_.put(kConfigMaps, make_object("demo", base::cat("m", i)));
  start();
  expect_in_step();
  EXPECT_EQ(metrics_.requests.at({"list", 200}), 3u);
}

// Counted, not timed: an object costs some microseconds, with its indexes and handlers.
TEST_F(ReflectorTest, HoldsTheLoopForNoMoreThanASliceOfABigCollection) {
  constexpr size_t kObjects = 2'000;
  for (size_t i = 0; i < kObjects; ++i) server_.put(kConfigMaps, make_object("demo", base::cat("m", i)));
  for (const bool watch_list : {false, true}) {
    Store<ConfigMap> store("configmaps", decode_config_map, clock_);
    size_t in_this_turn = 0;
    store.add_handlers({[&](const base::ObjectKey&, const auto&) { ++in_this_turn; }, nullptr, nullptr});
    ReflectorOptions options;
    options.use_watch_list = watch_list;
    Reflector reflector(client_, kConfigMaps, options, store, clock_, random_);
    base::Scope scope;
    loop_.spawn(reflector.run(scope));
    size_t turns = 0;
    size_t told = 0;
    loop_.context().restart();
    while (std::exchange(in_this_turn, 0), loop_.context().poll_one() > 0) {
      ASSERT_LE(in_this_turn, Reflector::kCommitSlice);
      turns += in_this_turn > 0;
      told += in_this_turn;
      EXPECT_EQ(store.synced(), told == kObjects && store.resource_version() > 0);
    }
    EXPECT_EQ(told, kObjects);
    EXPECT_EQ(turns, kObjects / Reflector::kCommitSlice);
    EXPECT_TRUE(store.synced());
    scope.cancel();
    settle();
  }
}

TEST_F(ReflectorTest, FollowsChangesWhileABigCollectionBecomesVisible) {
  for (int i = 0; i < 1'000; ++i) server_.put(kConfigMaps, make_object("demo", base::cat("m", i)));
  reflector_ = std::make_unique<Reflector>(client_, kConfigMaps, ReflectorOptions{}, store_, clock_, random_);
  loop_.spawn(reflector_->run(scope_));
  loop_.context().restart();
  // One change in every turn of the loop, all over the collection.
  for (int turn = 0; !store_.synced(); ++turn) {
    ASSERT_GT(loop_.context().poll_one(), 0u);
    if (server_.open_watches() == 0) continue;
    server_.put(kConfigMaps, make_object("demo", base::cat("m", turn * 37 % 1'000)));
    server_.erase(kConfigMaps, {"demo", base::cat("m", turn * 91 % 1'000)});
  }
  settle();
  expect_in_step();
}

TEST_F(ReflectorTest, ReadsPagesOnTheBackgroundThreadAndEventsOnTheLoop) {
  for (int i = 0; i < 20; ++i) server_.put(kConfigMaps, make_object("demo", base::cat("m", i)));
  base::BackgroundThread background(loop_);
  std::mutex mutex;
  std::map<std::thread::id, int> read_by;
  Store<ConfigMap> store(
      "configmaps",
      [&](const JsonView& object) {
        std::lock_guard lock(mutex);
        ++read_by[std::this_thread::get_id()];
        return decode_config_map(object);
      },
      clock_);
  ReflectorOptions options;
  options.background = &background;
  Reflector reflector(client_, kConfigMaps, options, store, clock_, random_);
  base::Scope scope;
  loop_.spawn(reflector.run(scope));
  auto guard = boost::asio::make_work_guard(loop_.context());
  for (int i = 0; i < 2000 && !store.synced(); ++i) {
    loop_.context().restart();
    loop_.context().run_one_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(store.synced());
  EXPECT_EQ(store.size(), 20u);
  EXPECT_EQ(read_by[std::this_thread::get_id()], 0);
  settle();
  server_.put(kConfigMaps, make_object("demo", "later"));
  settle();
  EXPECT_EQ(store.size(), 21u);
  EXPECT_EQ(read_by[std::this_thread::get_id()], 1);
  scope.cancel();
  settle();
}

TEST_F(ReflectorTest, AsksAgainWhenAPageIsNoJson) {
  put("a");
  bool garbled = false;
  server_.intercept = [&](const net::HttpRequest&) -> std::optional<FakeApiServer::Answer> {
    if (std::exchange(garbled, true)) return std::nullopt;
    return FakeApiServer::Answer(net::HttpResponse{200, {}, "{\"items\":[{"});
  };
  start();
  EXPECT_TRUE(absl::IsInvalidArgument(reflector_->last_error())) << reflector_->last_error();
  EXPECT_NE(base::view(reflector_->last_error().message()).find("list configmaps"), std::string_view::npos);
  pass(absl::Seconds(2));
  expect_in_step();
}

TEST_F(ReflectorTest, GoesOnWhereItWasWhenAWatchBreaks) {
  put("a");
  start();
  server_.break_watches();
  settle();
  put("b");  // while nobody watches
  EXPECT_EQ(store_.size(), 1u);
  pass(absl::Seconds(2));
  expect_in_step();
  EXPECT_EQ(metrics_.requests.at({"list", 200}), 1u) << "a broken watch is no reason to list";
  EXPECT_EQ(metrics_.watch_restarts.at("configmaps"), 1u);
}

TEST_F(ReflectorTest, ListsAgainAfterCompactionAndReportsWhatItMissed) {
  put("a");
  put("b");
  start();
  std::vector<std::string> deleted;
  store_.add_handlers(
      {nullptr, nullptr, [&](const base::ObjectKey& key, const auto&) { deleted.push_back(key.name); }});
  server_.break_watches();
  settle();
  server_.erase(kConfigMaps, {"demo", "a"});
  put("c");
  server_.compact();
  put("d");
  pass(absl::Seconds(2));
  expect_in_step();
  EXPECT_THAT(deleted, ::testing::ElementsAre("a"));
  EXPECT_EQ(metrics_.relists.at("configmaps"), 1u);
}

TEST_F(ReflectorTest, ListsAgainWhenTheWatchItselfReportsExpiry) {
  put("a");
  start();
  server_.fail_watches(410, "Expired");
  settle();
  expect_in_step();
  EXPECT_EQ(metrics_.requests.at({"list", 200}), 2u);
  EXPECT_EQ(server_.open_watches(), 1u);
}

TEST_F(ReflectorTest, WaitsForAsLongAsABusyServerAsks) {
  int refusals = 3;
  server_.intercept = [&](const net::HttpRequest&) -> std::optional<FakeApiServer::Answer> {
    if (refusals-- <= 0) return std::nullopt;
    net::HttpResponse busy = FakeApiServer::status_answer(429, "TooManyRequests", "too many requests");
    busy.headers = {{"retry-after", "10"}};
    return FakeApiServer::Answer(busy);
  };
  start();
  EXPECT_TRUE(absl::IsResourceExhausted(reflector_->last_error()));
  pass(absl::Seconds(9));
  EXPECT_EQ(server_.log.size(), 1u);
  pass(absl::Seconds(60));
  EXPECT_TRUE(store_.synced());
  EXPECT_TRUE(reflector_->last_error().ok());
}

TEST_F(ReflectorTest, AsksForWatchesOfDifferentLengths) {
  start();
  pass(absl::Hours(2));
  std::set<std::string> timeouts;
  for (const std::string& line : server_.log) {
    const size_t at = line.find("timeoutSeconds=");
    if (at != std::string::npos) timeouts.insert(line.substr(at + 15));
  }
  EXPECT_GT(timeouts.size(), 3u);
  for (const std::string& seconds : timeouts) {
    EXPECT_GE(std::stoi(seconds), 300);
    EXPECT_LE(std::stoi(seconds), 600);
  }
}

TEST_F(ReflectorTest, BookmarksMoveTheVersionFromWhichItGoesOn) {
  put("a");
  start();
  server_.put(resources::secrets(), make_object("demo", "other"));
  server_.bookmark();
  settle();
  EXPECT_EQ(store_.resource_version(), server_.resource_version());
  server_.compact();
  server_.break_watches();
  pass(absl::Seconds(2));
  EXPECT_EQ(metrics_.requests.at({"list", 200}), 1u) << "the bookmark's version is not too old";
}

TEST_F(ReflectorTest, SelectsByLabelAndForgetsWhatNoLongerMatches) {
  put("a", "red");
  put("b", "blue");
  ReflectorOptions options;
  options.label_selector = "color=red";
  start(options);
  EXPECT_EQ(store_.size(), 1u);
  EXPECT_NE(store_.get({"demo", "a"}), nullptr);
}

TEST_F(ReflectorTest, AsksForMetadataAloneWhereThatIsEnough) {
  Json object = make_object("demo", "a");
  object["data"] = {{"big", "text"}};
  server_.put(kConfigMaps, object);
  ReflectorOptions options;
  options.metadata_only = true;
  start(options);
  object["metadata"]["name"] = "b";
  server_.put(kConfigMaps, object);
  settle();
  expect_in_step();
  EXPECT_EQ(store_.size(), 2u);
  for (const auto& [key, seen] : store_.list()) EXPECT_TRUE(seen->data.empty()) << key;
}

TEST_F(ReflectorTest, StreamsItsListWhereTheServerCan) {
  put("a");
  ReflectorOptions options;
  options.use_watch_list = true;
  start(options);
  expect_in_step();
  put("b");
  expect_in_step();
  EXPECT_EQ(metrics_.requests.count({"list", 200}), 0u);
}

TEST_F(ReflectorTest, PagesWhereTheServerCannotStream) {
  put("a");
  server_.supports_watch_list = false;
  ReflectorOptions options;
  options.use_watch_list = true;
  start(options);
  expect_in_step();
  EXPECT_TRUE(store_.synced());
}

// A watch that stands still looks like a quiet collection: only asking tells.
TEST_F(ReflectorTest, ARefreshBringsWhatAStandingWatchHasNotBrought) {
  StandingWatches line(server_);
  Client client(line, config());
  put("a");
  line.stand = true;
  reflector_ = std::make_unique<Reflector>(client, kConfigMaps, ReflectorOptions{}, store_, clock_, random_);
  loop_.spawn(reflector_->run(scope_));
  settle();
  put("b");
  server_.erase(kConfigMaps, {"demo", "a"});
  settle();
  EXPECT_NE(store_.get({"demo", "a"}), nullptr) << "the watch was to stand still";
  line.stand = false;
  reflector_->refresh();
  EXPECT_FALSE(reflector_->fresh());
  settle();
  EXPECT_TRUE(reflector_->fresh());
  expect_in_step();
  put("c");
  expect_in_step();
  scope_.cancel();  // before the client goes
  settle();
}

TEST_F(ReflectorTest, NeitherTheFirstListNorARefreshIsAnsweredWithWhatTheServerHasCached) {
  put("a");
  const uint64_t then = server_.resource_version();
  server_.cached_version = [then] { return then; };
  put("a", "blue");
  server_.put(kConfigMaps, make_object("demo", "b"));
  StandingWatches line(server_);
  line.stand = true;
  Client client(line, config());
  reflector_ = std::make_unique<Reflector>(client, kConfigMaps, ReflectorOptions{}, store_, clock_, random_);
  loop_.spawn(reflector_->run(scope_));
  settle();
  expect_in_step();
  server_.put(kConfigMaps, make_object("demo", "c"));
  settle();
  EXPECT_EQ(store_.size(), 2u) << "the watch stands still";
  reflector_->refresh();
  settle();
  expect_in_step();
  scope_.cancel();  // before the client goes
  settle();
}

TEST_F(ReflectorTest, TriesARefreshUntilItIsThere) {
  start();
  reflector_->refresh();
  settle();
  server_.intercept = [](const net::HttpRequest&) -> std::optional<FakeApiServer::Answer> {
    return FakeApiServer::Answer(absl::UnavailableError("connection refused"));
  };
  reflector_->refresh();
  pass(absl::Minutes(1));
  EXPECT_FALSE(reflector_->fresh());
  server_.intercept = nullptr;
  pass(absl::Minutes(1));
  EXPECT_TRUE(reflector_->fresh());
}

TEST_F(ReflectorTest, StaysInStepThroughAnyMixOfFaults) {
  start();
  for (int round = 0; round < 300; ++round) {
    const int name = static_cast<int>(random_.next() % 6);
    const base::ObjectKey key{"demo", base::cat("m", name)};
    switch (random_.next() % 9) {
      case 0:
        server_.break_watches();
        break;
      case 1:
        server_.close_watches();
        break;
      case 2:
        server_.fail_watches(410, "Expired");
        break;
      case 3:
        server_.compact();
        break;
      case 4:
        if (server_.get(kConfigMaps, key)) server_.erase(kConfigMaps, key);
        break;
      case 5:
        pass(absl::Milliseconds(static_cast<int64_t>(random_.next() % 3000)));
        break;
      case 6:
        reflector_->refresh();
        break;
      default:
        server_.put(kConfigMaps, make_object("demo", key.name, {{"round", round}}));
    }
    if (random_.next() % 2 == 0) settle();
  }
  pass(absl::Minutes(5));
  expect_in_step();
  EXPECT_TRUE(reflector_->fresh());
}

}  // namespace
}  // namespace tidegate::kube
