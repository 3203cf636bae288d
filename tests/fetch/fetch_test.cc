// The fetch command against a real MinIO, good days and bad ones.
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/digest.h"
#include "base/scratch_folder.h"
#include "base/strings.h"
#include "fetch/fault_proxy.h"
#include "fetch/fetch_process.h"
#include "net/scripted_server.h"
#include "storage/minio_server.h"
#include "storage/model_source.h"
#include "storage/store_world.h"

namespace tidegate::serving {
namespace {

namespace fs = std::filesystem;
using base::cat;
using storage::MinioServer;
using ::testing::HasSubstr;
using ::testing::Not;
using Verdict = FaultProxy::Verdict;

constexpr size_t kMiB = 1 << 20;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class Fetch : public testing::Test {
 protected:
  static void SetUpTestSuite() { server = new MinioServer("models"); }
  static void TearDownTestSuite() {
    delete server;
    server = nullptr;
  }
  void SetUp() override {
    if (!server->started()) GTEST_FAIL() << "there is no MinIO";
    store = world.store(server->options(), "models");
    model = testing::UnitTest::GetInstance()->current_test_info()->name();
  }

  void put(const std::string& path, std::string body) {
    const auto info = world.run(store->put(cat(model, "/1/", path), std::move(body), world.scope));
    ASSERT_TRUE(info.ok()) << info.status();
  }
  // One file of several parts.
  void put_large_model() {
    large = std::string(6 * kMiB + 12345, 'A');
    for (size_t i = 0; i < large.size(); i += 1000) large[i] = static_cast<char>('a' + (i / 1000) % 26);
    put("saved_model.pb", large);
  }
  std::string source_digest() {
    return world.run(storage::resolve_version(*store, model, "1", world.scope)).value().digest;
  }

  std::vector<std::string> arguments(const std::string& endpoint, std::vector<std::string> more = {}) {
    std::vector<std::string> words = {cat("--uri=s3://models/", model, "/1"), "--dest=" + destination().string(),
                                      "--s3-endpoint=" + endpoint, "--part-size=1", "--connections=2"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::map<std::string, std::string> environment() const {
    return {{"AWS_ACCESS_KEY_ID", MinioServer::kUser}, {"AWS_SECRET_ACCESS_KEY", MinioServer::kPassword}};
  }
  std::unique_ptr<FetchProcess> start(const std::string& endpoint, std::vector<std::string> more = {}) {
    return std::make_unique<FetchProcess>(arguments(endpoint, std::move(more)), environment(), scratch.string());
  }
  fs::path destination() const { return scratch / "models" / model / "1"; }

  static MinioServer* server;
  storage::StoreWorld world;
  std::unique_ptr<storage::ObjectStore> store;
  base::ScratchFolder scratch;
  std::string model;
  std::string large;
};
MinioServer* Fetch::server = nullptr;

// Whether it says that, soon.
bool says(const FetchProcess& fetch, const std::string& words) {
  const absl::Time give_up = absl::Now() + absl::Seconds(20);
  while (fetch.words().find(words) == std::string::npos && absl::Now() < give_up) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  return fetch.words().find(words) != std::string::npos;
}

TEST_F(Fetch, PutsEveryFileInPlaceAndReportsItsDigest) {
  put_large_model();
  put("variables/variables.index", "index");
  put("assets/sp ace+\xc3\xa9.txt", "odd");
  put("empty", "");
  auto fetch = start(server->endpoint(), {"--source-digest=" + source_digest()});
  ASSERT_EQ(fetch->wait(), 0) << fetch->words();
  EXPECT_EQ(read_file(destination() / "saved_model.pb"), large);
  EXPECT_EQ(read_file(destination() / "variables/variables.index"), "index");
  EXPECT_EQ(read_file(destination() / "assets/sp ace+\xc3\xa9.txt"), "odd");
  EXPECT_TRUE(fs::is_regular_file(destination() / "empty"));

  storage::Manifest manifest = world.run(storage::read_manifest(*store, model + "/1", world.scope)).value();
  for (auto& file : manifest.files) file.sha256 = base::sha256_hex(read_file(destination() / file.path));
  const nlohmann::json message = fetch->termination();
  EXPECT_EQ(message["digest"], "sha256:" + storage::content_digest(manifest).value());
  EXPECT_EQ(message["bytes"], large.size() + 8);
  EXPECT_EQ(message["files"], 4);
}

TEST_F(Fetch, KnowsAFinishedFolderWithoutTheStore) {
  put("saved_model.pb", "model");
  const std::string digest = source_digest();
  auto first = start(server->endpoint(), {"--source-digest=" + digest});
  ASSERT_EQ(first->wait(), 0) << first->words();
  auto second = start("http://127.0.0.1:1", {"--source-digest=" + digest});
  EXPECT_EQ(second->wait(), 0) << second->words();
  EXPECT_THAT(second->words(), HasSubstr("already complete"));
  EXPECT_EQ(second->termination(), first->termination());
}

TEST_F(Fetch, ReplacesAFolderThatHoldsAnotherDigest) {
  put("old", "1");
  ASSERT_EQ(start(server->endpoint())->wait(), 0);
  put("new", "2");
  auto fetch = start(server->endpoint(), {"--source-digest=" + source_digest()});
  ASSERT_EQ(fetch->wait(), 0) << fetch->words();
  EXPECT_TRUE(fs::exists(destination() / "new"));
}

TEST_F(Fetch, NamesTheReasonOfEachRefusal) {
  put("saved_model.pb", "model");
  struct Case {
    std::vector<std::string> arguments;
    std::map<std::string, std::string> environment;
    std::string reason;
    std::string words;
  };
  auto wrong_key = environment();
  wrong_key["AWS_SECRET_ACCESS_KEY"] = "not-the-secret";
  const std::vector<Case> cases = {
      {{}, wrong_key, "AccessDenied", "SignatureDoesNotMatch"},
      {{}, {}, "AccessDenied", "AccessDenied"},
      {{"--uri=s3://no-such-bucket/x/1"}, environment(), "VersionNotFound", "NoSuchBucket"},
      {{cat("--uri=s3://models/", model, "/2")}, environment(), "VersionNotFound", model + "/2/"},
      {{"--s3-endpoint=http://127.0.0.1:1", "--give-up-after=0.1"}, environment(), "StoreUnreachable", "127.0.0.1:1"},
      {{"--source-digest=" + std::string(64, '0')}, environment(), "DigestChanged", "must not be overwritten"},
  };
  for (const Case& c : cases) {
    // A later option replaces an earlier one of the same name.
    std::map<std::string, std::string> options;
    for (const std::string& word : arguments(server->endpoint(), c.arguments))
      options[word.substr(0, word.find('='))] = word;
    std::vector<std::string> words;
    for (const auto& [name, word] : options) words.push_back(word);
    FetchProcess fetch(words, c.environment, scratch.string());
    EXPECT_EQ(fetch.wait(), 1) << fetch.words();
    EXPECT_EQ(fetch.termination()["error"], c.reason);
    EXPECT_THAT(fetch.termination()["message"].get<std::string>(), HasSubstr(c.words));
    EXPECT_THAT(fetch.words(), Not(HasSubstr("not-the-secret")));
    EXPECT_THAT(fetch.words(), Not(HasSubstr(MinioServer::kPassword)));
    EXPECT_FALSE(fs::exists(destination()));
  }
}

TEST_F(Fetch, RefusesArgumentsThatMakeNoSense) {
  for (std::vector<std::string> words :
       std::vector<std::vector<std::string>>{{},
                                             {"--uri=s3://models/m/1"},
                                             {"--uri=gs://models/m/1", "--dest=/tmp/x/1"},
                                             {"--uri=s3://models/m/1", "--dest=relative/1"},
                                             {"--uri=s3://models/m/1", "--dest=/tmp/x/1", "--source-digest=abc"},
                                             {"--uri=s3://models/m/1", "--dest=/tmp/x/1", "--s3-endpoint=minio"},
                                             {"--uri=s3://models/m/1", "--dest=/tmp/x/1", "--connections=0"},
                                             {"--uri=s3://models/m/1", "--dest=/tmp/x/1", "--log-format=xml"}}) {
    FetchProcess fetch(words, environment(), scratch.string());
    EXPECT_EQ(fetch.wait(), 2) << fetch.words();
    EXPECT_NE(fetch.words(), "");
  }
}

TEST_F(Fetch, ResumesConnectionsThatBreakAgainAndAgain) {
  put_large_model();
  size_t next_cut = 300'000;
  FaultProxy proxy(server->port(), [&](std::string& bytes, size_t seen) {
    if (seen + bytes.size() < next_cut) return Verdict::kPass;
    next_cut += 700'000;
    return Verdict::kCut;
  });
  auto fetch = start(proxy.url());
  ASSERT_EQ(fetch->wait(), 0) << fetch->words();
  EXPECT_EQ(read_file(destination() / "saved_model.pb"), large);
  EXPECT_THAT(fetch->words(), HasSubstr("will be asked for again"));
  EXPECT_LT(proxy.passed(), large.size() + kMiB) << "what had arrived must not be loaded again";
}

// A fault that lets `size` bytes pass and then holds everything until it is released; afterwards all passes.
struct Gate {
  explicit Gate(size_t size) : size(size) {}
  Verdict operator()(size_t seen) {
    if (seen < size || released) return Verdict::kPass;
    reached = true;
    while (!released) absl::SleepFor(absl::Milliseconds(1));
    return Verdict::kPass;
  }
  bool wait() const {
    const absl::Time give_up = absl::Now() + absl::Seconds(20);
    while (!reached && absl::Now() < give_up) absl::SleepFor(absl::Milliseconds(1));
    return reached;
  }
  size_t size;
  std::atomic<bool> reached{false};
  std::atomic<bool> released{false};
};

TEST_F(Fetch, GoesOnWhenAKilledStoreComesBack) {
  put_large_model();
  Gate gate(2 * kMiB + kMiB / 2);  // two connections hold at most 2 MiB more: the rest needs the new store
  FaultProxy proxy(server->port(), [&](std::string&, size_t seen) { return gate(seen); });
  auto fetch = start(proxy.url(), {"--source-digest=" + source_digest()});
  ASSERT_TRUE(gate.wait()) << fetch->words();
  server->kill();
  gate.released = true;
  server->restart();
  ASSERT_EQ(fetch->wait(), 0) << fetch->words();
  EXPECT_EQ(read_file(destination() / "saved_model.pb"), large);
}

TEST_F(Fetch, GivesUpAStoreThatStaysAwayAndKeepsWhatItHas) {
  put_large_model();
  Gate gate(3 * kMiB);
  auto proxy = std::make_unique<FaultProxy>(server->port(), [&](std::string&, size_t seen) { return gate(seen); });
  auto fetch = start(proxy->url(), {"--give-up-after=0.5"});
  ASSERT_TRUE(gate.wait()) << fetch->words();
  gate.released = true;
  server->kill();
  proxy.reset();
  EXPECT_EQ(fetch->wait(), 1);
  EXPECT_EQ(fetch->termination()["error"], "StoreUnreachable");
  EXPECT_FALSE(fs::exists(destination()));
  server->restart();
  auto again = start(server->endpoint());
  ASSERT_EQ(again->wait(), 0) << again->words();
  EXPECT_THAT(again->words(), HasSubstr("from an earlier attempt"));
}

TEST_F(Fetch, GoesOnWhereAKilledProcessStood) {
  put_large_model();
  {
    Gate gate(4 * kMiB);
    FaultProxy proxy(server->port(), [&](std::string&, size_t seen) { return gate(seen); });
    auto killed = start(proxy.url());
    ASSERT_TRUE(gate.wait()) << killed->words();
    killed->signal(SIGKILL);
    EXPECT_EQ(killed->wait(), -SIGKILL);
    gate.released = true;
  }
  EXPECT_FALSE(fs::exists(destination())) << "a folder with its final name must be whole";
  FaultProxy counter(server->port(), [](std::string&, size_t) { return Verdict::kPass; });
  auto again = start(counter.url());
  ASSERT_EQ(again->wait(), 0) << again->words();
  EXPECT_EQ(read_file(destination() / "saved_model.pb"), large);
  EXPECT_LT(counter.passed(), large.size() - kMiB);
  EXPECT_THAT(again->words(), HasSubstr("from an earlier attempt"));
  EXPECT_TRUE(fs::is_empty(destination().parent_path() / ".partial") ||
              !fs::exists(cat(destination().parent_path().string(), "/.partial/", source_digest())));
}

TEST_F(Fetch, WaitsForAStoreThatIsNotThereYet) {
  put("saved_model.pb", "model");
  server->kill();
  auto fetch = start(server->endpoint());
  EXPECT_TRUE(says(*fetch, "will be asked for again")) << fetch->words();
  server->restart();
  ASSERT_EQ(fetch->wait(), 0) << fetch->words();
  EXPECT_EQ(read_file(destination() / "saved_model.pb"), "model");
}

// As a fetch that was killed between the rename and the end of its bookkeeping once left things.
TEST_F(Fetch, BelievesNoJournalThatHasOutlivedItsFiles) {
  put_large_model();
  const std::string digest = source_digest();
  const fs::path partial = destination().parent_path() / ".partial";
  fs::create_directories(partial);
  std::ofstream(partial / (digest + ".journal"))
      << nlohmann::json{{"source_digest", digest}} << '\n'
      << nlohmann::json{{"path", "saved_model.pb"}, {"sha256", base::sha256_hex(large)}} << '\n';
  {
    Gate gate(2 * kMiB);
    FaultProxy proxy(server->port(), [&](std::string&, size_t seen) { return gate(seen); });
    auto killed = start(proxy.url());
    ASSERT_TRUE(gate.wait()) << killed->words();
    killed->signal(SIGKILL);
    killed->wait();
    gate.released = true;
  }
  auto again = start(server->endpoint());
  ASSERT_EQ(again->wait(), 0) << again->words();
  EXPECT_EQ(read_file(destination() / "saved_model.pb"), large);
}

TEST_F(Fetch, PublishesNothingThatAReplacedFolderHasLeftBehind) {
  put("saved_model.pb", "model");
  const fs::path partial = destination().parent_path() / ".partial" / source_digest();
  fs::create_directories(partial);
  std::ofstream(partial / "saved_model.pb") << "older";
  std::ofstream(partial / "stray") << "older";
  auto fetch = start(server->endpoint());
  ASSERT_EQ(fetch->wait(), 0) << fetch->words();
  EXPECT_EQ(read_file(destination() / "saved_model.pb"), "model");
  EXPECT_FALSE(fs::exists(destination() / "stray"));
}

TEST_F(Fetch, EndsOnSigtermAndSaysSo) {
  put_large_model();
  Gate gate(2 * kMiB);
  FaultProxy proxy(server->port(), [&](std::string&, size_t seen) { return gate(seen); });
  auto fetch = start(proxy.url());
  ASSERT_TRUE(gate.wait()) << fetch->words();
  fetch->signal(SIGTERM);
  EXPECT_EQ(fetch->wait(), 1);
  gate.released = true;
  EXPECT_THAT(fetch->words(), HasSubstr("interrupted by a signal"));
}

TEST_F(Fetch, EndsAtItsDeadline) {
  put_large_model();
  FaultProxy proxy(server->port(), [](std::string&, size_t) { return Verdict::kHold; });
  auto fetch = start(proxy.url(), {"--deadline=0.3"});
  EXPECT_EQ(fetch->wait(), 1);
  EXPECT_EQ(fetch->termination()["error"], "StoreUnreachable");
  EXPECT_THAT(fetch->words(), HasSubstr("not finished within 0.3 s"));
}

TEST_F(Fetch, OpensANewConnectionWhenOneFallsSilent) {
  put_large_model();
  bool held = false;
  FaultProxy proxy(server->port(), [&](std::string&, size_t seen) {
    if (seen < kMiB / 2 || held) return Verdict::kPass;
    held = true;
    return Verdict::kHold;
  });
  auto fetch = start(proxy.url(), {"--stall-timeout=0.3"});
  ASSERT_EQ(fetch->wait(), 0) << fetch->words();
  EXPECT_EQ(read_file(destination() / "saved_model.pb"), large);
  EXPECT_THAT(fetch->words(), HasSubstr("no byte arrived for 300ms"));
}

TEST_F(Fetch, NoticesAnObjectThatIsOverwrittenMeanwhile) {
  put_large_model();
  Gate gate(2 * kMiB);
  FaultProxy proxy(server->port(), [&](std::string&, size_t seen) { return gate(seen); });
  auto fetch = start(proxy.url(), {"--source-digest=" + source_digest()});
  ASSERT_TRUE(gate.wait()) << fetch->words();
  put("saved_model.pb", std::string(large.size(), 'B'));
  gate.released = true;
  EXPECT_EQ(fetch->wait(), 1);
  EXPECT_EQ(fetch->termination()["error"], "DigestChanged") << fetch->words();
  EXPECT_FALSE(fs::exists(destination()));
}

// Flips a bit in the first `times` pieces that are body and nothing else.
FaultProxy::Fault flip_bits(int times) {
  return [left = times](std::string& bytes, size_t) mutable {
    const size_t at = bytes.find(std::string(100, 'A'));
    if (at != std::string::npos && left-- > 0) bytes[at + 50] ^= 1;
    return Verdict::kPass;
  };
}

TEST_F(Fetch, LoadsAFileAgainThatWasDamagedOnTheWay) {
  put_large_model();
  FaultProxy proxy(server->port(), flip_bits(1));
  auto fetch = start(proxy.url());
  ASSERT_EQ(fetch->wait(), 0) << fetch->words();
  EXPECT_EQ(read_file(destination() / "saved_model.pb"), large);
  EXPECT_THAT(fetch->words(), HasSubstr("a file arrived corrupt"));
}

TEST_F(Fetch, RefusesAFileThatStaysDamaged) {
  put_large_model();
  FaultProxy proxy(server->port(), flip_bits(1'000'000));
  auto fetch = start(proxy.url());
  EXPECT_EQ(fetch->wait(), 1);
  EXPECT_EQ(fetch->termination()["error"], "CorruptObject") << fetch->words();
  EXPECT_THAT(fetch->words(), HasSubstr("saved_model.pb"));
  EXPECT_FALSE(fs::exists(destination()));
}

TEST_F(Fetch, LetsTwoProcessesShareTheWork) {
  put_large_model();
  Gate gate(2 * kMiB);
  FaultProxy proxy(server->port(), [&](std::string&, size_t seen) { return gate(seen); });
  const std::string digest = "--source-digest=" + source_digest();
  auto first = start(proxy.url(), {digest});
  ASSERT_TRUE(gate.wait()) << first->words();
  auto second = start(server->endpoint(), {digest});
  EXPECT_TRUE(says(*second, "waiting for it")) << second->words();
  gate.released = true;
  EXPECT_EQ(first->wait(), 0) << first->words();
  EXPECT_EQ(second->wait(), 0) << second->words();
  EXPECT_THAT(second->words(), HasSubstr("already complete"));
  EXPECT_EQ(read_file(destination() / "saved_model.pb"), large);
}

// What no honest store lists.
TEST_F(Fetch, WritesNothingOutsideOfItsFolder) {
  std::string key;
  net::ScriptedServer hostile([&](const auto& request, auto& connection) {
    if (request.target.find("list-type=2") == std::string::npos) return connection.respond(404, "");
    return connection.respond(
        200,
        cat("<ListBucketResult><Contents><Key>", model, "/1/", key,
            "</Key><Size>1</Size><ETag>\"e\"</ETag></Contents><IsTruncated>false</IsTruncated></ListBucketResult>"));
  });
  for (const char* bad : {"../outside", "a/../../outside", "%2e%2e/outside", "/etc/x", "a//b"}) {
    key = bad;
    auto fetch = start(hostile.url());
    EXPECT_NE(fetch->wait(), 0) << bad;
    EXPECT_EQ(fetch->termination()["error"], "Internal") << fetch->words();
    EXPECT_THAT(fetch->words(), HasSubstr("cannot be a file's path"));
  }
  EXPECT_FALSE(fs::exists(destination()));
  EXPECT_FALSE(fs::exists(destination().parent_path() / "outside"));
}

TEST_F(Fetch, RefusesAnObjectThatIsShorterThanListed) {
  net::ScriptedServer lying([&](const auto& request, auto& connection) {
    if (request.target.find("list-type=2") == std::string::npos) {
      return connection.respond(206, "12345", "Content-Range: bytes 0-4/5\r\nETag: \"e\"\r\n");
    }
    return connection.respond(200, cat("<ListBucketResult><Contents><Key>", model,
                                       "/1/a</Key><Size>9</Size><ETag>\"e\"</ETag></Contents><IsTruncated>false</"
                                       "IsTruncated></ListBucketResult>"));
  });
  auto fetch = start(lying.url());
  EXPECT_EQ(fetch->wait(), 1);
  EXPECT_EQ(fetch->termination()["error"], "CorruptObject") << fetch->words();
}

}  // namespace
}  // namespace tidegate::serving
