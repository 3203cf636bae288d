// Models that come and go: what is decided (residency_planner), what is known of their memory (version_memory,
// memory_guess), and the whole of it with a repository that loads fakes of ten bytes each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <list>
#include <thread>

#include "base/clock.h"
#include "base/scratch_folder.h"
#include "fake_backend.h"
#include "serving-runtime/api/oip/rest_api.h"
#include "serving-runtime/core/inference.h"
#include "serving-runtime/repository/heap.h"
#include "serving-runtime/repository/memory_guess.h"
#include "serving-runtime/repository/model_repository.h"
#include "serving-runtime/repository/residency_planner.h"
#include "serving-runtime/repository/resident_models.h"
#include "serving-runtime/repository/version_folders.h"
#include "serving-runtime/repository/version_memory.h"

namespace tidegate::serving {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

// ---------------------------------------------------------------- decisions

std::string next(const ModelResidences& models, uint64_t max_bytes) {
  const auto action = next_residency_action(models, max_bytes);
  if (!action) return "";
  const char* step = action->step == ResidencyStep::kLoad     ? "load "
                     : action->step == ResidencyStep::kUnload ? "unload "
                                                              : "refuse ";
  return step + action->model;
}

ModelResidence absent(uint64_t bytes, uint64_t asked = 0) { return {Presence::kAbsent, bytes, 0, 0, asked}; }
ModelResidence resident(uint64_t bytes, uint64_t last_used, size_t uses = 0) {
  return {Presence::kResident, bytes, uses, last_used, 0};
}

TEST(ResidencyPlanner, LoadsWhatWasAskedForFirst) {
  EXPECT_EQ(next({{"a", absent(10)}, {"b", absent(10)}}, 100), "") << "nobody asks";
  EXPECT_EQ(next({{"a", absent(10, 2)}, {"b", absent(10, 1)}}, 100), "load b");
  EXPECT_EQ(next({{"a", absent(10, 2)}, {"b", {Presence::kAbsent, std::nullopt, 0, 0, 1}}}, 100), "load a")
      << "how large b is is not known yet";
}

TEST(ResidencyPlanner, MakesRoomByTheModelThatWasUsedLongestAgo) {
  ModelResidences models = {{"a", resident(40, 7)}, {"b", resident(40, 3)}, {"c", absent(30, 9)}};
  EXPECT_EQ(next(models, 110), "load c") << "there is room";
  EXPECT_EQ(next(models, 100), "unload b");
  models["b"].presence = Presence::kUnloading;
  EXPECT_EQ(next(models, 100), "") << "it is going";
  models["b"].presence = Presence::kAbsent;
  EXPECT_EQ(next(models, 100), "load c");
}

TEST(ResidencyPlanner, NeverUnloadsAModelInUse) {
  EXPECT_EQ(next({{"a", resident(40, 7)}, {"b", resident(40, 3, 1)}, {"c", absent(30, 9)}}, 100), "unload a");
  EXPECT_EQ(next({{"a", resident(40, 7, 2)}, {"b", resident(40, 3, 1)}, {"c", absent(30, 9)}}, 100), "");
}

TEST(ResidencyPlanner, RefusesWhatWillNeverFitAndUnloadsNothingForIt) {
  EXPECT_EQ(next({{"a", resident(40, 7)}, {"b", absent(101, 1)}}, 100), "refuse b");
}

TEST(ResidencyPlanner, UnloadsWhatHasGrownBeyondTheBudget) {
  EXPECT_EQ(next({{"a", resident(60, 7)}, {"b", resident(60, 8)}}, 100), "unload a");
}

TEST(ResidencyPlanner, KeepsTheRoomForThoseWhoCameFirst) {
  EXPECT_EQ(next({{"a", resident(90, 1, 1)}, {"large", absent(50, 2)}, {"small", absent(5, 3)}}, 100), "")
      << "or the large one would wait for ever";
}

TEST(VersionMemory, CountsTheFilesThenWhatLoadingTookThenWhatUnloadingGaveBack) {
  VersionMemory memory;
  EXPECT_EQ(memory.bytes(1), 0u);
  memory.expect(1, 100);
  EXPECT_EQ(memory.bytes(1), 100u);
  EXPECT_FALSE(memory.is_measured(1));
  memory.loaded(1, 900);
  EXPECT_TRUE(memory.is_measured(1));
  EXPECT_EQ(memory.bytes(1), 900u);
  memory.freed(1, 300);
  EXPECT_EQ(memory.bytes(1), 300u);
  memory.loaded(1, 200);
  EXPECT_EQ(memory.bytes(1), 300u) << "requests made it keep more";
  memory.freed(1, 5);
  EXPECT_EQ(memory.bytes(1), 100u) << "the files are mapped";
}

TEST(MemoryGuess, IsTheLowerMedianOfWhatWasLearned) {
  MemoryGuess guess;
  EXPECT_EQ(guess.expected_bytes(100), 100u);
  EXPECT_TRUE(guess.learn("first", 10, 500)) << "its backend woke up";
  EXPECT_EQ(guess.expected_bytes(100), 5000u);
  EXPECT_TRUE(guess.learn("second", 10, 30));
  EXPECT_EQ(guess.expected_bytes(100), 300u);
  EXPECT_FALSE(guess.learn("second", 10, 30));
  EXPECT_TRUE(guess.learn("third", 10, 5));
  EXPECT_TRUE(guess.learn("first", 10, 5));
  EXPECT_EQ(guess.expected_bytes(100), 100u) << "never less than the files";
  guess.forget("third");
  guess.forget("first");
  EXPECT_EQ(guess.expected_bytes(100), 300u);
}

TEST(HeapInUse, CountsWhatIsAllocatedAndNotFreed) {
  constexpr uint64_t kBytes = 64 << 20;
  const uint64_t before = heap_in_use();
  if (before == 0) GTEST_SKIP() << "this build has an allocator of its own";
  auto block = std::make_unique<std::vector<char>>(kBytes);
  EXPECT_GE(heap_in_use(), before + kBytes);
  block.reset();
  EXPECT_LT(heap_in_use(), before + kBytes);
}

// ---------------------------------------------------------------- the whole

// Stands still until it is told to move, or moves by a millisecond with each look: for threads, which wait for it.
class TestClock : public base::ManualClock {
 public:
  absl::Duration uptime() const override {
    return ManualClock::uptime() + absl::Milliseconds(moves_ ? ++looks_ : looks_.load());
  }
  void move() { moves_ = true; }

