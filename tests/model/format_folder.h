#pragma once
// A folder of a test's own to put a model's files into.
#include <gtest/gtest.h>

#include <string>

#include "base/scratch_folder.h"

namespace tidegate::model {

class FormatFolder : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) { folder_.write(name, content); }
  const base::ScratchFolder folder_;
};

}  // namespace tidegate::model
