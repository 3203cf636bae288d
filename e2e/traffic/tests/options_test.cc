#include "e2e/traffic/options.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidegate::traffic_generator {
namespace {

absl::StatusOr<Options> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "tidegate-traffic");
  return ParseOptions(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Options, AUrlIsHostPortAndPath) {
  const absl::StatusOr<Target> target = ParseUrl("http://digits.demo.svc:8080/v1/models/digits:predict");
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_EQ(target->host, "digits.demo.svc");
  EXPECT_EQ(target->port, "8080");
  EXPECT_EQ(target->path, "/v1/models/digits:predict");
}

TEST(Options, AColonInThePathIsNoPort) {
  const absl::StatusOr<Target> target = ParseUrl("http://digits.demo.svc/v1/models/digits:predict");
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_EQ(target->port, "80");
}

TEST(Options, WhatItCannotSpeakIsRefused) {
  EXPECT_FALSE(ParseUrl("https://host/").ok());
  EXPECT_FALSE(ParseUrl("http://:80/").ok());
  EXPECT_FALSE(ParseUrl("http://host:0/").ok());
}

TEST(Options, ValuesOutOfRangeAreRefusedWithTheirFlag) {
  for (const char* wrong :
       {"--rate=0", "--connections=0", "--timeout=0", "--timeout=soon", "--bodies=/does/not/exist"}) {
    const absl::StatusOr<Options> options = Parse({"--url=http://h/", wrong});
    EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument) << wrong;
    const std::string flag(wrong, std::string(wrong).find('='));
    EXPECT_NE(options.status().message().find(flag), std::string::npos) << options.status();
  }
}

}  // namespace
}  // namespace tidegate::traffic_generator