 private:
  std::atomic<bool> moves_ = false;
  mutable std::atomic<int> looks_ = 0;
};

class ResidentModelsTest : public testing::Test {
 protected:
  static constexpr uint64_t kModelBytes = 10;

  ModelConfig in(const std::string& name, size_t file_bytes = 1) {
    fs::create_directories(base_ / name / "1");
    std::ofstream(base_ / name / "1/model") << std::string(file_bytes, 'x');
    ModelConfig config;
    config.name = name;
    config.base_path = base_ / name;
    return config;
  }
  void configure(std::vector<ModelConfig> models) {
    std::optional<absl::Status> result;
    repository_.reload(std::move(models), [&result](const auto& outcome) { result = outcome.status; });
    settle();
    ASSERT_TRUE(result && result->ok()) << result.value_or(absl::UnknownError("nothing was said"));
  }
  // Until nothing is to be done before time moves.
  void settle() {
    do {
      while (!repository_.run_one()) {
      }
      for (const auto& work : std::exchange(posted_, {})) work();
    } while (!posted_.empty() || repository_.run_one() == std::nullopt);
  }

  // A request as front ends make it: it has its model when `use` is set, and fails when that is an error.
  struct Request {
    std::optional<absl::StatusOr<ModelUse>> use;
    bool waits() const { return !use.has_value(); }
    std::string result() const { return waits() ? "waits" : use->ok() ? "ok" : std::string((*use).status().message()); }
    void end() { use = absl::CancelledError("it has ended"); }
  };
  Request& ask(const std::string& model, absl::Time deadline = absl::InfiniteFuture()) {
    Request& request = requests_.emplace_back();
    residents_.need(model, deadline, [&request](absl::StatusOr<ModelUse> use) { request.use = std::move(use); });
    return request;
  }
  // Asks, and is answered.
  std::string use(const std::string& model) {
    Request& request = ask(model);
    settle();
    const std::string result = request.result();
    request.end();
    settle();
    return result;
  }
  std::vector<std::string> loaded() {
    std::vector<std::string> names;
    for (const auto& [name, entry] : directory_.read()->models) {
      if (directory_.read()->find({name, {}, {}}).ok()) names.push_back(name);
    }
    return names;
  }
  VersionState state(const std::string& model) { return directory_.read()->models.at(model).versions.at(1).state; }

