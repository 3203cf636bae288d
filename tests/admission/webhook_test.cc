// The API server and the webhook together: a real kube-apiserver calls our real HTTPS server, which reads real stores.
#include <gmock/gmock.h>

#include <utility>

#include <absl/strings/escaping.h>

#include "admission/world.h"
#include "base/strings.h"
#include "net/beast_http_server.h"
#include "net/server_thread.h"
#include "operator/webhooks/ca_bundle_keeper.h"
#include "operator/webhooks/judge.h"
#include "operator/webhooks/webhook_server.h"

namespace tidegate::admission {
namespace {

using testing::HasSubstr;

constexpr char kConfigurations[] = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

// The configuration that we ship.
std::string shipped() { return document_with("manifests/tidegate.yaml", "kind: ValidatingWebhookConfiguration"); }

class RealWebhook : public Admission {
 protected:
  RealWebhook() {
    stores_.start(world_.loop, scope_);
    EXPECT_TRUE(world_.until([&] { return stores_.models.synced() && stores_.cluster_runtimes.synced(); }));
    start_webhook();
  }
  ~RealWebhook() override {
    send("DELETE", std::string(kConfigurations) + "/tidegate", "", "");
    for (const char* name : {"first", "second", "third"}) erase(name);
  }

  net::KeyPair authority() {
    return net::make_authority({.common_name = "webhooks", .now = world_.clock.now()}).value();
  }
  net::TlsIdentity identity_of(const net::KeyPair& authority) {
    net::LeafRequest request{.common_name = "webhook", .ip_addresses = {"127.0.0.1"}, .now = world_.clock.now()};
    const net::KeyPair pair = net::issue(authority, request).value();
    return {pair.certificate_pem, pair.private_key_pem, authority.certificate_pem};
  }

  void start_webhook() {
    const operator_::ServerFactory listen = [this](const net::HttpServerOptions& options, const net::ServerTls& tls,
                                                   net::Handler handler) {
      return net::make_beast_http_server(thread_.context(), options, tls, std::move(handler));
    };
    webhook_ =
        operator_::WebhookServer::start(listen, "127.0.0.1", 0, identity_of(authority_), world_.loop, world_.clock,
                                        [this](const operator_::Review& review) {
                                          return operator_::judge(review, [this](const api::ModelDeployment& object) {
                                            return operator_::references_of(object, stores_, "cluster.local");
                                          });
                                        })
            .value();
  }

  // What we ship, with an address that needs no cluster network.
  void install(const std::string& bundle) {
    std::string text = shipped();
    const std::string service =
        "service: {namespace: tidegate-system, name: tidegate-webhook, port: 443, path: /validate}";
    ASSERT_NE(text.find(service), std::string::npos);
    text.replace(text.find(service), service.size(),
                 base::cat("url: \"https://127.0.0.1:", webhook_->port(),
                           "/validate\"\n    caBundle: ", absl::Base64Escape(bundle)));
    const Answer made = send("PATCH", std::string(kConfigurations) + "/tidegate?fieldManager=test&force=true", text,
                             "application/apply-patch+yaml");
    ASSERT_THAT(made.code, testing::AnyOf(200, 201)) << made.message;
    // The API server reads it a moment later; a warning shows that it asks us.
    ASSERT_TRUE(world_.until([&] { return is_asked(); })) << "the API server does not ask the webhook";
  }
  bool is_asked() { return create_dry(object({{"replicas", 0}}, "probe")).warnings.find("[W3]") != std::string::npos; }

  Json with_host(const std::string& name, const std::string& host) {
    return object({{"traffic", {{"hosts", {host}}}}}, name);
  }
  bool wait_stored(const std::string& name) {
    return world_.until([&] { return stores_.models.get({kNamespace, name}) != nullptr; });
  }

