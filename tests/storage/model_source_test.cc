#include "storage/model_source.h"

#include <gtest/gtest.h>

#include <map>

#include "base/digest.h"
#include "storage/store_world.h"

namespace tidegate::storage {
namespace {

// Keys and sizes; lists everything on one page.
class FakeStore : public ObjectStore {
 public:
  std::map<std::string, uint64_t> objects;
  int listings = 0;

  base::Task<absl::StatusOr<ListPage>> list(ListRequest request, base::Scope&) override {
    ++listings;
    ListPage page;
    for (const auto& [key, size] : objects) {
      if (!key.starts_with(request.prefix)) continue;
      const size_t end = request.delimiter.empty() ? std::string::npos : key.find('/', request.prefix.size());
      if (end == std::string::npos) {
        page.objects.push_back({.key = key, .size = size, .etag = "e"});
      } else if (page.prefixes.empty() || page.prefixes.back() != key.substr(0, end + 1)) {
        page.prefixes.push_back(key.substr(0, end + 1));
      }
    }
    co_return page;
  }
  base::Task<absl::StatusOr<ObjectInfo>> stat(std::string, base::Scope&) override {
    co_return absl::UnimplementedError("");
  }
  base::Task<absl::StatusOr<ObjectInfo>> get(GetRequest, base::Scope&) override {
    co_return absl::UnimplementedError("");
  }
  base::Task<absl::StatusOr<ObjectInfo>> put(std::string, std::string, base::Scope&) override {
    co_return absl::UnimplementedError("");
  }
  std::string describe() const override { return "fake"; }
};

TEST(SourceDigest, IsTheHashOfTheDocumentedText) {
  Manifest manifest;
  manifest.files = {{.path = "b\"c", .size = 5, .etag = "x", .version_id = "v"}, {.path = "a", .size = 0, .etag = "y"}};
  EXPECT_EQ(source_digest(manifest),
            base::sha256_hex("[{\"etag\":\"y\",\"path\":\"a\",\"size\":0},"
                             "{\"etag\":\"x\",\"path\":\"b\\\"c\",\"size\":5,\"version\":\"v\"}]"));
}

TEST(SourceDigest, ChangesWithEveryPart) {
  const Manifest original{.files = {{.path = "a", .size = 1, .etag = "x"}, {.path = "b", .size = 2, .etag = "y"}}};
  std::vector<Manifest> others(6, original);
  others[0].files[0].path = "c";
  others[1].files[0].size = 9;
  others[2].files[0].etag = "z";
  others[3].files[0].version_id = "v";
  others[4].files.pop_back();
  others[5].files.push_back({.path = "c"});
  for (const Manifest& other : others) EXPECT_NE(source_digest(original), source_digest(other));
}

TEST(ContentDigest, DependsOnContentsOnlyAndNeedsAllOfThem) {
  const std::string sha(64, 'a');
  Manifest manifest{.files = {{.path = "a", .size = 1, .etag = "x", .sha256 = sha}}};
  const auto digest = content_digest(manifest);
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ(*digest, base::sha256_hex("[{\"path\":\"a\",\"sha256\":\"" + sha + "\",\"size\":1}]"));
  manifest.files[0].etag = "other";
  EXPECT_EQ(*content_digest(manifest), *digest);
  manifest.files[0].sha256 = "";
  EXPECT_TRUE(absl::IsInvalidArgument(content_digest(manifest).status()));
}

TEST(ConfinedPath, StaysBelowItsDirectory) {
  for (const char* good : {"a", "a/b", ".hidden", "a..b/c", "...", "sp ace", "\xc3\xa9"}) {
    EXPECT_TRUE(check_path_is_confined(good).ok()) << good;
  }
  for (const std::string bad : {"", "/a", "a/", "a//b", "..", "../a", "a/../b", ".", "a/./b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(check_path_is_confined(bad))) << bad;
  }
  EXPECT_FALSE(check_path_is_confined(std::string_view("a\0b", 3)).ok());
  EXPECT_FALSE(check_path_is_confined(std::string(256, 'a')).ok());
}

TEST(ReadManifest, SkipsFolderMarkersAndRefusesPathsThatLeadOut) {
  StoreWorld world;
  FakeStore store;
  store.objects = {{"m/1/", 0}, {"m/1/sub/", 0}, {"m/1/sub/file", 3}, {"m/10/other", 1}};
  const auto manifest = world.run(read_manifest(store, "m/1", world.scope));
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  ASSERT_EQ(manifest->files.size(), 1u);
  EXPECT_EQ(manifest->files[0].path, "sub/file");
  EXPECT_EQ(manifest->bytes(), 3u);
  store.objects["m/1/../x"] = 1;
  EXPECT_TRUE(absl::IsFailedPrecondition(world.run(read_manifest(store, "m/1", world.scope)).status()));
  EXPECT_TRUE(absl::IsNotFound(world.run(read_manifest(store, "m/2", world.scope)).status()));
}

TEST(ResolveVersion, TellsAnEmptyPathFromOneWithoutVersions) {
  StoreWorld world;
  FakeStore store;
  store.objects = {{"m/README", 1}, {"m/v1/x", 1}};
  EXPECT_EQ(world.run(resolve_version(store, "m", "latest", world.scope)).status().message(),
            "no version under 'm/' in fake; there are no versions (folders named by a number)");
  EXPECT_EQ(world.run(resolve_version(store, "n", "1", world.scope)).status().message(),
            "there is nothing under 'n/' in fake");
  for (const char* wrong : {"", "v1", "01", "-1", "1.5", "Latest", "99999999999999999999"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(world.run(resolve_version(store, "m", wrong, world.scope)).status())) << wrong;
  }
}

TEST(ResolveVersion, AVersionThatIsNamedByItsNumberCostsOneListing) {
  StoreWorld world;
  FakeStore store;
  store.objects = {{"m/1/saved_model.pb", 1}, {"m/2/saved_model.pb", 1}};
  EXPECT_TRUE(world.run(resolve_version(store, "m", "1", world.scope)).ok());
  EXPECT_EQ(store.listings, 1);
  EXPECT_TRUE(world.run(resolve_version(store, "m", "latest", world.scope)).ok());
  EXPECT_EQ(store.listings, 3);
  // One that is not there is worth another: what is there instead.
  const absl::Status missing = world.run(resolve_version(store, "m", "7", world.scope)).status();
  EXPECT_NE(missing.message().find("version 7 is not under 'm/'"), std::string::npos) << missing;
  EXPECT_EQ(store.listings, 5);
}

TEST(ResolveVersion, FindsVersionsAtTheRootOfABucket) {
  StoreWorld world;
  FakeStore store;
  store.objects = {{"9/x", 1}, {"10/x", 1}};
  const auto resolved = world.run(resolve_version(store, "", "latest", world.scope));
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->prefix, "10/");
}

}  // namespace
}  // namespace tidegate::storage