  const base::ScratchFolder base_;
  FakeBackend backend_;
  ServableDirectory directory_;
  TestClock clock_;
  std::vector<std::function<void()>> posted_;
  std::function<void(std::function<void()>)> post_ = [this](auto work) { posted_.push_back(std::move(work)); };
  uint64_t model_bytes_ = kModelBytes;
  uint64_t one_off_ = 0;  // what the first load takes beside the model
  ResidentModels residents_{
      {3 * kModelBytes, 4, absl::Seconds(60), [this](std::function<void()> work) { post_(std::move(work)); }}, clock_};
  ModelRepository repository_{[this](const std::string&) { return &backend_; }, directory_, clock_, options()};
  std::list<Request> requests_;

 private:
  RepositoryOptions options() {
    RepositoryOptions options;
    options.loading.memory_in_use = [this] {
      return 1000 + *backend_.alive * model_bytes_ + (backend_.loads > 0 ? one_off_ : 0);
    };
    options.residents = &residents_;
    return options;
  }
};

TEST_F(ResidentModelsTest, LoadsAModelWhenItIsAskedForAndNotBefore) {
  configure({in("a"), in("b")});
  EXPECT_EQ(backend_.loads, 0);
  EXPECT_TRUE(directory_.read()->ready()) << "requests can be answered";
  EXPECT_EQ(state("a"), VersionState::kStart);
  EXPECT_TRUE(directory_.read()->can_serve({"a", {}, {}}));
  EXPECT_FALSE(directory_.read()->can_serve({"a", 2, {}}));
  EXPECT_FALSE(directory_.read()->can_serve({"c", {}, {}}));
  Request& request = ask("a");
  EXPECT_TRUE(request.waits());
  settle();
  EXPECT_EQ(request.result(), "ok");
  EXPECT_THAT(loaded(), ElementsAre("a"));
  EXPECT_FALSE(ask("a").waits()) << "it is loaded";
}

TEST_F(ResidentModelsTest, ManyRequestsWaitForOneLoad) {
  configure({in("a")});
  Request &first = ask("a"), &second = ask("a"), &third = ask("a");
  EXPECT_EQ(residents_.counts().waiting, 3u);
  settle();
  EXPECT_EQ(first.result() + second.result() + third.result(), "okokok");
  EXPECT_EQ(backend_.loads, 1);
  EXPECT_EQ(residents_.counts().waiting, 0u);
  EXPECT_EQ(residents_.counts().models.at("a").loads, 1u);
}

TEST_F(ResidentModelsTest, LoadsModelsInTheOrderInWhichTheyWereAskedFor) {
  configure({in("a"), in("b"), in("c")});
  std::vector<std::string> order;
  backend_.on_load = [&order](const std::string& folder) {
    order.push_back(fs::path(folder).parent_path().filename());
    return absl::OkStatus();
  };
  clock_.advance(absl::Seconds(2));  // all are to be looked at, too
  for (const char* model : {"c", "a", "b"}) ask(model);
  settle();
  EXPECT_THAT(order, ElementsAre("c", "a", "b"));
}

TEST_F(ResidentModelsTest, UnloadsTheModelUsedLongestAgoForAnother) {
  configure({in("a"), in("b"), in("c"), in("d")});
  for (const char* model : {"a", "b", "c", "a"}) EXPECT_EQ(use(model), "ok");
  EXPECT_EQ(use("d"), "ok");
  EXPECT_THAT(loaded(), ElementsAre("a", "c", "d"));
  EXPECT_EQ(state("b"), VersionState::kStart) << "the next request loads it";
  EXPECT_EQ(*backend_.alive, 3);
  const auto counts = residents_.counts();
  EXPECT_EQ(counts.models.at("b").evictions, 1u);
  EXPECT_EQ(counts.models.at("b").resident_bytes, 0u);
  EXPECT_EQ(counts.models.at("d").resident_bytes, kModelBytes);
  EXPECT_EQ(use("b"), "ok");
  EXPECT_EQ(residents_.counts().models.at("b").loads, 2u);
}

TEST_F(ResidentModelsTest, NeverUnloadsAModelInUseSoThatARequestForAnotherWaits) {
  configure({in("a"), in("b"), in("c"), in("d")});
  for (const char* model : {"a", "b", "c"}) ask(model);
  settle();
  Request& waiting = ask("d");
  settle();
  EXPECT_TRUE(waiting.waits());
  EXPECT_THAT(loaded(), ElementsAre("a", "b", "c"));
  std::next(requests_.begin())->end();
  settle();
  EXPECT_EQ(waiting.result(), "ok");
  EXPECT_THAT(loaded(), ElementsAre("a", "c", "d"));
}

TEST_F(ResidentModelsTest, FreesAModelThoughARequestForAnotherOneIsInFlight) {
  configure({in("a"), in("b"), in("c"), in("d")});
  for (const char* model : {"a", "b", "c"}) EXPECT_EQ(use(model), "ok");
  Request& held = ask("b");
  Inference in_flight(clock_, clock_.uptime());
  ASSERT_TRUE(in_flight.choose(directory_, {"b", {}, {}}).ok());
  EXPECT_EQ(use("d"), "ok");
  EXPECT_THAT(loaded(), ElementsAre("b", "c", "d"));
  EXPECT_EQ(*backend_.alive, 3);
  held.end();
}

TEST_F(ResidentModelsTest, WaitsForWhoeverLooksAtTheTableBeforeItTakesTheMemoryForFree) {
  configure({in("a"), in("b"), in("c"), in("d")});
  for (const char* model : {"a", "b", "c"}) EXPECT_EQ(use(model), "ok");
  auto glance = directory_.read();
  Request& request = ask("d");
  settle();
  EXPECT_EQ(state("a"), VersionState::kUnloading);
  EXPECT_TRUE(request.waits());
  glance.reset();
  clock_.advance(absl::Milliseconds(10));
  settle();
  EXPECT_EQ(request.result(), "ok");
  EXPECT_EQ(*backend_.alive, 3);
}

// What several threads do to it at once.
class ResidentThreadsTest : public ResidentModelsTest {
 protected:
  ResidentThreadsTest() {
    post_ = [this](std::function<void()> work) { boost::asio::post(answering_, std::move(work)); };
    backend_.on_load = [this](const std::string&) {
      most_loaded_ = std::max(most_loaded_, *backend_.alive + 1);  // one is loaded at a time
      return absl::OkStatus();
    };
  }
  ~ResidentThreadsTest() override { answering_.join(); }

