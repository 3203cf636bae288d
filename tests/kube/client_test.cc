#include "kube/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "kube/errors.h"
#include "kube_fixture.h"

namespace tidegate::kube {
namespace {

using ::testing::HasSubstr;

const GroupVersionResource& kDeployments = resources::deployments();
const base::ObjectKey kWeb{"demo", "web"};

std::string message(const absl::Status& status) { return std::string(base::view(status.message())); }

std::string header(const net::HttpRequest& request, const std::string& name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return "";
}

class ClientTest : public KubeTest {};

TEST_F(ClientTest, GetsWhatWasCreated) {
  auto created = await(client_.create(kDeployments, make_object("demo", "web", {{"replicas", 2}}), scope_));
  ASSERT_TRUE(created.ok()) << created.status();
  auto got = await(client_.get(kDeployments, kWeb, scope_));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(int_at(*got, {"spec", "replicas"}), 2);
  EXPECT_EQ(string_at(*got, {"kind"}), "Deployment");
  EXPECT_EQ(string_at(*got, {"apiVersion"}), "apps/v1");
}

TEST_F(ClientTest, SaysWhichObjectIsMissing) {
  auto got = await(client_.get(kDeployments, kWeb, scope_));
  EXPECT_TRUE(absl::IsNotFound(got.status()));
  EXPECT_THAT(message(got.status()), HasSubstr("get deployments demo/web"));
}

TEST_F(ClientTest, RefusesARequestWithoutANameInsteadOfTouchingTheCollection) {
  auto removed = await(client_.remove(kDeployments, {"demo", ""}, {}, scope_));
  EXPECT_TRUE(absl::IsInvalidArgument(removed));
  EXPECT_TRUE(server_.log.empty());
  auto applied = await(client_.apply(kDeployments, make_object("", "web"), {}, scope_));
  EXPECT_TRUE(absl::IsInvalidArgument(applied.status()));
}

TEST_F(ClientTest, TellsAlreadyExistsFromConflict) {
  server_.put(kDeployments, make_object("demo", "web"));
  auto again = await(client_.create(kDeployments, make_object("demo", "web"), scope_));
  EXPECT_TRUE(absl::IsAlreadyExists(again.status()));
  Json stale = make_object("demo", "web");
  stale["metadata"]["resourceVersion"] = "1";
  auto updated = await(client_.update(kDeployments, stale, scope_));
  EXPECT_TRUE(absl::IsAborted(updated.status()));
  EXPECT_TRUE(is_conflict(updated.status()));
}

TEST_F(ClientTest, AppliesAsTheFieldManagerItWasGiven) {
  auto applied = await(client_.apply(kDeployments, make_object("demo", "web", {{"replicas", 1}}), {}, scope_));
  ASSERT_TRUE(applied.ok()) << applied.status();
  EXPECT_EQ(server_.log.back(), "PATCH /apis/apps/v1/namespaces/demo/deployments/web?fieldManager=tidegate&force=true");
  EXPECT_EQ(header(server_.last_request, "content-type"), "application/apply-patch+yaml");
}

TEST_F(ClientTest, WritesNoStatusThatWasComputedFromAnOlderObject) {
  const Json first = server_.put(kDeployments, make_object("demo", "web", {{"replicas", 1}}));
  server_.put(kDeployments, make_object("demo", "web", {{"replicas", 2}}));
  auto late = await(client_.update_status(kDeployments, kWeb, {{"phase", "Old"}},
                                          string_at(first, {"metadata", "resourceVersion"}), "tidegate", scope_));
  EXPECT_TRUE(absl::IsAborted(late.status()));
  EXPECT_FALSE(server_.get(kDeployments, kWeb)->contains("status"));
  auto none = await(client_.update_status(kDeployments, kWeb, {{"phase", "Old"}}, "", "tidegate", scope_));
  EXPECT_TRUE(absl::IsInvalidArgument(none.status()));
}

TEST_F(ClientTest, ReplacesAStatusAndNothingElse) {
  Json object = make_object("demo", "web", {{"replicas", 1}});
  object["status"] = {{"phase", "Old"}, {"message", "gone afterwards"}};
  const std::string version = string_at(server_.put(kDeployments, object), {"metadata", "resourceVersion"});
  auto written = await(client_.update_status(kDeployments, kWeb, {{"phase", "New"}}, version, "tidegate", scope_));
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(server_.log.back(), "PUT /apis/apps/v1/namespaces/demo/deployments/web/status?fieldManager=tidegate");
  const Json stored = *server_.get(kDeployments, kWeb);
  EXPECT_EQ(stored["status"], (Json{{"phase", "New"}}));
  EXPECT_EQ(int_at(stored, {"spec", "replicas"}), 1);
  EXPECT_EQ(written->resource_version, string_at(stored, {"metadata", "resourceVersion"}));
  EXPECT_EQ(written->uid, string_at(stored, {"metadata", "uid"}));
}

TEST_F(ClientTest, AsksForNothingButTheMetadataOfWhatItWrote) {
  auto created = await(client_.create(kDeployments, make_object("demo", "web"), scope_));
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(header(server_.last_request, "accept"),
            "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json");
}

TEST_F(ClientTest, SaysWhatItWroteWhenTheAnswerIsNoJson) {
  server_.intercept = [](const net::HttpRequest&) -> std::optional<FakeApiServer::Answer> {
    return FakeApiServer::Answer(net::HttpResponse{200, {}, "<html>"});
  };
  auto created = await(client_.create(kDeployments, make_object("demo", "web"), scope_));
  EXPECT_TRUE(absl::IsInvalidArgument(created.status()));
  EXPECT_THAT(message(created.status()), HasSubstr("create deployments demo/web"));
}

TEST_F(ClientTest, ScalesOnlyTheVersionItSaw) {
  const Json object = server_.put(kDeployments, make_object("demo", "web", {{"replicas", 1}}));
  const std::string version = string_at(object, {"metadata", "resourceVersion"});
  auto scaled = await(client_.scale(kDeployments, kWeb, 3, version, "tidegate", scope_));
  ASSERT_TRUE(scaled.ok()) << scaled.status();
  EXPECT_EQ(int_at(*server_.get(kDeployments, kWeb), {"spec", "replicas"}), 3);
  auto again = await(client_.scale(kDeployments, kWeb, 5, version, "tidegate", scope_));
  EXPECT_TRUE(absl::IsAborted(again.status()));
}

TEST_F(ClientTest, DeletesOnlyTheObjectOfThatUid) {
  server_.put(kDeployments, make_object("demo", "web"));
  DeleteOptions other;
  other.uid = "another";
  auto refused = await(client_.remove(kDeployments, kWeb, other, scope_));
  EXPECT_TRUE(absl::IsAborted(refused));
  EXPECT_EQ(server_.count(kDeployments), 1u);
  auto removed = await(client_.remove(kDeployments, kWeb, {}, scope_));
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_EQ(server_.count(kDeployments), 0u);
}

TEST_F(ClientTest, ListsEveryPageInOrder) {
  for (int i = 0; i < 25; ++i) server_.put(kDeployments, make_object("demo", base::cat("web-", 100 + i)));
  ListOptions options;
  options.limit = 10;
  auto list = await(client_.list(kDeployments, options, scope_));
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->items.size(), 25u);
  EXPECT_EQ(string_at(list->items.back(), {"metadata", "name"}), "web-124");
  EXPECT_EQ(server_.log.size(), 3u);
}

TEST_F(ClientTest, StartsAListOverWhenItsContinuationExpires) {
  for (int i = 0; i < 15; ++i) server_.put(kDeployments, make_object("demo", base::cat("web-", 100 + i)));
  bool compacted = false;
  server_.intercept = [&](const net::HttpRequest& request) -> std::optional<FakeApiServer::Answer> {
    if (request.url.find("continue=") != std::string::npos && !std::exchange(compacted, true)) {
      server_.put(kDeployments, make_object("demo", "web-999"));
      server_.compact();
    }
    return std::nullopt;
  };
  ListOptions options;
  options.limit = 10;
  auto list = await(client_.list(kDeployments, options, scope_));
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->items.size(), 16u);
}

