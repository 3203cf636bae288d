#pragma once
// Credential plugins of kubeconfig (client.authentication.k8s.io/v1 and v1beta1): a program prints an ExecCredential
// with a token, a client certificate or both. It runs beside the loop; what it printed is kept until it expires (or the
// server answers 401); a certificate is not used beyond its own end either. Made by load_kubeconfig.
#include <absl/time/time.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "kube/config.h"

namespace tidegate::kube {

struct ExecCredentialOptions {
  std::string command;
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;
  std::string api_version;   // what the program must print
  std::string install_hint;  // for a person, when there is no such program
  bool provide_cluster_info = false;
  std::string server;
  std::shared_ptr<TlsSource> tls;  // trust, and what a certificate is added to; not null
  absl::Duration timeout = absl::Minutes(1);
};

// Callers at the same time share one run. `clock` must outlive it.
std::unique_ptr<CredentialSource> make_exec_credentials(ExecCredentialOptions options, base::Clock& clock);

// What such a program printed. INVALID_ARGUMENT says what is wrong with it, never what it holds.
struct ExecCredential {
  std::string token;
  std::string certificate_pem;  // both empty when the token says it
  std::string private_key_pem;
  absl::Time expires = absl::InfiniteFuture();
};
absl::StatusOr<ExecCredential> parse_exec_credential(std::string_view text, const ExecCredentialOptions& options);

}  // namespace tidegate::kube
