#pragma once
// Compares JSON with a file of tests/operator/goldens. To accept a change on purpose, run the test once with
// TIDEGATE_UPDATE_GOLDENS=1 and read the diff.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>
#include "source_dir.h"

namespace tidegate::operator_ {

inline void expect_golden(const std::string& name, const nlohmann::json& actual) {
  const std::string path = std::string(TIDEGATE_SOURCE_DIR) + "/tests/operator/goldens/" + name + ".json";
  const std::string text = actual.dump(2) + "\n";
  if (std::getenv("TIDEGATE_UPDATE_GOLDENS") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream file(path);
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(text, expected.str()) << "differs from " << path;
}

}  // namespace tidegate::operator_
