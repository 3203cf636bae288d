// The S3 store against a real MinIO.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "storage/minio_server.h"
#include "storage/model_source.h"
#include "storage/s3_object_store.h"
#include "storage/store_world.h"

namespace tidegate::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Minio : public testing::Test {
 protected:
  static void SetUpTestSuite() { server = new MinioServer("models"); }
  static void TearDownTestSuite() {
    delete server;
    server = nullptr;
  }
  void SetUp() override {
    if (!server->started()) GTEST_FAIL() << "there is no MinIO";
    store = world.store(server->options(), "models");
  }

  void put(std::string key, std::string body) {
    const auto info = world.run(store->put(key, std::move(body), world.scope));
    ASSERT_TRUE(info.ok()) << info.status();
  }
  absl::StatusOr<std::string> read(GetRequest request) {
    std::string body;
    request.on_chunk = [&](std::string_view bytes) {
      body += bytes;
      return true;
    };
    const auto info = world.run(store->get(std::move(request), world.scope));
    if (!info.ok()) return info.status();
    return body;
  }

  static MinioServer* server;
  StoreWorld world;
  std::unique_ptr<ObjectStore> store;
};
MinioServer* Minio::server = nullptr;

std::vector<std::string> keys_of(const ListPage& page) {
  std::vector<std::string> keys;
  for (const ObjectInfo& object : page.objects) keys.push_back(object.key);
  return keys;
}

TEST_F(Minio, GivesBackWhatWasPutWholeAndInRanges) {
  put("whole/a.bin", "0123456789");
  const auto info = world.run(store->stat("whole/a.bin", world.scope));
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->size, 10u);
  EXPECT_EQ(info->etag, "781e5e245d69b566979b86e28d23f2c7");
  EXPECT_GT(info->modified, absl::Now() - absl::Minutes(10));
  EXPECT_EQ(read({.key = "whole/a.bin"}).value(), "0123456789");
  EXPECT_EQ(read({.key = "whole/a.bin", .offset = 3, .length = 4}).value(), "3456");
  EXPECT_EQ(read({.key = "whole/a.bin", .offset = 8}).value(), "89");
  EXPECT_EQ(read({.key = "whole/a.bin", .offset = 8, .length = 100}).value(), "89");
  EXPECT_EQ(read({.key = "whole/a.bin", .if_match = info->etag}).value(), "0123456789");
  EXPECT_TRUE(absl::IsOutOfRange(read({.key = "whole/a.bin", .offset = 10}).status()));
}

TEST_F(Minio, RefusesToReadAnObjectThatHasBeenReplaced) {
  put("replaced", "one");
  const auto info = world.run(store->stat("replaced", world.scope));
  put("replaced", "two");
  const auto body = read({.key = "replaced", .offset = 1, .if_match = info->etag});
  EXPECT_TRUE(absl::IsFailedPrecondition(body.status())) << body.status();
}

TEST_F(Minio, ServesKeysWithOddNames) {
  const std::vector<std::string> names = {"sp ace.bin", "pl+us",   "uni\xc3\xa9.bin", "par(en)s'!*.bin",
                                          "til~de",     "pct%41",  "q?mark#hash",     "eq=at@col:on,semi;dollar$amp&",
                                          "br[ack]et",  "quote\"", "a&amp;b<c>",      "\xe6\xbc\xa2\xe5\xad\x97"};
  for (const std::string& name : names) put("odd/" + name, name);
  for (const std::string& name : names) {
    EXPECT_EQ(read({.key = "odd/" + name}).value_or("error"), name);
  }
  const auto page = world.run(store->list({.prefix = "odd/"}, world.scope));
  ASSERT_TRUE(page.ok()) << page.status();
  std::vector<std::string> expected;
  for (const std::string& name : names) expected.push_back("odd/" + name);
  EXPECT_THAT(keys_of(*page), testing::UnorderedElementsAreArray(expected));
  EXPECT_EQ(keys_of(world.run(store->list({.prefix = "odd/sp a"}, world.scope)).value()).size(), 1u);
}

TEST_F(Minio, ListsOneLevelWithADelimiter) {
  for (const char* key : {"level/1/a", "level/1/b", "level/2/x/y", "level/file"}) put(key, "x");
  const auto page = world.run(store->list({.prefix = "level/", .delimiter = "/"}, world.scope));
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->prefixes, ElementsAre("level/1/", "level/2/"));
  EXPECT_THAT(keys_of(*page), ElementsAre("level/file"));
  EXPECT_TRUE(world.run(store->list({.prefix = "nothing/"}, world.scope)).value().objects.empty());
}