TEST_F(ClientTest, HandsOverWatchEventsThatComeInPieces) {
  std::vector<std::string> seen;
  WatchOptions options;
  options.resource_version = "100";
  options.timeout = absl::Seconds(60);
  std::optional<absl::Status> ended;
  loop_.spawn(keep_result(
      client_.watch(
          kDeployments, options,
          [&](const WatchEvent& event) { seen.push_back(string_at(event.object, {"metadata", "name"})); }, scope_),
      &ended));
  settle();
  server_.put(kDeployments, make_object("demo", "web"));
  server_.put(kDeployments, make_object("demo", "db"));
  settle();
  EXPECT_THAT(seen, ::testing::ElementsAre("web", "db"));
  EXPECT_FALSE(ended.has_value());
  pass(absl::Seconds(60));
  ASSERT_TRUE(ended.has_value());
  EXPECT_TRUE(ended->ok()) << *ended;
}

TEST_F(ClientTest, ReportsAWatchErrorEventAsTheServersError) {
  std::optional<absl::Status> ended;
  WatchOptions options;
  options.resource_version = "100";
  loop_.spawn(keep_result(client_.watch(kDeployments, options, [](const WatchEvent&) {}, scope_), &ended));
  settle();
  server_.fail_watches(410, "Expired");
  settle();
  ASSERT_TRUE(ended.has_value());
  EXPECT_TRUE(absl::IsOutOfRange(*ended)) << *ended;
}