  // A request that looks for its model while it holds it.
  void use_once(const std::string& model) {
    std::promise<absl::StatusOr<ModelUse>> answer;
    residents_.need(model, absl::InfiniteFuture(), [&answer](const auto& use) { answer.set_value(use); });
    const absl::StatusOr<ModelUse> use = answer.get_future().get();
    if (!use.ok() || !directory_.find({model, {}, {}}).ok()) ++without_model_;
  }

  int most_loaded_ = 0;
  std::atomic<int> without_model_ = 0;
  boost::asio::thread_pool answering_{1};
};

TEST_F(ResidentThreadsTest, StayWithinTheBudgetAndNoRequestLosesItsModel) {
  const std::vector<std::string> names = {"a", "b", "c", "d", "e", "f"};
  std::vector<ModelConfig> models;
  for (const std::string& name : names) models.push_back(in(name));
  configure(models);
  clock_.move();
  std::thread loading([this] { repository_.run(); });
  std::vector<std::thread> clients;
  for (size_t number = 0; number < 4; ++number) {
    clients.emplace_back([this, &names, number] {
      for (size_t i = 0; i < 300; ++i) use_once(names[(i * (number + 1) + i / 7) % names.size()]);
    });
  }
  for (std::thread& client : clients) client.join();
  repository_.stop();
  loading.join();
  EXPECT_EQ(without_model_, 0);
  EXPECT_LE(most_loaded_, 3);
  EXPECT_EQ(residents_.counts().waiting, 0u);
  uint64_t loads = 0, evictions = 0;
  for (const auto& [name, model] : residents_.counts().models) loads += model.loads, evictions += model.evictions;
  EXPECT_EQ(loads, static_cast<uint64_t>(backend_.loads));
  EXPECT_GT(evictions, 3u);
}

TEST_F(ResidentModelsTest, RefusesAModelWhoseFilesAreLargerThanTheBudget) {
  configure({in("a"), in("large", 31)});
  EXPECT_EQ(use("a"), "ok");
  EXPECT_EQ(use("large"), "Model large takes 31 bytes, more than the 30 of --max-resident");
  EXPECT_EQ(backend_.loads, 1) << "it was not even tried";
  EXPECT_THAT(loaded(), ElementsAre("a"));
}

TEST_F(ResidentModelsTest, DoesNotBlameAModelForWhatTheBackendsFirstLoadTakes) {
  one_off_ = 100;
  configure({in("a")});
  EXPECT_EQ(use("a"), "ok") << "loaded twice: unloading it showed how large it is";
  EXPECT_EQ(backend_.loads, 2);
  EXPECT_EQ(residents_.counts().models.at("a").resident_bytes, kModelBytes);
}

TEST_F(ResidentModelsTest, RefusesAModelThatTurnsOutToTakeMoreThanTheBudget) {
  model_bytes_ = 40;
  configure({in("a")});
  EXPECT_EQ(use("a"), "Model a takes 40 bytes, more than the 30 of --max-resident");
  EXPECT_EQ(backend_.loads, 1);
  EXPECT_EQ(*backend_.alive, 0);
  EXPECT_EQ(use("a"), "Model a takes 40 bytes, more than the 30 of --max-resident");
  EXPECT_EQ(backend_.loads, 1) << "it is known now";
}

TEST_F(ResidentModelsTest, ExpectsOfAModelThatWasNeverLoadedWhatTheOthersTurnedOutToTake) {
  configure({in("a", 2), in("b", 2), in("c", 3), in("d", 2)});
  for (const char* model : {"a", "b"}) EXPECT_EQ(use(model), "ok");
  EXPECT_EQ(use("c"), "ok");
  EXPECT_THAT(loaded(), ElementsAre("b", "c")) << "there was room for its files, but not for what such files take";
}

TEST_F(ResidentModelsTest, LoadsTheFirstAloneSinceItShowsWhatTheOthersTake) {
  configure({in("a", 2), in("b", 2), in("c", 2), in("d", 2), in("e", 2)});
  for (const char* model : {"a", "b", "c", "d", "e"}) ask(model);
  settle();
  EXPECT_THAT(loaded(), ElementsAre("a", "b", "c")) << "the files of all would have had room";
}

TEST_F(ResidentModelsTest, EndsTheWaitingAtTheDeadline) {
  configure({in("a"), in("b"), in("c"), in("d")});
  for (const char* model : {"a", "b", "c"}) ask(model);
  settle();
  Request &patient = ask("d"), &hasty = ask("d", clock_.now() + absl::Seconds(2));
  EXPECT_EQ(residents_.expire(), clock_.now() + absl::Seconds(2));
  clock_.advance(absl::Seconds(2));
  EXPECT_EQ(residents_.expire(), absl::InfiniteFuture());
  settle();
  EXPECT_THAT(hasty.result(), HasSubstr("The deadline passed"));
  EXPECT_TRUE(patient.waits());
  EXPECT_THAT(ask("d", clock_.now() - absl::Seconds(1)).result(), HasSubstr("The deadline passed"));
}

TEST_F(ResidentModelsTest, LoadsNothingForRequestsThatHaveGivenUp) {
  configure({in("a"), in("b"), in("c"), in("d")});
  for (const char* model : {"a", "b", "c"}) ask(model);
  settle();
  ask("d", clock_.now() + absl::Seconds(1));
  clock_.advance(absl::Seconds(2));
  residents_.expire();
  for (Request& request : requests_) request.end();
  settle();
  EXPECT_THAT(loaded(), ElementsAre("a", "b", "c"));
}

TEST_F(ResidentModelsTest, RefusesRequestsWhenTooManyWait) {
  configure({in("a"), in("b")});
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ask("a").waits());
  EXPECT_THAT(ask("b").result(), HasSubstr("Too many requests wait"));
  settle();
  EXPECT_EQ(use("b"), "ok");
}

