#include "serving-runtime/recording/file_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/scratch_folder.h"
#include "sample_record.h"

namespace tidegate::serving {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
namespace fs = std::filesystem;

class FileSinkTest : public testing::Test {
 protected:
  static std::vector<std::string> lines_of(const fs::path& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  absl::Status write(RecordSink& sink, float value) {
    std::unique_ptr<RequestRecord> record = make_record(floats({value}));
    return sink.write({&record, 1});
  }

  const base::ScratchFolder folder_;
  const std::string path_ = folder_ / "log.jsonl";
};

TEST_F(FileSinkTest, AppendsALineARecordToWhatIsThere) {
  std::ofstream(path_) << "before\n";
  auto sink = open_file_sink({path_});
  ASSERT_TRUE(sink.ok()) << sink.status();
  EXPECT_TRUE(write(**sink, 1).ok());
  EXPECT_TRUE(write(**sink, 2).ok());
  const auto lines = lines_of(path_);
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_EQ(lines[0], "before");
  EXPECT_EQ(json::parse(lines[2])["inputs"]["x"], json({2.0}));
}

TEST_F(FileSinkTest, KeepsSoManyFilesOfSuchASizeAndNoMore) {
  const uint64_t line = only_line(*make_record(floats({1}))).size() + 1;
  auto sink = open_file_sink({path_, 2 * line, 3});
  ASSERT_TRUE(sink.ok()) << sink.status();
  for (int i = 1; i <= 9; ++i) ASSERT_TRUE(write(**sink, static_cast<float>(i)).ok());
  EXPECT_THAT(names(), ElementsAre("log.jsonl", "log.jsonl.1", "log.jsonl.2"));
  const auto value = [&](const std::string& line) { return json::parse(line)["inputs"]["x"][0].get<int>(); };
  EXPECT_EQ(value(lines_of(path_).at(0)), 9);
  EXPECT_EQ(value(lines_of(path_ + ".1").at(0)), 7);
  EXPECT_EQ(value(lines_of(path_ + ".2").at(1)), 6);
}

TEST_F(FileSinkTest, RotatesWithinABatchAndKeepsALineThatIsLargerThanAFile) {
  auto sink = open_file_sink({path_, 10, 2});
  ASSERT_TRUE(sink.ok()) << sink.status();
  std::vector<std::unique_ptr<RequestRecord>> records;
  for (int i = 1; i <= 3; ++i) records.push_back(make_record(floats({static_cast<float>(i)})));
  EXPECT_TRUE((*sink)->write(records).ok());
  EXPECT_THAT(names(), ElementsAre("log.jsonl", "log.jsonl.1"));
  EXPECT_THAT(lines_of(path_), ElementsAre(HasSubstr("[3.0]")));
  EXPECT_THAT(lines_of(path_ + ".1"), ElementsAre(HasSubstr("[2.0]")));
}

TEST_F(FileSinkTest, KeepsOneFileWhenThatIsAskedFor) {
  auto sink = open_file_sink({path_, 10, 1});
  ASSERT_TRUE(sink.ok()) << sink.status();
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(write(**sink, static_cast<float>(i)).ok());
  EXPECT_THAT(names(), ElementsAre("log.jsonl"));
  EXPECT_THAT(lines_of(path_), ElementsAre(HasSubstr("[3.0]")));
}

TEST_F(FileSinkTest, BeginsAFileAnewThatSomebodyElseHasMovedOrRemoved) {
  auto sink = open_file_sink({path_});
  ASSERT_TRUE(sink.ok()) << sink.status();
  EXPECT_TRUE(write(**sink, 1).ok());
  fs::rename(path_, path_ + ".old");
  EXPECT_TRUE(write(**sink, 2).ok());
  EXPECT_THAT(lines_of(path_ + ".old"), ElementsAre(HasSubstr("[1.0]")));
  EXPECT_THAT(lines_of(path_), ElementsAre(HasSubstr("[2.0]")));
  fs::remove(path_);
  EXPECT_TRUE(write(**sink, 3).ok());
  EXPECT_THAT(lines_of(path_), ElementsAre(HasSubstr("[3.0]")));
}

TEST_F(FileSinkTest, NamesTheFileThatCannotBeWritten) {
  EXPECT_THAT(open_file_sink({folder_ / "none" / "log"}).status().message(),
              HasSubstr((folder_ / "none/log").string()));
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  auto full = open_file_sink({"/dev/full"});
  ASSERT_TRUE(full.ok()) << full.status();
  EXPECT_THAT(write(**full, 1).message(), HasSubstr("cannot write /dev/full"));
}

}  // namespace
}  // namespace tidegate::serving
