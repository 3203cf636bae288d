#include "serving-runtime/server/security.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "base/status.h"
#include "serving-runtime/api/text_format.h"
#include "tensorflow_serving.pb.h"

namespace tidegate::serving {
namespace {

// The path's flag goes before every error.
absl::StatusOr<std::string> read(std::string_view flag, const std::string& path) {
  return base::annotate(base::read_file(path), flag);
}

absl::Status check(const net::TlsIdentity& identity, const std::string& file, const std::string& ca_file) {
  const absl::Status own = net::check_identity({identity.certificate_pem, identity.private_key_pem, ""});
  TG_RETURN_IF_ERROR(base::annotate(own, file));
  if (identity.ca_pem.empty()) return absl::OkStatus();
  return base::annotate(net::parse_certificate(identity.ca_pem).status(), ca_file);
}

absl::StatusOr<std::optional<net::TlsIdentity>> read_identity(const SecurityFiles& files) {
  if (files.certificate.empty() && files.key.empty()) {
    if (files.client_ca.empty()) return std::nullopt;
    return absl::InvalidArgumentError("--tls-client-ca-file needs --tls-cert-file and --tls-key-file");
  }
  if (files.certificate.empty() || files.key.empty()) {
    return absl::InvalidArgumentError("--tls-cert-file and --tls-key-file need each other");
  }
  net::TlsIdentity identity;
  TG_ASSIGN_OR_RETURN(identity.certificate_pem, read("--tls-cert-file", files.certificate));
  TG_ASSIGN_OR_RETURN(identity.private_key_pem, read("--tls-key-file", files.key));
  if (!files.client_ca.empty()) {
    TG_ASSIGN_OR_RETURN(identity.ca_pem, read("--tls-client-ca-file", files.client_ca));
    if (identity.ca_pem.empty())
      return absl::InvalidArgumentError(base::cat("--tls-client-ca-file: ", files.client_ca, " is empty"));
  }
  TG_RETURN_IF_ERROR(check(identity, base::cat("--tls-cert-file ", files.certificate, ", --tls-key-file ", files.key),
                           base::cat("--tls-client-ca-file ", files.client_ca)));
  return identity;
}

constexpr std::string_view kSslConfig = "--ssl-config-file";

absl::StatusOr<net::TlsIdentity> read_ssl_config(const std::string& path) {
  const std::string where = base::cat(kSslConfig, " ", path);
  TG_ASSIGN_OR_RETURN(const std::string text, read(kSslConfig, path));
  tensorflow::serving::SSLConfig config;
  // A key must not get into a log.
  TG_RETURN_IF_ERROR(base::annotate(parse_text_format(text, config, Quote::kNo), where));
  if (config.server_cert().empty() || config.server_key().empty()) {
    return absl::InvalidArgumentError(base::cat(where, ": it needs server_cert and server_key"));
  }
  net::TlsIdentity identity{config.server_cert(), config.server_key(),
                            config.client_verify() ? config.custom_ca() : ""};
  if (config.client_verify() && config.custom_ca().empty()) {
    return absl::InvalidArgumentError(base::cat(where, ": client_verify needs custom_ca"));
  }
  TG_RETURN_IF_ERROR(check(identity, where, where));
  return identity;
}

bool is_visible(char c) { return c > ' ' && c < 0x7f; }

absl::StatusOr<std::vector<std::string>> read_tokens(const std::string& path) {
  std::vector<std::string> tokens;
  if (path.empty()) return tokens;
  TG_ASSIGN_OR_RETURN(const std::string text, read("--token-file", path));
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    // The line itself must not get into a log.
    if (!std::all_of(line.begin(), line.end(), is_visible)) {
      return absl::InvalidArgumentError(base::cat("--token-file ", path, ", line ", number,
                                                  ": a token has visible ASCII characters only, without spaces"));
    }
    tokens.push_back(line);
  }
  if (tokens.empty()) return absl::InvalidArgumentError(base::cat("--token-file ", path, " holds no token"));
  return tokens;
}

}  // namespace

absl::Time end_of_validity(const Security& security) {
  absl::Time end = absl::InfiniteFuture();
  for (const auto& identity : {security.rest, security.grpc}) {
    const auto certificate = net::parse_certificate(identity ? identity->certificate_pem : "");
    if (certificate.ok()) end = std::min(end, certificate->not_after);
  }
  return end;
}

absl::StatusOr<Security> read_security(const SecurityFiles& files) {
  Security security;
  TG_ASSIGN_OR_RETURN(security.rest, read_identity(files));
  security.grpc = security.rest;
  if (!files.ssl_config.empty()) {
    if (security.rest) return absl::InvalidArgumentError("--ssl-config-file and --tls-cert-file exclude each other");
    TG_ASSIGN_OR_RETURN(security.grpc, read_ssl_config(files.ssl_config));
  }
  TG_ASSIGN_OR_RETURN(security.tokens, read_tokens(files.tokens));
  return security;
}

}  // namespace tidegate::serving