TEST_F(ResidentModelsTest, TellsEverybodyWhoWaitsWhyALoadFailedAndTriesAgainLater) {
  configure({in("a"), in("b")});
  backend_.on_load = [](const std::string&) { return absl::DataLossError("torn"); };
  Request &first = ask("a"), &second = ask("a");
  settle();
  EXPECT_EQ(first.result(), "Model a version 1: torn");
  EXPECT_EQ(second.result(), "Model a version 1: torn");
  EXPECT_EQ(state("a"), VersionState::kEnd);
  EXPECT_FALSE(directory_.read()->can_serve({"a", {}, {}}));
  EXPECT_TRUE(directory_.read()->ready()) << "b is not to suffer";
  backend_.on_load = [](const std::string&) { return absl::OkStatus(); };
  EXPECT_EQ(ask("a").result(), "Model a version 1: torn");
  EXPECT_EQ(backend_.loads, 1);
  clock_.advance(absl::Seconds(61));
  EXPECT_EQ(use("a"), "ok");
}

TEST_F(ResidentModelsTest, LoadsAndUnloadsOnRequestToo) {
  configure({in("a"), in("b")});
  std::optional<absl::Status> result;
  const auto done = [&result](absl::Status status) { result = std::move(status); };
  backend_.on_load = [](const std::string&) { return absl::DataLossError("torn"); };
  repository_.load("a", done);
  settle();
  EXPECT_EQ(result->code(), absl::StatusCode::kDataLoss);
  backend_.on_load = [](const std::string&) { return absl::OkStatus(); };
  repository_.load("a", done);
  settle();
  EXPECT_TRUE(result->ok()) << "somebody wants it expressly: no pause";
  EXPECT_THAT(loaded(), ElementsAre("a"));
  repository_.unload("a", done);
  settle();
  EXPECT_TRUE(result->ok());
  EXPECT_EQ(*backend_.alive, 0);
  EXPECT_EQ(use("a"), "ok") << "no model to wait for: the table says that there is none";
  EXPECT_THAT(loaded(), ElementsAre());
  repository_.load("a", done);
  settle();
  EXPECT_THAT(loaded(), ElementsAre("a"));
}

