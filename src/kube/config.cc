#include "kube/config.h"

#include <absl/strings/ascii.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/files.h"
#include "base/log.h"
#include "base/status.h"
#include "base/strings.h"

namespace tidegate::kube {
namespace {

constexpr absl::Duration kTokenFileAge = absl::Minutes(1);

class StaticToken : public TokenSource {
 public:
  explicit StaticToken(std::string token) : token_(std::move(token)) {}
  absl::StatusOr<std::string> token() override { return token_; }
  void invalidate() override {}

 private:
  std::string token_;
};

class FileToken : public TokenSource {
 public:
  FileToken(std::string path, base::Clock& clock) : path_(std::move(path)), clock_(clock) {}

  absl::StatusOr<std::string> token() override {
    if (!stale_ && clock_.uptime() - read_at_ < kTokenFileAge) return token_;
    absl::StatusOr<std::string> text = base::read_file(path_);
    if (!text.ok()) return remembered(text.status());
    std::string token(absl::StripAsciiWhitespace(*text));
    if (token.empty()) return remembered(absl::InvalidArgumentError(base::cat("token file ", path_, " is empty")));
    token_ = std::move(token);
    read_at_ = clock_.uptime();
    stale_ = false;
    return token_;
  }

  void invalidate() override { stale_ = true; }

 private:
  // The kubelet replaces the file by renaming; a token outlives a short gap.
  absl::StatusOr<std::string> remembered(const absl::Status& why) {
    if (token_.empty()) return why;
    base::log_warning("cannot read the token file; using the token read before", {{"file", path_}, {"error", why}});
    return token_;
  }

  std::string path_;
  base::Clock& clock_;
  std::string token_;
  absl::Duration read_at_;
  bool stale_ = true;
};

// "[::1]" for an IPv6 address, which the kubelet gives without brackets.
std::string url_host(std::string_view host) {
  return host.find(':') == std::string_view::npos ? std::string(host) : base::cat("[", host, "]");
}

}  // namespace

std::unique_ptr<TokenSource> make_static_token(std::string token) {
  return std::make_unique<StaticToken>(std::move(token));
}

std::unique_ptr<TokenSource> make_file_token(std::string path, base::Clock& clock) {
  return std::make_unique<FileToken>(std::move(path), clock);
}

absl::StatusOr<ClientConfig> load_in_cluster_config(base::Clock& clock, std::string_view directory) {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  const std::string token_path = base::cat(directory, "/token");
  if (host == nullptr || port == nullptr || !std::filesystem::exists(token_path)) {
    return absl::NotFoundError(base::cat("not in a pod with a service account: KUBERNETES_SERVICE_HOST, _PORT and ",
                                         token_path, " are needed; name a kubeconfig instead"));
  }
  ClientConfig config;
  config.server = base::cat("https://", url_host(host), ":", port);
  const std::string ca_path = base::cat(directory, "/ca.crt");
  net::TlsOptions tls;
  TG_ASSIGN_OR_RETURN(tls.ca_pem, base::read_file(ca_path));
  config.tls = make_file_tls(std::move(tls), {.ca = ca_path}, clock);
  config.token = make_file_token(token_path, clock);
  TG_RETURN_IF_ERROR(config.token->token().status());
  absl::StatusOr<std::string> ns = base::read_file(base::cat(directory, "/namespace"));
  if (ns.ok()) config.default_namespace = std::string(absl::StripAsciiWhitespace(*ns));
  return config;
}

}  // namespace tidegate::kube