TEST_F(ClientTest, EndsAWatchWhoseLinesAreNotEvents) {
  server_.intercept = [](const net::HttpRequest& request) -> std::optional<FakeApiServer::Answer> {
    request.on_chunk("{\"type\":\"ADDED\"\n");
    return FakeApiServer::Answer(absl::CancelledError("the receiver refused"));
  };
  auto ended = await(client_.watch(kDeployments, {}, [](const WatchEvent&) { FAIL(); }, scope_));
  EXPECT_TRUE(absl::IsInvalidArgument(ended)) << ended;
}

TEST_F(ClientTest, EndsARequestWhenItsScopeEnds) {
  std::optional<absl::Status> ended;
  loop_.spawn(keep_result(client_.watch(kDeployments, {}, [](const WatchEvent&) {}, scope_), &ended));
  settle();
  scope_.cancel();
  settle();
  ASSERT_TRUE(ended.has_value());
  EXPECT_TRUE(absl::IsCancelled(*ended));
}

TEST_F(ClientTest, CountsRequestsByVerbAndCode) {
  await(client_.get(kDeployments, kWeb, scope_)).IgnoreError();
  server_.put(kDeployments, make_object("demo", "web"));
  await(client_.get(kDeployments, kWeb, scope_)).IgnoreError();
  server_.lose_answers = true;
  await(client_.get(kDeployments, kWeb, scope_)).IgnoreError();
  EXPECT_EQ((metrics_.requests[{"get", 404}]), 1u);
  EXPECT_EQ((metrics_.requests[{"get", 200}]), 1u);
  EXPECT_EQ((metrics_.requests[{"get", 0}]), 1u);
}

TEST_F(ClientTest, ReadsTheServersVersion) {
  auto version = await(client_.server_version(scope_));
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->major, 1);
  EXPECT_EQ(version->minor, 34);
  EXPECT_EQ(version->git_version, "v1.34.2");
}

// Gives a new token after each invalidate().
class CountingToken : public TokenSource {
 public:
  absl::StatusOr<std::string> token() override { return base::cat("token-", generation_); }
  void invalidate() override { ++generation_; }

 private:
  int generation_ = 1;
};

TEST_F(ClientTest, TriesOnceWithAFreshTokenWhenItIsUnauthorized) {
  ClientConfig config = KubeTest::config();
  config.token = std::make_shared<CountingToken>();
  Client client(server_, config, &metrics_);
  server_.put(kDeployments, make_object("demo", "web"));
  server_.intercept = [&](const net::HttpRequest& request) -> std::optional<FakeApiServer::Answer> {
    if (header(request, "authorization") == "Bearer token-2") return std::nullopt;
    return FakeApiServer::Answer(FakeApiServer::status_answer(401, "Unauthorized", "Unauthorized"));
  };
  auto got = await(client.get(kDeployments, kWeb, scope_));
  EXPECT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(server_.log.size(), 2u);
  server_.intercept = [&](const net::HttpRequest&) -> std::optional<FakeApiServer::Answer> {
    return FakeApiServer::Answer(FakeApiServer::status_answer(401, "Unauthorized", "Unauthorized"));
  };
  auto refused = await(client.get(kDeployments, kWeb, scope_));
  EXPECT_TRUE(absl::IsUnauthenticated(refused.status()));
  EXPECT_EQ(server_.log.size(), 4u);
}

TEST_F(ClientTest, AppliesToNoOtherObjectThanTheOneOfThatUid) {
  Json object = make_object("demo", "web");
  object["metadata"]["uid"] = "another";
  auto absent = await(client_.apply(kDeployments, object, {}, scope_));
  EXPECT_TRUE(is_conflict(absent.status()));
  server_.put(kDeployments, make_object("demo", "web"));
  auto other = await(client_.apply(kDeployments, object, {}, scope_));
  EXPECT_TRUE(is_conflict(other.status()));
}

TEST_F(ClientTest, SendsBytesThatAreNotTextAsReplacementCharacters) {
  auto created = await(client_.create(kDeployments, make_object("demo", "web", {{"words", "\xff"}}), scope_));
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(string_at(*server_.get(kDeployments, kWeb), {"spec", "words"}), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace tidegate::kube
