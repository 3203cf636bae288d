// The S3 store against a scripted server: what a real store does only on a bad day.
#include "storage/s3_object_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "net/scripted_server.h"
#include "storage/s3_settings.h"
#include "storage/store_world.h"

namespace tidegate::storage {
namespace {

using net::ScriptedConnection;
using net::ScriptedRequest;
using net::ScriptedServer;
using ::testing::HasSubstr;

S3Options options_for(const ScriptedServer& server) {
  S3Options options;
  options.endpoint = server.url();
  options.credentials = {"key", "secret", "token"};
  options.initial_backoff = absl::Milliseconds(1);
  return options;
}

bool respond_error(ScriptedConnection& connection, int status, std::string_view code, std::string_view headers = "") {
  return connection.respond(status, base::cat("<Error><Code>", code, "</Code><Message>in words</Message></Error>"),
                            headers);
}

TEST(S3ObjectStore, RepeatsWhatTheStoreCouldNotDoJustNow) {
  int requests = 0;
  ScriptedServer server([&](const ScriptedRequest&, ScriptedConnection& connection) {
    switch (++requests) {
      case 1:
        return respond_error(connection, 503, "SlowDown");
      case 2:
        connection.reset();
        return false;
      case 3:
        return respond_error(connection, 500, "InternalError");
      default:
        return connection.respond(200, "", "ETag: \"abc\"\r\n");
    }
  });
  StoreWorld world;
  const auto info = world.run(world.store(options_for(server), "models")->stat("x", world.scope));
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->etag, "abc");
}

TEST(S3ObjectStore, GivesUpAfterSomeAttemptsWithTheStoresOwnWords) {
  ScriptedServer server([](const auto&, auto& connection) { return respond_error(connection, 503, "SlowDown"); });
  StoreWorld world;
  S3Options options = options_for(server);
  options.max_attempts = 4;
  const auto page = world.run(world.store(options, "models")->list({.prefix = "a/"}, world.scope));
  EXPECT_TRUE(absl::IsUnavailable(page.status()));
  EXPECT_EQ(page.status().message(), "listing s3://models/a/: SlowDown: in words");
  EXPECT_EQ(server.requests(), 4);
}

TEST(S3ObjectStore, DoesNotRepeatARefusal) {
  ScriptedServer server([](const auto&, auto& connection) { return respond_error(connection, 403, "AccessDenied"); });
  StoreWorld world;
  EXPECT_TRUE(absl::IsPermissionDenied(
      world.run(world.store(options_for(server), "models")->put("k", "v", world.scope)).status()));
  EXPECT_EQ(server.requests(), 1);
}

TEST(S3ObjectStore, NamesTheRegionWhenItIsTheWrongOne) {
  ScriptedServer server([](const auto&, auto& connection) {
    return respond_error(connection, 400, "AuthorizationHeaderMalformed", "x-amz-bucket-region: eu-west-3\r\n");
  });
  StoreWorld world;
  const auto page = world.run(world.store(options_for(server), "models")->list({}, world.scope));
  EXPECT_TRUE(absl::IsInvalidArgument(page.status())) << page.status();
  EXPECT_THAT(std::string(page.status().message()), HasSubstr("the bucket is in region eu-west-3"));
}

TEST(S3ObjectStore, DoesNotRepeatAReadOfWhichBytesHaveArrived) {
  ScriptedServer server([](const auto&, auto& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
    return false;
  });
  StoreWorld world;
  std::string body;
  GetRequest request{.key = "k", .on_chunk = [&](std::string_view bytes) {
                       body += bytes;
                       return true;
                     }};
  const auto info = world.run(world.store(options_for(server), "models")->get(request, world.scope));
  EXPECT_TRUE(absl::IsUnavailable(info.status())) << info.status();
  EXPECT_EQ(body, "01234");
  EXPECT_EQ(server.requests(), 1);
}

TEST(S3ObjectStore, GivesNoByteOfAnAnswerThatIgnoresTheRangeOrTheETag) {
  ScriptedServer server(
      [](const auto&, auto& connection) { return connection.respond(200, "0123456789", "ETag: \"new\"\r\n"); });
  StoreWorld world;
  const auto store = world.store(options_for(server), "models");
  const auto refuse = [](std::string_view) {
    ADD_FAILURE() << "these are the wrong bytes";
    return true;
  };
  GetRequest ranged{.key = "k", .offset = 5, .on_chunk = refuse};
  EXPECT_TRUE(absl::IsInternal(world.run(store->get(ranged, world.scope)).status()));
  GetRequest matched{.key = "k", .if_match = "old", .on_chunk = refuse};
  EXPECT_TRUE(absl::IsFailedPrecondition(world.run(store->get(matched, world.scope)).status()));
}

TEST(S3ObjectStore, AsksForTheStoredBytesAndSendsItsToken) {
  ScriptedServer server([](const ScriptedRequest& request, auto& connection) {
    EXPECT_EQ(request.target, "/models/a%20b?versionId=v1");
    EXPECT_EQ(request.headers.at("accept-encoding"), "identity");
    EXPECT_EQ(request.headers.at("x-amz-security-token"), "token");
    EXPECT_EQ(request.headers.at("if-match"), "\"e\"");
    return connection.respond(200, "gzip?", "Content-Encoding: gzip\r\nETag: \"e\"\r\n");
  });
  StoreWorld world;
  std::string body;
  GetRequest request{.key = "a b", .if_match = "e", .version_id = "v1", .on_chunk = [&](std::string_view bytes) {
                       body += bytes;
                       return true;
                     }};
  const auto info = world.run(world.store(options_for(server), "models")->get(request, world.scope));
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(body, "gzip?");
}

TEST(S3ObjectStore, RefusesAListingThatIsNone) {
  std::string answer;
  ScriptedServer server([&](const auto&, auto& connection) { return connection.respond(200, answer); });
  StoreWorld world;
  const auto store = world.store(options_for(server), "models");
  for (const char* text :
       {"", "hello", "<html></html>", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a%2</Key><Size>1</Size></Contents></ListBucketResult>"}) {
    answer = text;
    EXPECT_TRUE(absl::IsInternal(world.run(store->list({}, world.scope)).status())) << text;
  }
}

TEST(S3ObjectStore, PutsTheBucketInFrontOfTheHostInVirtualHostStyle) {
  // There is no name service in a test, so the request fails; its message shows where it went.
  StoreWorld world;
  S3Options options;
  options.endpoint = "http://localhost:1";
  options.addressing = S3Addressing::kVirtualHost;
  options.max_attempts = 1;
  EXPECT_EQ(world.store(options, "models")->describe(), "s3://models at http://models.localhost:1");
  options.endpoint = "";
  options.region = "eu-west-1";
  options.addressing = S3Addressing::kAuto;
  EXPECT_EQ(world.store(options, "models")->describe(), "s3://models at https://models.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(world.store(options, "my.models")->describe(), "s3://my.models at https://s3.eu-west-1.amazonaws.com");
}

TEST(S3Options, RefuseWhatCannotWork) {
  StoreWorld world;
  for (const char* endpoint : {"minio:9000", "ftp://minio", "http://", "http://minio/path", "http://a b"}) {
    S3Options options;
    options.endpoint = endpoint;
    EXPECT_TRUE(absl::IsInvalidArgument(
        make_s3_object_store(options, "models", world.http, world.clock, world.random).status()))
        << endpoint;
  }
  for (const char* bucket : {"", "a", "-ab", "a/b", "a..b", "a b"}) {
    EXPECT_FALSE(make_s3_object_store({}, bucket, world.http, world.clock, world.random).ok()) << bucket;
  }
  EXPECT_FALSE(s3_options_from({{"AWS_ACCESS_KEY_ID", "a"}}).ok());
  EXPECT_FALSE(s3_options_from({{"AWS_ENDPOINT_URL", "minio"}}).ok());
  const auto options = s3_options_from({{"AWS_ACCESS_KEY_ID", "a"},
                                        {"AWS_SECRET_ACCESS_KEY", "b"},
                                        {"AWS_SESSION_TOKEN", "c"},
                                        {"AWS_ENDPOINT_URL", "http://minio:9000/"},
                                        {"AWS_REGION", "eu-west-1"}});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->region, "eu-west-1");
  EXPECT_EQ(options->credentials.session_token, "c");
}

TEST(StoreUri, NamesBucketAndPrefix) {
  const auto uri = parse_store_uri("s3://models/a/b/");
  ASSERT_TRUE(uri.ok());
  EXPECT_EQ(uri->bucket, "models");
  EXPECT_EQ(uri->prefix, "a/b/");
  EXPECT_EQ(parse_store_uri("s3://models")->prefix, "");
  for (const char* wrong : {"", "models/a", "gs://models/a", "s3://", "s3:///a"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(parse_store_uri(wrong).status())) << wrong;
  }
}

}  // namespace
}  // namespace tidegate::storage
