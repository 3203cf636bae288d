#include "operator/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace tidegate::operator_ {
namespace {

using testing::HasSubstr;

ParsedOptions parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "tidegate-operator");
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Options, HaveTheDefaultsOfTheManifests) {
  const ParsedOptions parsed = parse({});
  ASSERT_TRUE(parsed.run) << parsed.text;
  EXPECT_EQ(parsed.options.ns, "tidegate-system");
  EXPECT_EQ(parsed.options.lease_name, "tidegate-operator");
  EXPECT_EQ(parsed.options.xds_port, 18000);
  EXPECT_EQ(parsed.options.management_port, 8080);
  EXPECT_EQ(parsed.options.webhook_port, 9443);
  EXPECT_EQ(parsed.options.cluster_domain, "cluster.local");
}

TEST(Options, SwitchTheWebhookOffByPortZero) {
  EXPECT_EQ(parse({"--webhook-port=0"}).options.webhook_port, 0);
  EXPECT_THAT(parse({"--help"}).text, HasSubstr("--webhook-port"));
}

TEST(Options, TakeFlagsBeforeTheEnvironment) {
  setenv("TIDEGATE_NAMESPACE", "from-environment", 1);
  EXPECT_EQ(parse({}).options.ns, "from-environment");
  EXPECT_EQ(parse({"--namespace=from-flag"}).options.ns, "from-flag");
  unsetenv("TIDEGATE_NAMESPACE");
}

TEST(Options, RefuseWhatIsWrongWithASentence) {
  struct Case {
    const char* argument;
    const char* words;
  };
  for (const Case& c : std::vector<Case>{{"--nonsense", "--nonsense"},
                                         {"--xds-port=many", "--xds-port"},
                                         {"--xds-port=70000", "--xds-port"},
                                         {"--webhook-port=70000", "--webhook-port"},
                                         {"--log-level=loud", "loud"},
                                         {"--log-format=xml", "xml"},
                                         {"--namespace=", "--namespace"}}) {
    const ParsedOptions parsed = parse({c.argument});
    EXPECT_FALSE(parsed.run) << c.argument;
    EXPECT_EQ(parsed.exit_status, 2) << c.argument;
    EXPECT_THAT(parsed.text, HasSubstr(c.words));
    EXPECT_THAT(parsed.text, HasSubstr("--help"));
  }
}

TEST(Options, PrintHelpAndVersionAndEndWell) {
  for (const char* argument : {"--help", "--version"}) {
    const ParsedOptions parsed = parse({argument});
    EXPECT_FALSE(parsed.run);
    EXPECT_EQ(parsed.exit_status, 0);
    EXPECT_FALSE(parsed.text.empty());
  }
  EXPECT_THAT(parse({"--help"}).text, HasSubstr("TIDEGATE_CLUSTER_DOMAIN"));
}

}  // namespace
}  // namespace tidegate::operator_
