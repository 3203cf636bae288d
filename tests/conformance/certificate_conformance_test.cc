// The client against a real kube-apiserver while certificates are replaced: its own, and the server's with the
// authority behind it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/scratch_folder.h"
#include "conformance/fixture.h"
#include "kube/reflector.h"
#include "kube/store.h"
#include "kube/types.h"

namespace tidegate::conformance {
namespace {

using kube::Json;
using ::testing::HasSubstr;
namespace resources = kube::resources;

const kube::GroupVersionResource& kConfigMaps = resources::config_maps();

const kube::GroupVersionResource kBindings{"rbac.authorization.k8s.io", "v1", "clusterrolebindings",
                                           "ClusterRoleBinding", false};

class CertificateConformance : public Conformance {
 protected:
  void SetUp() override {
    Conformance::SetUp();
    write("ca.crt", server_.config().tls->tls()->ca_pem);
  }
  void TearDown() override {
    following_.cancel();
    world_.until([] { return false; }, absl::Milliseconds(50));
    Conformance::TearDown();
  }

  void write(const std::string& name, const std::string& text) { directory_.write(name, text); }
  void write_identity(const std::string& name, absl::Time from) {
    const absl::StatusOr<net::KeyPair> pair = server_.issue_client(name, from);
    ASSERT_TRUE(pair.ok()) << pair.status();
    write("client.crt", pair->certificate_pem);
    write("client.key", pair->private_key_pem);
  }
  // Our own files say whom to trust and, unless `with_token`, who we are.
  kube::ClientConfig load(bool with_token) {
    const std::string user = with_token ? base::cat("{token: ", *server_.config().token->token(), "}")
                                        : "{client-certificate: client.crt, client-key: client.key}";
    write("kubeconfig", base::cat("current-context: main\nclusters:\n- name: c\n  cluster: {server: '",
                                  server_.config().server, "', certificate-authority: ca.crt}\nusers:\n- name: u\n",
                                  "  user: ", user, "\ncontexts:\n- name: main\n  context: {cluster: c, user: u}\n"));
    absl::StatusOr<kube::ClientConfig> config = kube::load_kubeconfig(directory_ / "kubeconfig", "", world_.clock);
    EXPECT_TRUE(config.ok()) << config.status();
    return *config;
  }
  kube::Client& connect(kube::ClientConfig config) { return subject_.emplace(http_, std::move(config), &metrics_); }
  // The server's refusal of what nobody here may see names who asked.
  std::string who_am_i(kube::Client& client) {
    return world_.await(client.get(kBindings, {"", "any"}, scope_)).status().ToString();
  }
  void let_edit(const std::string& user) {
    // What "edit" is made of by a controller that does not run here.
    for (const char* part : {"system:aggregate-to-edit", "system:aggregate-to-view"}) {
      Json binding;
      binding["metadata"]["name"] = base::cat(ns_, "-", user, "-", part);
      binding["roleRef"] = {{"apiGroup", kBindings.group}, {"kind", "ClusterRole"}, {"name", part}};
      Json subject = {{"apiGroup", kBindings.group}, {"kind", "User"}, {"name", user}};
      binding["subjects"].push_back(std::move(subject));
      const auto created = world_.await(client_.create(kBindings, binding, scope_));
      ASSERT_TRUE(created.ok()) << created.status();
    }
  }
  void put(kube::Client& client, const std::string& name) {
    const auto applied = world_.await(client.apply(kConfigMaps, config_map(name), {}, scope_));
    ASSERT_TRUE(applied.ok()) << applied.status();
  }
  void follow(kube::Client& client) {
    reflector_.emplace(client, kConfigMaps, kube::ReflectorOptions{.ns = ns_}, store_, world_.clock, world_.random);
    world_.loop.spawn(reflector_->run(following_));
    ASSERT_TRUE(world_.until([&] { return store_.synced(); })) << reflector_->last_error();
  }
  bool sees(const std::string& name) {
    return world_.until([&] { return store_.get({ns_, name}) != nullptr; });
  }

  const base::ScratchFolder directory_;
  net::CurlHttpClient http_{world_.loop.context(), world_.clock};
  std::optional<kube::Client> subject_;
  kube::Store<kube::ConfigMap> store_{"configmaps", kube::decode_config_map, world_.clock};
  base::Scope following_;
  std::optional<kube::Reflector> reflector_;
};

TEST_F(CertificateConformance, AppearsAsTheNewIdentityWhileItsWatchGoesOn) {
  for (const char* user : {"before", "after"}) let_edit(user);
  write_identity("before", world_.clock.now());
  const kube::ClientConfig config = load(false);
  kube::Client& client = connect(config);
  EXPECT_THAT(who_am_i(client), HasSubstr("User \"before\""));
  follow(client);
  write_identity("after", world_.clock.now());
  config.tls->invalidate();  // as after ten seconds
  EXPECT_THAT(who_am_i(client), HasSubstr("User \"after\""));
  put(client, "written-as-the-new-one");
  EXPECT_TRUE(sees("written-as-the-new-one")) << reflector_->last_error();
  EXPECT_EQ(metrics_.watch_restarts["configmaps"], 0u);
  EXPECT_EQ(metrics_.requests.count({"watch", 0}), 0u);
}

TEST_F(CertificateConformance, LooksForARenewedCertificateWhenItsOwnHasRunOut) {
  write_identity("late", world_.clock.now() - absl::Hours(2));
  kube::Client& client = connect(load(false));
  EXPECT_THAT(who_am_i(client), HasSubstr("UNAUTHENTICATED"));
  const uint64_t refused = metrics_.requests[{"get", 401}];
  write_identity("renewed", world_.clock.now());
  EXPECT_THAT(who_am_i(client), HasSubstr("User \"renewed\"")) << "in the same call";
  EXPECT_EQ((metrics_.requests[{"get", 401}]), refused + 1);
}

TEST_F(CertificateConformance, FollowsTheServerToAnotherAuthority) {
  kube::Client& client = connect(load(true));
  follow(client);
  server_.stop_api();
  ASSERT_TRUE(server_.replace_authority(world_).ok());
  ASSERT_TRUE(server_.start_api(world_).ok());
  // Whoever replaced it has not told us yet.
  ASSERT_TRUE(world_.until([&] {
    return base::view(reflector_->last_error().message()).find("certificate") != std::string_view::npos;
  })) << reflector_->last_error();
  write("ca.crt", server_.config().tls->tls()->ca_pem);
  kube::Client other(world_.http, server_.config());
  put(other, "written-after");
  EXPECT_TRUE(sees("written-after")) << reflector_->last_error();
}

}  // namespace
}  // namespace tidegate::conformance
