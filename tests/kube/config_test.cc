#include "kube/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/scratch_folder.h"
#include "base/strings.h"

namespace tidegate::kube {
namespace {

using ::testing::HasSubstr;

std::string message(const absl::Status& status) { return std::string(base::view(status.message())); }

class ConfigTest : public ::testing::Test {
 protected:
  ~ConfigTest() override {
    ::unsetenv("KUBERNETES_SERVICE_HOST");
    ::unsetenv("KUBERNETES_SERVICE_PORT");
  }
  void write(const std::string& name, const std::string& text) { directory_.write(name, text); }
  absl::StatusOr<ClientConfig> load(const std::string& cluster, const std::string& user,
                                    std::string_view context = "") {
    write("kubeconfig",
          base::cat("apiVersion: v1\nkind: Config\ncurrent-context: main\nclusters:\n- name: c\n  cluster: ", cluster,
                    "\nusers:\n- name: u\n  user: ", user,
                    "\ncontexts:\n- name: main\n  context: {cluster: c, user: u, namespace: demo}\n"));
    return load_kubeconfig(directory_ / "kubeconfig", context, clock_);
  }

  base::ManualClock clock_;
  const base::ScratchFolder directory_;
};

TEST_F(ConfigTest, ReadsCertificatesInlineAndByFile) {
  write("ca.pem", "THE CA");
  auto config = load("{server: 'https://127.0.0.1:6443/', certificate-authority: ca.pem}",
                     "{client-certificate-data: Q0VSVA==, client-key-data: S0VZ}");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->server, "https://127.0.0.1:6443");
  EXPECT_EQ(config->tls->tls()->ca_pem, "THE CA");
  EXPECT_EQ(config->tls->tls()->certificate_pem, "CERT");
  EXPECT_EQ(config->tls->tls()->private_key_pem, "KEY");
  EXPECT_EQ(config->token, nullptr);
  EXPECT_EQ(config->default_namespace, "demo");
}

TEST_F(ConfigTest, NamesTheCredentialThatItDoesNotSupport) {
  for (const char* field : {"auth-provider", "username"}) {
    auto config = load("{server: 'https://x'}", base::cat("{", field, ": {command: aws}}"));
    EXPECT_TRUE(absl::IsUnimplemented(config.status()));
    EXPECT_THAT(message(config.status()), HasSubstr(base::cat("'", field, "'")));
  }
}

TEST_F(ConfigTest, SaysWhatIsMissing) {
  EXPECT_TRUE(absl::IsNotFound(load_kubeconfig(directory_ / "none", "", clock_).status()));
  EXPECT_THAT(message(load("{server: 'https://x'}", "{}", "other").status()),
              HasSubstr("no entry 'other' in contexts"));
  EXPECT_THAT(message(load("{}", "{}").status()), HasSubstr("no server"));
  EXPECT_THAT(message(load("{server: 'https://x'}", "{client-key-data: S0VZ}").status()), HasSubstr("together"));
  EXPECT_THAT(message(load("{server: 'https://x', certificate-authority-data: '!'}", "{}").status()),
              HasSubstr("certificate-authority-data is not base64"));
  EXPECT_THAT(message(load("{server: 'https://x', certificate-authority: gone.pem}", "{}").status()),
              HasSubstr("gone.pem"));
}

TEST_F(ConfigTest, SurvivesAFileThatIsNoKubeconfig) {
  for (const char* text : {"", "[]", "a: [", "clusters: 7\ncurrent-context: x", "current-context: [1]", "\t\x01"}) {
    write("kubeconfig", text);
    EXPECT_FALSE(load_kubeconfig(directory_ / "kubeconfig", "", clock_).ok()) << text;
  }
}

TEST_F(ConfigTest, ReadsTheServiceAccountOfAPod) {
  write("token", "secret\n");
  write("ca.crt", "THE CA");
  write("namespace", "tidegate-system");
  EXPECT_TRUE(absl::IsNotFound(load_in_cluster_config(clock_, directory_.string()).status()));
  ::setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
  ::setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  auto config = load_in_cluster_config(clock_, directory_.string());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->server, "https://[fd00::1]:443");
  EXPECT_EQ(config->default_namespace, "tidegate-system");
  EXPECT_EQ(*config->token->token(), "secret");
}

TEST_F(ConfigTest, ReadsATokenFileAgainEveryMinuteAndWhenItIsRefused) {
  write("token", "one");
  auto token = make_file_token(directory_ / "token", clock_);
  EXPECT_EQ(*token->token(), "one");
  write("token", "two");
  clock_.advance(absl::Seconds(59));
  EXPECT_EQ(*token->token(), "one");
  clock_.advance(absl::Seconds(1));
  EXPECT_EQ(*token->token(), "two");
  write("token", "three");
  token->invalidate();
  EXPECT_EQ(*token->token(), "three");
}

TEST_F(ConfigTest, KeepsTheTokenWhileItsFileIsAway) {
  write("token", "one");
  auto token = make_file_token(directory_ / "token", clock_);
  EXPECT_EQ(*token->token(), "one");
  std::filesystem::remove(directory_ / "token");
  clock_.advance(absl::Minutes(2));
  EXPECT_EQ(*token->token(), "one");
  EXPECT_FALSE(make_file_token(directory_ / "token", clock_)->token().ok());
}

}  // namespace
}  // namespace tidegate::kube