  net::ServerThread thread_;
  operator_::Stores stores_{client_, world_.clock, world_.random, "tidegate-system"};
  net::KeyPair authority_ = authority();
  std::unique_ptr<operator_::WebhookServer> webhook_;
};

TEST_F(RealWebhook, RefusesAHostThatAnotherObjectHasWithTheFieldsPath) {
  install(authority_.certificate_pem);
  ASSERT_EQ(apply(with_host("first", "digits.example.com")).code, 201);
  ASSERT_TRUE(wait_stored("first"));
  const Answer refused = apply(with_host("second", "digits.example.com"));
  EXPECT_EQ(refused.code, 422) << refused.message;
  EXPECT_THAT(refused.message,
              HasSubstr("admission webhook \"validate.tidegate.dev\" denied the request: spec.traffic.hosts[0]: "
                        "digits.example.com: ModelDeployment vision/first has it"));
  Json next = with_host("first", "digits.example.com");
  next["spec"]["model"]["version"] = "8";
  EXPECT_EQ(apply(next).code, 200) << "its owner is changed as before";
}

TEST_F(RealWebhook, WarnsOfARuntimeThatIsNotThereYet) {
  install(authority_.certificate_pem);
  const Answer taken = create_dry(object({{"runtime", {{"name", "triton"}}}}));
  EXPECT_EQ(taken.code, 201) << taken.message;
  EXPECT_THAT(taken.warnings, HasSubstr("spec.runtime.name: there is no ServingRuntime triton"));
}

TEST_F(RealWebhook, IsAskedAboutRuntimesToo) {
  install(authority_.certificate_pem);
  std::string runtime = documents("manifests/runtimes.yaml").front();
  const std::string image = "image: tidegate.local/runtime-tensorflow:dev";
  runtime.replace(runtime.find(image), image.size(), "image: tidegate.local/runtime-tensorflow");
  const std::string limit = "{memory: 2Gi}";
  const Answer warned = create("/apis/tidegate.dev/v1alpha1/clusterservingruntimes?dryRun=All", runtime);
  EXPECT_EQ(warned.code, 201) << warned.message;
  EXPECT_THAT(warned.warnings, HasSubstr("spec.container.image"));
  runtime.replace(runtime.find(limit), limit.size(), "{memory: 1Mi}");
  const Answer denied = create("/apis/tidegate.dev/v1alpha1/clusterservingruntimes?dryRun=All", runtime);
  EXPECT_EQ(denied.code, 422);
  EXPECT_THAT(denied.message, HasSubstr("spec.container.resources.requests.memory"));
}

TEST_F(RealWebhook, StandsInNobodysWayWhenItIsDown) {
  install(authority_.certificate_pem);
  ASSERT_EQ(apply(with_host("first", "digits.example.com")).code, 201);
  webhook_.reset();
  const Answer taken = apply(with_host("second", "digits.example.com"));
  EXPECT_EQ(taken.code, 201) << taken.message;
  Json rollback = with_host("first", "digits.example.com");
  rollback["spec"]["model"]["version"] = "6";
  EXPECT_EQ(apply(rollback).code, 200);
  EXPECT_EQ(erase("first").code, 200);
  EXPECT_EQ(erase("second").code, 200);
}

TEST_F(RealWebhook, LetsAStoredFaultPassAndEveryDeletion) {
  ASSERT_EQ(apply(with_host("first", "digits.example.com")).code, 201);
  ASSERT_EQ(apply(with_host("second", "digits.example.com")).code, 201) << "before the webhook was there";
  ASSERT_TRUE(wait_stored("first") && wait_stored("second"));
  install(authority_.certificate_pem);
  Json rollback = with_host("second", "digits.example.com");
  rollback["spec"]["model"]["version"] = "6";
  const Answer taken = apply(rollback);
  EXPECT_EQ(taken.code, 200) << taken.message;
  EXPECT_THAT(taken.warnings, HasSubstr("vision/first has it"));
  rollback["metadata"]["finalizers"] = {"example.com/wait"};
  ASSERT_EQ(apply(rollback).code, 200);
  EXPECT_EQ(erase("second").code, 200);
  const Answer released =
      send("PATCH", operator_::model_deployments().path(kNamespace, "second"),
           R"({"metadata":{"finalizers":null},"spec":{"traffic":{"hosts":["digits.example.com"]}}})",
           "application/merge-patch+json");
  EXPECT_EQ(released.code, 200) << released.message;
}

TEST_F(RealWebhook, ChangesItsAuthorityWithoutARestartAndWithoutAGap) {
  install(authority_.certificate_pem);
  const net::KeyPair next = authority();
  // As the operator does it: both are trusted first, then the certificate changes, then the old authority goes.
  install(next.certificate_pem + authority_.certificate_pem);
  ASSERT_TRUE(webhook_->rotate(identity_of(next)).ok());
  EXPECT_TRUE(is_asked());
  install(next.certificate_pem);
  EXPECT_TRUE(is_asked());
}

TEST_F(RealWebhook, IsRegisteredByTheOperatorAsShippedAndStaysSo) {
  const auto bundle_of = [&] {
    const auto read =
        world_.await(client_.get(operator_::validating_webhook_configurations(), {"", "tidegate"}, scope_));
    std::string pem;
    absl::Base64Unescape(kube::string_at(kube::array_at(*read, {"webhooks"}).at(0), {"clientConfig", "caBundle"}),
                         &pem);
    return pem;
  };
  const std::string apply_path = std::string(kConfigurations) + "/tidegate?fieldManager=kubectl&force=true";
  ASSERT_EQ(send("PATCH", apply_path, shipped(), "application/apply-patch+yaml").code, 201);
  EXPECT_EQ(bundle_of(), "");
  operator_::CaBundleKeeper keeper(client_, world_.clock, "tidegate-system");
  keeper.set("one");
  base::Scope leadership(scope_);
  world_.loop.spawn(keeper.keep(leadership));
  ASSERT_TRUE(world_.until([&] { return bundle_of() == "one"; }));
  ASSERT_EQ(send("PATCH", apply_path, shipped(), "application/apply-patch+yaml").code, 200);
  EXPECT_EQ(bundle_of(), "one") << "an installation anew leaves it alone";
  keeper.set("one and two");
  EXPECT_TRUE(world_.until([&] { return bundle_of() == "one and two"; }));
  leadership.cancel();
  world_.until([] { return false; }, absl::Milliseconds(50));
}

TEST_F(RealWebhook, MayBeRegisteredByTheOperatorsServiceAccountAndNothingElseMay) {
  const std::string rbac = "/apis/rbac.authorization.k8s.io/v1/";
  const std::string manifest = "manifests/tidegate.yaml";
  ASSERT_EQ(create(rbac + "clusterroles", document_with(manifest, "kind: ClusterRole")).code, 201);
  ASSERT_EQ(create(rbac + "clusterrolebindings", document_with(manifest, "kind: ClusterRoleBinding")).code, 201);
  std::string another = shipped();
  another.replace(another.find("name: tidegate\n"), 14, "name: another");
  ASSERT_EQ(create(kConfigurations, shipped()).code, 201);
  ASSERT_EQ(create(kConfigurations, another).code, 201);
  const auto patched = [&](const std::string& name) {
    return send("PATCH", base::cat(kConfigurations, "/", name, "?dryRun=All"), R"({"metadata":{"labels":{"a":"b"}}})",
                "application/merge-patch+json", "system:serviceaccount:tidegate-system:tidegate-operator")
        .code;
  };
  EXPECT_TRUE(world_.until([&] { return patched("tidegate") == 200; })) << "the role is read a moment later";
  EXPECT_EQ(patched("another"), 403);
  send("DELETE", std::string(kConfigurations) + "/another", "", "");
}

}  // namespace
}  // namespace tidegate::admission
