// The webhook as a part of the operator: who serves it, what it knows, and how the API server comes to trust it.
#include <absl/strings/escaping.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/certificate.h"
#include "operator/webhooks/ca_bundle_keeper.h"
#include "operator_world.h"
#include "webhook_samples.h"

namespace tidegate::operator_ {
namespace {

using kube::Json;
using testing::Contains;
using testing::HasSubstr;

const base::ObjectKey kConfiguration{"", "tidegate"};

Json entry(const std::string& name, const std::string& service) {
  return {
      {"name", name},
      {"failurePolicy", "Ignore"},
      {"clientConfig", {{"service", {{"namespace", "tidegate-system"}, {"name", service}, {"path", "/validate"}}}}}};
}

class Webhook : public testing::Test {
 protected:
  void install() {
    Json configuration = {{"metadata", {{"name", "tidegate"}}}};
    configuration["webhooks"] =
        Json::array({entry("validate.tidegate.dev", "tidegate-webhook"), entry("a.b.c", "theirs")});
    world_.api_server.put(validating_webhook_configurations(), configuration);
  }
  Json webhook(size_t index) const {
    return (*world_.api_server.get(validating_webhook_configurations(), kConfiguration))["webhooks"][index];
  }
  std::string ca_bundle() const {
    std::string pem;
    absl::Base64Unescape(kube::string_at(webhook(0), {"clientConfig", "caBundle"}), &pem);
    return pem;
  }
  bool is_trusted() {
    const net::ServerTls& tls = world_.webhook_tls(0);
    return !ca_bundle().empty() &&
           net::check_identity({tls.certificate_chain_pem, tls.private_key_pem, ca_bundle()}).ok();
  }

  OperatorWorld world_;
};

TEST_F(Webhook, IsServedByEveryReplicaWithWhatItsStoresKnow) {
  api::ModelDeployment other = sample_object();
  other.spec.traffic.hosts = {"digits.example.com"};
  world_.apply(api::to_json(other.spec));
  world_.start_operator();
  ASSERT_TRUE(world_.pass_until([&] { return world_.leaders() == 1 && world_.ready(); }));
  api::ModelDeployment thief = other;
  thief.metadata.name = "thief";
  for (size_t replica : {0u, 1u}) {
    const Json allowed = world_.ask_webhook(replica, review_json(object_json(sample_object())));
    EXPECT_EQ(allowed["allowed"], true) << allowed;
    const Json denied = world_.ask_webhook(replica, review_json(object_json(thief)));
    EXPECT_EQ(denied["allowed"], false) << denied;
    EXPECT_THAT(denied["status"]["message"].get<std::string>(),
                HasSubstr("spec.traffic.hosts[0]: digits.example.com: ModelDeployment demo/digits has it"));
  }
  EXPECT_THAT(world_.metrics_page(), HasSubstr("tidegate_webhook_requests_total{outcome=\"denied\"} 1"));
  EXPECT_THAT(world_.metrics_page(), HasSubstr("tidegate_webhook_duration_seconds_count 2"));
}

TEST_F(Webhook, HasACertificateForTheNameByWhichTheApiServerCallsIt) {
  ASSERT_TRUE(world_.pass_until([&] { return world_.ready(); }));
  const auto info = net::parse_certificate(world_.webhook_tls(0).certificate_chain_pem);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_THAT(info->dns_names, Contains("tidegate-webhook.tidegate-system.svc"));
}

TEST_F(Webhook, IsTrustedOnceTheLeaderHasWrittenTheBundle) {
  install();
  ASSERT_TRUE(world_.pass_until([&] { return is_trusted(); }, absl::Minutes(2)));
  EXPECT_EQ(kube::string_at(webhook(0), {"failurePolicy"}), "Ignore") << "nothing else was changed";
  EXPECT_EQ(webhook(1), entry("a.b.c", "theirs")) << "nor another's";
}

TEST_F(Webhook, GetsItsBundleBackWhenSomebodyElseWritesThere) {
  install();
  ASSERT_TRUE(world_.pass_until([&] { return is_trusted(); }, absl::Minutes(2)));
  install();
  EXPECT_FALSE(is_trusted());
  ASSERT_TRUE(world_.pass_until([&] { return is_trusted(); }, absl::Minutes(1)));
}

TEST_F(Webhook, IsNotWrittenToWhileItsBundleIsRight) {
  install();
  ASSERT_TRUE(world_.pass_until([&] { return is_trusted(); }, absl::Minutes(2)));
  const auto before = world_.api_server.get(validating_webhook_configurations(), kConfiguration);
  world_.pass(absl::Minutes(3));
  EXPECT_EQ(world_.api_server.get(validating_webhook_configurations(), kConfiguration), before);
}

TEST_F(Webhook, IsNotNeededForAnythingElse) {
  ASSERT_TRUE(world_.pass_until([&] { return world_.ready() && world_.leaders() == 1; }))
      << "there is no configuration";
  EXPECT_FALSE(world_.api_server.get(validating_webhook_configurations(), kConfiguration).has_value());
}

}  // namespace
}  // namespace tidegate::operator_