TEST_F(ResidentModelsTest, LetsThoseGoOnWhoWaitForAModelThatIsTakenOut) {
  configure({in("a"), in("b"), in("c"), in("d")});
  for (const char* model : {"a", "b", "c"}) ask(model);
  settle();
  Request& waiting = ask("d");
  configure({in("a")});
  EXPECT_EQ(waiting.result(), "ok");
  EXPECT_EQ(directory_.read()->find({"d", {}, {}}).status().code(), absl::StatusCode::kNotFound);
  requests_.clear();
  clock_.advance(absl::Seconds(1));
  settle();
  EXPECT_EQ(*backend_.alive, 1);
}

TEST_F(ResidentModelsTest, LooksForNewVersionsOfModelsThatAreLoadedAndOfThoseThatAreNot) {
  configure({in("a"), in("b")});
  EXPECT_EQ(use("a"), "ok");
  for (const char* model : {"a", "b"}) fs::create_directories(base_ / model / "2");
  clock_.advance(absl::Seconds(2));
  settle();
  EXPECT_EQ((*directory_.read()->find({"a", {}, {}}))->version(), 2);
  const auto& versions = directory_.read()->models.at("b").versions;
  ASSERT_EQ(versions.size(), 1u) << "version 1 is not wanted any more";
  EXPECT_EQ(versions.at(2).state, VersionState::kStart);
}

TEST_F(ResidentModelsTest, SaysThatABasePathIsEmptyAtOnce) {
  ModelConfig none = in("a");
  fs::remove_all(base_ / "a" / "1");
  std::optional<absl::Status> result;
  repository_.reload({none}, [&result](const auto& outcome) { result = outcome.failed.at("a"); });
  settle();
  EXPECT_THAT(result->message(), HasSubstr("No versions of model a found under base path"));
  EXPECT_FALSE(directory_.read()->ready());
  EXPECT_THAT(ask("a").result(), HasSubstr("No versions of model a found under base path"));
}

TEST_F(ResidentModelsTest, RefusesWhoeverWaitsWhenTheServerEnds) {
  configure({in("a")});
  Request& request = ask("a");
  repository_.stop();
  settle();
  EXPECT_THAT(request.result(), HasSubstr("shutting down"));
  EXPECT_THAT(ask("a").result(), HasSubstr("shutting down"));
}

TEST_F(ResidentModelsTest, CountsAFolderWithAllThatIsInIt) {
  in("a", 100);
  fs::create_directories(base_ / "a/1/variables");
  std::ofstream(base_ / "a/1/variables/data") << std::string(50, 'x');
  EXPECT_EQ(folder_bytes(base_ / "a/1"), 150u);
  EXPECT_EQ(folder_bytes(base_ / "none"), 0u);
}

// ---------------------------------------------------------------- through a front end

