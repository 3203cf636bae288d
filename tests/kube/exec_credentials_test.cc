#include "kube/exec_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/scratch_folder.h"
#include "base/strings.h"
#include "kube/client.h"
#include "kube_fixture.h"
#include "net/certificate.h"

namespace tidegate::kube {
namespace {

using ::testing::HasSubstr;

std::string message(const absl::Status& status) { return std::string(base::view(status.message())); }

// A plugin that is a shell script; it keeps count of its runs in a file.
class ExecCredentialsTest : public KubeTest {
 protected:
  void write_plugin(const std::string& script) {
    const auto path = directory_ / "plugin";
    std::ofstream(path) << "#!/bin/sh\nd=" << directory_.string() << "\necho run >> $d/runs\n" << script << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  static std::string printing(const std::string& status, const std::string& version = "v1") {
    return base::cat("cat <<END\n{\"apiVersion\": \"client.authentication.k8s.io/", version,
                     "\", \"kind\": \"ExecCredential\", \"status\": ", status, "}\nEND");
  }
  static std::string printing_certificate(const net::KeyPair& pair) {
    return printing(
        Json{{"clientCertificateData", pair.certificate_pem}, {"clientKeyData", pair.private_key_pem}}.dump());
  }
  size_t runs() const {
    std::ifstream file(directory_ / "runs");
    size_t lines = 0;
    for (std::string line; std::getline(file, line);) ++lines;
    return lines;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(directory_ / name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  absl::StatusOr<ClientConfig> load(const std::string& exec, const std::string& cluster = "server: 'https://x'") {
    std::ofstream(directory_ / "kubeconfig")
        << "current-context: main\nclusters:\n- name: c\n  cluster: {" << cluster << "}\nusers:\n- name: u\n  user:\n"
        << "    exec: " << exec << "\ncontexts:\n- name: main\n  context: {cluster: c, user: u}\n";
    return load_kubeconfig(directory_ / "kubeconfig", "", clock_);
  }
  absl::StatusOr<ClientConfig> load() {
    return load(
        "{apiVersion: client.authentication.k8s.io/v1, command: ./plugin, interactiveMode: Never, "
        "args: [one, 'two words'], env: [{name: COLOR, value: red}], provideClusterInfo: true}");
  }

  absl::StatusOr<ClientConfig> load_with_authority(const std::string& file) {
    return load("{apiVersion: client.authentication.k8s.io/v1, command: ./plugin}",
                base::cat("server: 'https://x', certificate-authority: ", file));
  }

  // The plugin takes real time.
  template <class T>
  T await_real(base::Task<T> task) {
    std::optional<T> result;
    loop_.spawn(keep_result(std::move(task), &result));
    finish([&] { return result.has_value(); });
    return *std::move(result);
  }
  void finish(const std::function<bool()>& done) {
    auto guard = boost::asio::make_work_guard(loop_.context());
    for (int i = 0; i < 2000 && !done(); ++i) {
      loop_.context().restart();
      loop_.context().run_one_for(std::chrono::milliseconds(10));
    }
    ASSERT_TRUE(done());
  }

  const base::ScratchFolder directory_;
};

TEST_F(ExecCredentialsTest, AsksTheProgramOnceAndKeepsItsToken) {
  write_plugin("echo \"$1|$2|$COLOR\" > $d/asked; echo \"$KUBERNETES_EXEC_INFO\" > $d/info\n" +
               printing(R"({"token": "secret"})"));
  auto config = load();
  ASSERT_TRUE(config.ok()) << config.status();
  for (int i = 0; i < 3; ++i) {
    auto credential = await_real(config->credentials->credential(scope_));
    ASSERT_TRUE(credential.ok()) << credential.status();
    EXPECT_EQ(credential->token, "secret");
    EXPECT_EQ(credential->tls, nullptr);
  }
  EXPECT_EQ(runs(), 1u);
  EXPECT_EQ(read("asked"), "one|two words|red\n");
  const Json info = Json::parse(read("info"));
  EXPECT_EQ(string_at(info, {"kind"}), "ExecCredential");
  EXPECT_FALSE(bool_at(info, {"spec", "interactive"}, true));
  EXPECT_EQ(string_at(info, {"spec", "cluster", "server"}), "https://x");
}

TEST_F(ExecCredentialsTest, AsksAgainWhenACredentialRunsOut) {
  const std::string soon = format_time(clock_.now() + absl::Minutes(10));
  write_plugin(printing(base::cat(R"({"token": "t", "expirationTimestamp": ")", soon, R"("})")));
  auto config = load();
  await_real(config->credentials->credential(scope_)).IgnoreError();
  clock_.advance(absl::Minutes(9));
  await_real(config->credentials->credential(scope_)).IgnoreError();
  EXPECT_EQ(runs(), 1u);
  clock_.advance(absl::Seconds(55));
  await_real(config->credentials->credential(scope_)).IgnoreError();
  EXPECT_EQ(runs(), 2u);
}

TEST_F(ExecCredentialsTest, RequestsAtTheSameTimeShareOneRun) {
  write_plugin(printing(R"({"token": "t"})"));
  auto config = load();
  std::optional<absl::StatusOr<Credential>> answers[4];
  for (auto& answer : answers) loop_.spawn(keep_result(config->credentials->credential(scope_), &answer));
  finish(
      [&] { return std::all_of(std::begin(answers), std::end(answers), [](const auto& a) { return a.has_value(); }); });
  for (const auto& answer : answers) EXPECT_TRUE(answer->ok()) << answer->status();
  EXPECT_EQ(runs(), 1u);
}

TEST_F(ExecCredentialsTest, TheNextOneTakesOverWhenWhoeverRanItIsCancelled) {
  write_plugin("[ -e $d/second ] || { touch $d/second; exec sleep 60; }\n" + printing(R"({"token": "t"})"));
  auto config = load();
  base::Scope first;
  std::optional<absl::StatusOr<Credential>> gone;
  std::optional<absl::StatusOr<Credential>> served;
  loop_.spawn(keep_result(config->credentials->credential(first), &gone));
  finish([&] { return std::filesystem::exists(directory_ / "second"); });
  loop_.spawn(keep_result(config->credentials->credential(scope_), &served));
  settle();
  first.cancel();
  finish([&] { return gone.has_value() && served.has_value(); });
  EXPECT_TRUE(absl::IsCancelled(gone->status()));
  ASSERT_TRUE(served->ok()) << served->status();
  EXPECT_EQ((*served)->token, "t");
}

TEST_F(ExecCredentialsTest, SaysWhatIsWrongWithTheProgram) {
  const auto error_of = [&](const std::string& script) {
    write_plugin(script);
    auto config = load();
    return message(await_real(config->credentials->credential(scope_)).status());
  };
  EXPECT_THAT(error_of("echo no login >&2; exit 3"), HasSubstr("ended with 3: no login"));
  EXPECT_THAT(error_of("echo hello"), HasSubstr("printed no ExecCredential"));
  EXPECT_THAT(error_of(printing("{}")), HasSubstr("neither a token nor a certificate"));
  EXPECT_THAT(error_of(printing(R"({"token": "t"})", "v1beta1")), HasSubstr("the kubeconfig says"));
  EXPECT_THAT(error_of(printing(R"({"clientKeyData": "k"})")), HasSubstr("given together"));
  EXPECT_THAT(error_of(printing(R"({"clientKeyData": "k", "clientCertificateData": "c"})")),
              HasSubstr("status.clientCertificateData: "));
  EXPECT_THAT(error_of(printing(R"({"token": "t", "expirationTimestamp": "soon"})")), HasSubstr("is no time"));
  std::filesystem::remove(directory_ / "plugin");
  auto config = load();
  EXPECT_TRUE(absl::IsNotFound(await_real(config->credentials->credential(scope_)).status()));
}

TEST_F(ExecCredentialsTest, KillsAProgramThatHangs) {
  write_plugin("exec sleep 60");
  auto config = load();
  std::optional<absl::StatusOr<Credential>> answer;
  loop_.spawn(keep_result(config->credentials->credential(scope_), &answer));
  finish([&] { return runs() == 1; });
  clock_.advance(absl::Minutes(1));
  finish([&] { return answer.has_value(); });
  EXPECT_TRUE(absl::IsDeadlineExceeded(answer->status())) << answer->status();
}

TEST_F(ExecCredentialsTest, ReplacesTheClientCertificateButNotTheTrust) {
  const net::KeyPair own = net::make_authority({.common_name = "plugin", .now = clock_.now()}).value();
  write_plugin(printing_certificate(own));
  auto config = load();
  auto credential = await_real(config->credentials->credential(scope_));
  ASSERT_TRUE(credential.ok()) << credential.status();
  EXPECT_EQ(credential->tls->certificate_pem, own.certificate_pem);
  EXPECT_EQ(credential->tls->private_key_pem, own.private_key_pem);
}

TEST_F(ExecCredentialsTest, AddsItsCertificateToTheTrustOfTheMoment) {
  const net::KeyPair own = net::make_authority({.common_name = "plugin", .now = clock_.now()}).value();
  write_plugin(printing_certificate(own));
  std::ofstream(directory_ / "ca.pem") << "the authority before";
  auto config = load_with_authority("ca.pem");
  ASSERT_TRUE(config.ok()) << config.status();
  auto before = await_real(config->credentials->credential(scope_));
  EXPECT_EQ(before->tls->ca_pem, "the authority before");
  std::ofstream(directory_ / "ca.pem") << own.certificate_pem;
  config->tls->invalidate();
  auto after = await_real(config->credentials->credential(scope_));
  EXPECT_EQ(after->tls->ca_pem, own.certificate_pem);
  EXPECT_EQ(after->tls->certificate_pem, own.certificate_pem);
  EXPECT_EQ(runs(), 1u);
}

TEST_F(ExecCredentialsTest, AsksAgainWhenACertificateEndsThoughNobodySaidWhen) {
  write_plugin(printing_certificate(
      net::make_authority({.common_name = "plugin", .now = clock_.now(), .lifetime = absl::Hours(1)}).value()));
  auto config = load();
  await_real(config->credentials->credential(scope_)).IgnoreError();
  clock_.advance(absl::Minutes(59));
  await_real(config->credentials->credential(scope_)).IgnoreError();
  EXPECT_EQ(runs(), 1u);
  clock_.advance(absl::Minutes(1));
  await_real(config->credentials->credential(scope_)).IgnoreError();
  EXPECT_EQ(runs(), 2u);
}

TEST_F(ExecCredentialsTest, RefusesWhatNobodyCouldAnswer) {
  EXPECT_THAT(
      message(load("{apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Always}").status()),
      HasSubstr("interactiveMode"));
  EXPECT_THAT(message(load("{apiVersion: client.authentication.k8s.io/v1alpha1, command: x}").status()),
              HasSubstr("exec.apiVersion"));
  EXPECT_THAT(message(load("{apiVersion: client.authentication.k8s.io/v1}").status()), HasSubstr("no command"));
}

TEST_F(ExecCredentialsTest, ARefusedTokenIsAskedForAnew) {
  write_plugin("n=$(wc -l < $d/runs)\n" + printing(R"({"token": "token-$n"})"));
  auto config = load();
  Client client(server_, *config);
  server_.put(resources::config_maps(), make_object("demo", "a"));
  server_.intercept = [&](const net::HttpRequest& request) -> std::optional<FakeApiServer::Answer> {
    for (const auto& [name, value] : request.headers) {
      if (name == "authorization" && value == "Bearer token-2") return std::nullopt;
    }
    return FakeApiServer::Answer(FakeApiServer::status_answer(401, "Unauthorized", "Unauthorized"));
  };
  auto got = await_real(client.get(resources::config_maps(), {"demo", "a"}, scope_));
  EXPECT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(runs(), 2u);
}

}  // namespace
}  // namespace tidegate::kube
