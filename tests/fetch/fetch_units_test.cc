// The pieces of fetch that can be seen without a store.
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/scratch_folder.h"
#include "base/strings.h"
#include "serving-runtime/fetch/disk.h"
#include "serving-runtime/fetch/fetch_journal.h"
#include "serving-runtime/fetch/fetch_plan.h"
#include "serving-runtime/fetch/progress.h"

namespace tidegate::serving {
namespace {

namespace fs = std::filesystem;

TEST(CutIntoParts, CoversTheFileOnce) {
  EXPECT_TRUE(cut_into_parts(0, 10).empty());
  EXPECT_EQ(cut_into_parts(10, 10).size(), 1u);
  const std::vector<FilePart> parts = cut_into_parts(25, 10);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[2].offset, 20u);
  EXPECT_EQ(parts[2].length, 5u);
}

TEST(CompatiblePaths, RefuseAFileThatIsAlsoAFolder) {
  storage::Manifest manifest{.files = {{.path = "a"}, {.path = "a.b"}, {.path = "a-b/c"}}};
  EXPECT_TRUE(check_paths_are_compatible(manifest).ok());
  manifest.files.push_back({.path = "a/b/c"});
  EXPECT_EQ(check_paths_are_compatible(manifest).message(), "'a' cannot be both a file and the folder of 'a/b/c'");
}

TEST(FailureReason, IsTheWordOfTheContract) {
  EXPECT_EQ(fetch_failure_reason(absl::PermissionDeniedError("")), "AccessDenied");
  EXPECT_EQ(fetch_failure_reason(absl::UnavailableError("")), "StoreUnreachable");
  EXPECT_EQ(fetch_failure_reason(absl::NotFoundError("")), "VersionNotFound");
  EXPECT_EQ(fetch_failure_reason(absl::FailedPreconditionError("")), "DigestChanged");
  EXPECT_EQ(fetch_failure_reason(absl::DataLossError("")), "CorruptObject");
  EXPECT_EQ(fetch_failure_reason(absl::ResourceExhaustedError("")), "DiskFull");
  EXPECT_EQ(fetch_failure_reason(absl::InternalError("")), "Internal");
}

TEST(DiskFile, TellsAFullDiskFromOtherErrors) {
  const auto full = DiskFile::open("/dev/full");
  ASSERT_TRUE(full.ok()) << full.status();
  EXPECT_TRUE(absl::IsResourceExhausted(full->write_at(0, "x")));
  const base::ScratchFolder scratch;
  EXPECT_TRUE(absl::IsInternal(DiskFile::open(scratch.string() + "/no/such").status()));
  fs::create_symlink("/etc/passwd", scratch.string() + "/link");
  EXPECT_FALSE(DiskFile::open(scratch.string() + "/link").ok());
}

TEST(DiskFile, IsLockedByOneHolderOnly) {
  const base::ScratchFolder scratch;
  auto first = DiskFile::open(scratch.string() + "/lock");
  auto second = DiskFile::open(scratch.string() + "/lock");
  EXPECT_TRUE(first->try_lock().value());
  EXPECT_FALSE(second->try_lock().value());
  *first = DiskFile();
  EXPECT_TRUE(second->try_lock().value());
}

TEST(FetchJournal, RemembersPartsAndFilesOfItsOwnDigest) {
  const base::ScratchFolder scratch;
  const std::string path = scratch.string() + "/journal";
  {
    auto journal = FetchJournal::open(path, "d1");
    ASSERT_TRUE(journal.ok()) << journal.status();
    ASSERT_TRUE(journal->add_part("a", 0, 10, true).ok());
    ASSERT_TRUE(journal->add_part("a", 20, 5, true).ok());
    ASSERT_TRUE(journal->add_file("b", "sha").ok());
    ASSERT_TRUE(journal->add_file("c", "sha").ok());
    ASSERT_TRUE(journal->drop_file("c").ok());
  }
  auto journal = FetchJournal::open(path, "d1");
  ASSERT_TRUE(journal.ok());
  EXPECT_THAT(journal->files().at("a").parts, testing::ElementsAre(testing::Pair(0, 10), testing::Pair(20, 5)));
  EXPECT_TRUE(journal->files().at("a").etag_is_md5);
  EXPECT_EQ(journal->files().at("b").sha256, "sha");
  EXPECT_EQ(journal->files().at("c").sha256, "");
  EXPECT_TRUE(FetchJournal::open(path, "d2")->files().empty());
  EXPECT_TRUE(FetchJournal::open(path, "d1")->files().empty()) << "the other digest has taken it over";
}

TEST(FetchJournal, IgnoresATornLineAndWhatFollows) {
  const base::ScratchFolder scratch;
  const std::string path = scratch.string() + "/journal";
  for (const char* garbage :
       {"{\"path\":\"b\",\"off", "\x01\x01\n", "[]\n", "{\"path\":7}\n", "{\"path\":\"b\",\"offset\":\"x\"}\n"}) {
    std::ofstream(path, std::ios::trunc) << "{\"source_digest\":\"d\"}\n{\"path\":\"a\",\"offset\":0,\"length\":3}\n"
                                         << garbage << "{\"path\":\"late\",\"offset\":0,\"length\":3}\n";
    auto journal = FetchJournal::open(path, "d");
    ASSERT_TRUE(journal.ok()) << journal.status();
    EXPECT_TRUE(journal->files().contains("a")) << garbage;
    EXPECT_FALSE(journal->files().contains("late")) << garbage;
    ASSERT_TRUE(journal->add_part("c", 0, 1, false).ok());
    EXPECT_TRUE(FetchJournal::open(path, "d")->files().contains("c")) << "what is added later must be readable";
  }
}

TEST(PublishDirectory, ReplacesOneThatIsThere) {
  const base::ScratchFolder scratch;
  fs::create_directories(scratch.string() + "/from");
  std::ofstream(scratch.string() + "/from/new") << "x";
  fs::create_directories(scratch.string() + "/to");
  std::ofstream(scratch.string() + "/to/old") << "x";
  ASSERT_TRUE(publish_directory(scratch.string() + "/from", scratch.string() + "/to").ok());
  EXPECT_TRUE(fs::exists(scratch.string() + "/to/new"));
  EXPECT_FALSE(fs::exists(scratch.string() + "/to/old"));
  EXPECT_FALSE(fs::exists(scratch.string() + "/from"));
}

TEST(Progress, TellsAmountRateAndTimeLeft) {
  base::ManualClock clock;
  std::string text;
  Progress progress(clock, false, [&](std::string_view line) { text += line; });
  progress.start(4ull << 30, 1ull << 30);
  progress.add(1ull << 30);
  clock.advance(absl::Seconds(10));
  EXPECT_EQ(text, "fetch: 2.0 GiB of 4.0 GiB (50 %), 102.4 MiB/s, 20 s left\n");
  progress.finish();
  clock.advance(absl::Minutes(1));
  EXPECT_EQ(text.find('\n'), text.size() - 1) << "nothing after the end";
}

TEST(Progress, DrawsABarOnATerminal) {
  base::ManualClock clock;
  std::string text;
  Progress progress(clock, true, [&](std::string_view line) { text += line; });
  progress.start(100, 0);
  progress.add(50);
  clock.advance(absl::Milliseconds(250));
  EXPECT_THAT(text, testing::StartsWith("\r[###############...............] 50 B of 100 B (50 %), 200 B/s"));
}

}  // namespace
}  // namespace tidegate::serving