TEST_F(Minio, ListsMoreThanAThousandKeysPageByPage) {
  for (int i = 0; i < 1005; ++i) put(base::cat("many/", 10000 + i), "");
  const auto first = world.run(store->list({.prefix = "many/"}, world.scope));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->objects.size(), 1000u);
  EXPECT_NE(first->next_token, "");
  const auto all = world.run(list_all(*store, {.prefix = "many/"}, 2000, world.scope));
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->objects.size(), 1005u);
  EXPECT_EQ(all->objects.back().key, "many/11004");
  const auto small = world.run(list_all(*store, {.prefix = "many/", .max_keys = 7}, 2000, world.scope));
  EXPECT_EQ(keys_of(*small), keys_of(*all));
  EXPECT_TRUE(absl::IsResourceExhausted(world.run(list_all(*store, {.prefix = "many/"}, 1004, world.scope)).status()));
}

TEST_F(Minio, SaysWhichKeyOrBucketIsNotThere) {
  const auto no_key = read({.key = "no/such"});
  EXPECT_TRUE(absl::IsNotFound(no_key.status()));
  EXPECT_THAT(std::string(no_key.status().message()), HasSubstr("s3://models/no/such: NoSuchKey"));
  const auto other = world.store(server->options(), "no-such-bucket");
  const auto no_bucket = world.run(other->list({}, world.scope));
  EXPECT_TRUE(absl::IsNotFound(no_bucket.status()));
  EXPECT_THAT(std::string(no_bucket.status().message()),
              HasSubstr("s3://no-such-bucket/: NoSuchBucket: The specified"));
}

TEST_F(Minio, ReportsWrongOrMissingCredentialsAndNeverThemselves) {
  for (const S3Credentials& wrong : {S3Credentials{MinioServer::kUser, "wrong-secret", ""},
                                     S3Credentials{"nobody", MinioServer::kPassword, ""}, S3Credentials{}}) {
    S3Options options = server->options();
    options.credentials = wrong;
    const auto denied = world.store(options, "models");
    const auto page = world.run(denied->list({.prefix = "x"}, world.scope));
    EXPECT_TRUE(absl::IsPermissionDenied(page.status())) << page.status();
    EXPECT_THAT(std::string(page.status().message()), testing::Not(HasSubstr("secret")));
    EXPECT_TRUE(absl::IsPermissionDenied(world.run(denied->stat("x", world.scope)).status()));
  }
}

TEST_F(Minio, ResolvesVersionsExactlyAndTheLatest) {
  for (const char* key : {"digits/1/saved_model.pb", "digits/2/saved_model.pb", "digits/10/saved_model.pb",
                          "digits/10/variables/variables.index", "digits/007/x", "digits/v3/x", "digits/README"}) {
    put(key, key);
  }
  EXPECT_THAT(world.run(list_versions(*store, "digits", world.scope)).value(), ElementsAre("1", "2", "10"));
  const auto latest = world.run(resolve_version(*store, "digits/", "latest", world.scope));
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_EQ(latest->version, "10");
  EXPECT_EQ(latest->prefix, "digits/10/");
  ASSERT_EQ(latest->manifest.files.size(), 2u);
  EXPECT_EQ(latest->manifest.files[1].path, "variables/variables.index");
  EXPECT_EQ(latest->digest, world.run(resolve_version(*store, "digits", "10", world.scope))->digest);
  put("digits/10/saved_model.pb", "overwritten");
  EXPECT_NE(latest->digest, world.run(resolve_version(*store, "digits", "10", world.scope))->digest);
  const auto missing = world.run(resolve_version(*store, "digits", "3", world.scope));
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_EQ(missing.status().message(), base::cat("version 3 is not under 'digits/' in s3://models at ",
                                                  server->endpoint(), "; there are versions 1, 2 and 10"));
}

TEST_F(Minio, IsUnreachableWhileItIsDownAndWorksAgainAfterwards) {
  put("down", "x");
  server->kill();
  const auto page = world.run(store->list({}, world.scope));
  EXPECT_TRUE(absl::IsUnavailable(page.status())) << page.status();
  server->restart();
  EXPECT_EQ(read({.key = "down"}).value_or("error"), "x");
}

}  // namespace
}  // namespace tidegate::storage
