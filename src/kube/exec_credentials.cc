#include "kube/exec_credentials.h"

#include <absl/strings/escaping.h>
#include <absl/strings/strip.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/program.h"
#include "base/status.h"
#include "base/strings.h"
#include "kube/json.h"
#include "net/certificate.h"

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
    const std::shared_ptr<const net::TlsOptions> tls = options.tls->tls();
    if (!tls->ca_pem.empty()) cluster["certificate-authority-data"] = absl::Base64Escape(tls->ca_pem);
    if (!tls->server_name.empty()) cluster["tls-server-name"] = tls->server_name;
    if (tls->insecure_skip_verify) cluster["insecure-skip-tls-verify"] = true;
  }
  return dump_json(request);
}

class ExecCredentials : public CredentialSource {
 public:
  ExecCredentials(ExecCredentialOptions options, base::Clock& clock) : options_(std::move(options)), clock_(clock) {}

  base::Task<absl::StatusOr<Credential>> credential(base::Scope& scope) override {
    while (true) {
      if (known_ && clock_.now() + kEarly < known_->expires) co_return current();
      if (scope.cancelled()) co_return absl::CancelledError("scope ended");
      if (!running_) {
        absl::Status ran = co_await run(scope);
        if (!ran.ok()) co_return ran;
        co_return current();
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
    tls_.reset();
    return absl::OkStatus();
  }

  // What the program printed, with whom to trust as of now.
  Credential current() {
    Credential credential{known_->token, nullptr};
    if (known_->certificate_pem.empty()) return credential;
    const std::shared_ptr<const net::TlsOptions> trust = options_.tls->tls();
    if (!tls_ || trust != trust_) {
      auto tls = std::make_shared<net::TlsOptions>(*trust);
      tls->certificate_pem = known_->certificate_pem;
      tls->private_key_pem = known_->private_key_pem;
      tls_ = std::move(tls);
      trust_ = trust;
    }
    credential.tls = tls_;
    return credential;
  }

  ExecCredentialOptions options_;
  base::Clock& clock_;
  std::optional<ExecCredential> known_;
  std::shared_ptr<const net::TlsOptions> tls_;    // of known_, with trust_
  std::shared_ptr<const net::TlsOptions> trust_;  // what tls_ was made of
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
  result.token = string_at(json, {"status", "token"});
  result.certificate_pem = string_at(json, {"status", "clientCertificateData"});
  result.private_key_pem = string_at(json, {"status", "clientKeyData"});
  if (result.certificate_pem.empty() != result.private_key_pem.empty()) {
    return absl::InvalidArgumentError(
        base::cat(where, ": status.clientCertificateData and clientKeyData must be given together"));
  }
  if (result.token.empty() && result.private_key_pem.empty()) {
    return absl::InvalidArgumentError(base::cat(where, ": status holds neither a token nor a certificate"));
  }
  if (find(json, {"status", "expirationTimestamp"}) != nullptr) {
    const std::optional<absl::Time> expires = time_at(json, {"status", "expirationTimestamp"});
    if (!expires) return absl::InvalidArgumentError(base::cat(where, ": status.expirationTimestamp is no time"));
    result.expires = *expires;
  }
  if (!result.certificate_pem.empty()) {
    const absl::Status usable = net::check_identity({result.certificate_pem, result.private_key_pem, ""});
    if (!usable.ok()) return base::annotate(usable, base::cat(where, ": status.clientCertificateData"));
    TG_ASSIGN_OR_RETURN(const net::CertificateInfo info, net::parse_certificate(result.certificate_pem));
    result.expires = std::min(result.expires, info.not_after);
  }
  return result;
}

std::unique_ptr<CredentialSource> make_exec_credentials(ExecCredentialOptions options, base::Clock& clock) {
  return std::make_unique<ExecCredentials>(std::move(options), clock);
}

}  // namespace tidegate::kube