class ResidentDoor : public ResidentModelsTest {
 protected:
  // The answer comes when settle() has run.
  std::shared_ptr<net::ServerResponse> send(std::string method, std::string target, std::string body = "") {
    auto answer = std::make_shared<net::ServerResponse>();
    answer->status = 0;
    net::ServerRequest request{std::move(method), std::move(target), {}, std::move(body), ""};
    api_.handle(std::move(request), net::Responder([answer](net::ServerResponse sent) { *answer = std::move(sent); }));
    return answer;
  }

  InferenceGate gate_{{1, 0}, [this](InferenceGate::Work work) { posted_.push_back(std::move(work)); }};
  RequestMetrics metrics_;
  FrontEndContext context_{directory_, gate_, metrics_, clock_, &repository_, &residents_};
  oip::RestApi api_{context_};
};

constexpr const char* kInfer = R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[2]}]})";

TEST_F(ResidentDoor, AnswersARequestWhenItsModelHasBeenLoaded) {
  configure({in("a")});
  const auto ready = send("GET", "/v2/models/a/ready");
  EXPECT_EQ(ready->status, 200);
  const auto index = send("POST", "/v2/repository/index");
  EXPECT_THAT(index->body, testing::AllOf(HasSubstr("UNAVAILABLE"), HasSubstr("the first request for it loads it")));
  const auto answer = send("POST", "/v2/models/a/infer", kInfer);
  EXPECT_EQ(answer->status, 0) << "it waits";
  settle();
  EXPECT_EQ(answer->status, 200);
  EXPECT_THAT(answer->body, HasSubstr("[3"));
  EXPECT_THAT(send("POST", "/v2/repository/index")->body, HasSubstr("READY"));
}

TEST_F(ResidentDoor, LoadsAModelWhoseSignaturesSomebodyWantsToKnow) {
  configure({in("a")});
  const auto metadata = send("GET", "/v2/models/a");
  settle();
  EXPECT_EQ(metadata->status, 200);
  EXPECT_THAT(metadata->body, HasSubstr("FP32"));
}

TEST_F(ResidentDoor, AnswersForModelsThatAreNotConfiguredAsEver) {
  configure({in("a")});
  const auto answer = send("POST", "/v2/models/b/infer", kInfer);
  EXPECT_EQ(answer->status, 404);
}

TEST_F(ResidentDoor, CountsWhatItTurnsAway) {
  configure({in("a"), in("large", 31)});
  const auto large = send("POST", "/v2/models/large/infer", kInfer);
  settle();
  EXPECT_EQ(large->status, 429);
  use("a");
  EXPECT_TRUE(gate_.run("a", [this] { EXPECT_EQ(send("POST", "/v2/models/a/infer", kInfer)->status, 429); }).ok());
  EXPECT_TRUE(
      gate_.run("a", [this] { EXPECT_EQ(send("POST", "/v2/models/stranger/infer", kInfer)->status, 429); }).ok());
  const std::string metrics = metrics_.render(*directory_.read(), gate_);
  const std::string name = "tidegate_runtime_requests_refused_total{";
  EXPECT_THAT(metrics, HasSubstr(name + R"(api="oip_rest",code="RESOURCE_EXHAUSTED",model="large"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(name + R"(api="oip_rest",code="RESOURCE_EXHAUSTED",model="a"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(name + R"(api="oip_rest",code="RESOURCE_EXHAUSTED",model=""} 1)"));
}

TEST_F(ResidentDoor, TellsMetricsWhatIsLoaded) {
  configure({in("a"), in("b")});
  EXPECT_EQ(use("a"), "ok");
  metrics_.watch(residents_);
  const std::string metrics = metrics_.render(*directory_.read(), gate_);
  EXPECT_THAT(metrics, HasSubstr(R"(tidegate_runtime_model_resident_bytes{model="a"} 10)"));
  EXPECT_THAT(metrics, HasSubstr(R"(tidegate_runtime_model_resident_bytes{model="b"} 0)"));
  EXPECT_THAT(metrics, HasSubstr(R"(tidegate_runtime_model_loads_on_demand_total{model="a"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(tidegate_runtime_model_evictions_total{model="a"} 0)"));
  EXPECT_THAT(metrics, HasSubstr("tidegate_runtime_max_resident_bytes 30"));
}

}  // namespace
}  // namespace tidegate::serving
