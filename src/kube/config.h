#pragma once
// Where the API server is and who we are: from the pod's service account or from a kubeconfig file.
// Called by main.cc; the result goes to Client.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/tls_source.h"
#include "net/http_client.h"

namespace tidegate::kube {

// A bearer token that may change while we run.
class TokenSource {
 public:
  virtual ~TokenSource() = default;
  virtual absl::StatusOr<std::string> token() = 0;
  // The server answered 401: do not serve a remembered token again.
  virtual void invalidate() = 0;
};

// Always the same token.
std::unique_ptr<TokenSource> make_static_token(std::string token);
// A file that the kubelet rewrites: read again once a minute and after invalidate(). If it cannot be read but was
// before, the last token is served on. `clock` must outlive it.
std::unique_ptr<TokenSource> make_file_token(std::string path, base::Clock& clock);

// Who we are, as another program says (kubeconfig's `exec`).
struct Credential {
  std::string token;                           // empty: the certificate says it
  std::shared_ptr<const net::TlsOptions> tls;  // with the program's certificate; null: what ClientConfig::tls says
};

class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  virtual base::Task<absl::StatusOr<Credential>> credential(base::Scope& scope) = 0;
  // The server answered 401: do not serve a remembered credential again.
  virtual void invalidate() = 0;
};

struct ClientConfig {
  std::string server;                             // "https://host:port", no trailing slash
  std::shared_ptr<TlsSource> tls;                 // null: the system's trust, and no client certificate
  std::shared_ptr<TokenSource> token;             // null: the client certificate, or nothing, says who we are
  std::shared_ptr<CredentialSource> credentials;  // asked instead of `token` when set
  std::string default_namespace = "default";
  std::string user_agent = "tidegate";
  // When a watch's connection has been silent for `probe_after`, the server is asked for its version on it; without an
  // answer within `probe_timeout` the connection is given up. Together less than the lease's renew deadline, so that a
  // leader whose connection died still renews on a new one.
  absl::Duration probe_after = absl::Seconds(4);
  absl::Duration probe_timeout = absl::Seconds(4);
};

// The service account of the pod we run in; its token and the cluster's authority are followed as the kubelet changes
// them. NOT_FOUND when this is no pod (no KUBERNETES_SERVICE_HOST or no token);
// INVALID_ARGUMENT when a file is there but unusable. `clock` must outlive the result.
absl::StatusOr<ClientConfig> load_in_cluster_config(
    base::Clock& clock, std::string_view directory = "/var/run/secrets/kubernetes.io/serviceaccount");

// A kubeconfig file; `context` empty means its current-context. Certificates, keys and tokens inline or by file
// (relative to the kubeconfig; files are followed as they change), or from a program (exec, see exec_credentials.h).
// NOT_FOUND: no such file or context; INVALID_ARGUMENT names file, entry and field; UNIMPLEMENTED names the credential
// kinds that are not supported (auth-provider plugins, basic authentication, impersonation, proxy-url). `clock` must
// outlive the result.
absl::StatusOr<ClientConfig> load_kubeconfig(const std::string& path, std::string_view context, base::Clock& clock);

}  // namespace tidegate::kube
