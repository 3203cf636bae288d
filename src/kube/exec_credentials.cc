#include "kube/exec_credentials.h"

#include <absl/strings/escaping.h>
#include <absl/strings/strip.h>

#include <optional>
#include <utility>

#include "base/program.h"
#include "base/status.h"
#include "base/strings.h"
#include "kube/json.h"

namespace tidegate::kube {
namespace {

// So that a token does not run out on its way.
constexpr absl::Duration kEarly = absl::Seconds(10);
constexpr size_t kMaxWords = 300;

std::string request_text(const ExecCredentialOptions& options) {
  Json request = {{"apiVersion", options.api_version}, {"kind", "ExecCredential"}};
  Json& spec = request["spec"];
  spec["interactive"] = false;
  if (options.provide_cluster_info) {
    Json& cluster = spec["cluster"];
    cluster["server"] = options.server;
    if (!options.tls->ca_pem.empty()) cluster["certificate-authority-data"] = absl::Base64Escape(options.tls->ca_pem);
    if (!options.tls->server_name.empty()) cluster["tls-server-name"] = options.tls->server_name;
    if (options.tls->insecure_skip_verify) cluster["insecure-skip-tls-verify"] = true;
  }
  return dump_json(request);
}

class ExecCredentials : public CredentialSource {
 public:
  ExecCredentials(ExecCredentialOptions options, base::Clock& clock) : options_(std::move(options)), clock_(clock) {}

  base::Task<absl::StatusOr<Credential>> credential(base::Scope& scope) override {
    while (true) {
      if (known_ && clock_.now() + kEarly < known_->expires) co_return known_->credential;
      if (scope.cancelled()) co_return absl::CancelledError("scope ended");
      if (!running_) {
        absl::Status ran = co_await run(scope);
        if (!ran.ok()) co_return ran;
        co_return known_->credential;
      }
      // Whoever runs it may give up; then the next one does.
      base::Promise<bool> over;
      waiting_.push_back(over);
      auto registration = scope.on_cancel([over] { over.set(false); });
      co_await over.wait();
      if (!failed_.ok() && !absl::IsCancelled(failed_)) co_return failed_;
    }
  }

  void invalidate() override { known_.reset(); }

 private:
  base::Task<absl::Status> run(base::Scope& scope) {
    running_ = true;
    base::ProgramCall call{options_.command, options_.arguments, options_.environment, options_.timeout};
    call.environment["KUBERNETES_EXEC_INFO"] = request_text(options_);
    absl::StatusOr<base::ProgramResult> result = co_await base::run_program(std::move(call), clock_, scope);
    failed_ = take(result);
    running_ = false;
    for (const auto& waiter : std::exchange(waiting_, {})) waiter.set(true);
    co_return failed_;
  }

  absl::Status take(const absl::StatusOr<base::ProgramResult>& result) {
    if (absl::IsNotFound(result.status())) {
      return base::annotate(result.status(),
                            base::cat("credential plugin", options_.install_hint.empty() ? "" : " (",
                                      options_.install_hint, options_.install_hint.empty() ? "" : ")"));
    }
    if (!result.ok()) return base::annotate(result.status(), "credential plugin");
    if (result->exit_code != 0) {
      return absl::UnauthenticatedError(base::cat("credential plugin ", options_.command, " ended with ",
                                                  result->exit_code, ": ", result->errors.substr(0, kMaxWords)));
    }
    TG_ASSIGN_OR_RETURN(known_, parse_exec_credential(result->output, options_));
    return absl::OkStatus();
  }

  ExecCredentialOptions options_;
  base::Clock& clock_;
  std::optional<ExecCredential> known_;
  bool running_ = false;
  absl::Status failed_;  // of the last run
  std::vector<base::Promise<bool>> waiting_;
};

}  // namespace

absl::StatusOr<ExecCredential> parse_exec_credential(std::string_view text, const ExecCredentialOptions& options) {
  const std::string where = base::cat("credential plugin ", options.command);
  const Json json = Json::parse(text, nullptr, false);
  if (string_at(json, {"kind"}) != "ExecCredential") {
    return absl::InvalidArgumentError(base::cat(where, " printed no ExecCredential"));
  }
  if (string_at(json, {"apiVersion"}) != options.api_version) {
    return absl::InvalidArgumentError(base::cat(where, " speaks '", string_at(json, {"apiVersion"}),
                                                "', the kubeconfig says '", options.api_version, "'"));
  }
  ExecCredential result;
  result.credential.token = string_at(json, {"status", "token"});
  const std::string certificate = string_at(json, {"status", "clientCertificateData"});
  const std::string key = string_at(json, {"status", "clientKeyData"});
  if (certificate.empty() != key.empty()) {
    return absl::InvalidArgumentError(
        base::cat(where, ": status.clientCertificateData and clientKeyData must be given together"));
  }
  if (result.credential.token.empty() && key.empty()) {
    return absl::InvalidArgumentError(base::cat(where, ": status holds neither a token nor a certificate"));
  }
  if (!key.empty()) {
    auto tls = std::make_shared<net::TlsOptions>(*options.tls);
    tls->certificate_pem = certificate;
    tls->private_key_pem = key;
    result.credential.tls = std::move(tls);
  }
  if (find(json, {"status", "expirationTimestamp"}) != nullptr) {
    const std::optional<absl::Time> expires = time_at(json, {"status", "expirationTimestamp"});
    if (!expires) return absl::InvalidArgumentError(base::cat(where, ": status.expirationTimestamp is no time"));
    result.expires = *expires;
  }
  return result;
}

std::unique_ptr<CredentialSource> make_exec_credentials(ExecCredentialOptions options, base::Clock& clock) {
  return std::make_unique<ExecCredentials>(std::move(options), clock);
}

}  // namespace tidegate::kube
