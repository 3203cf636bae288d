#pragma once
// A folder of a test's own to put a model's files into.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tidegate::model {

class FormatFolder : public testing::Test {
 protected:
  FormatFolder()
      : folder_(std::filesystem::path(testing::TempDir()) /
                ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~FormatFolder() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  const std::filesystem::path folder_;
};

}  // namespace tidegate::model
