#pragma once
// Where the API server is and who we are: from the pod's service account or from a kubeconfig file.
// Called by main.cc; the result goes to Client.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
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

struct ClientConfig {
  std::string server;  // "https://host:port", no trailing slash
  std::shared_ptr<const net::TlsOptions> tls;
  std::shared_ptr<TokenSource> token;  // null: the client certificate, or nothing, says who we are
  std::string default_namespace = "default";
  std::string user_agent = "tidegate";
};

// The service account of the pod we run in. NOT_FOUND when this is no pod (no KUBERNETES_SERVICE_HOST or no token);
// INVALID_ARGUMENT when a file is there but unusable. `clock` must outlive the result.
absl::StatusOr<ClientConfig> load_in_cluster_config(
    base::Clock& clock, std::string_view directory = "/var/run/secrets/kubernetes.io/serviceaccount");

// A kubeconfig file; `context` empty means its current-context. Certificates, keys and tokens inline or by file
// (relative to the kubeconfig). NOT_FOUND: no such file or context; INVALID_ARGUMENT names file, entry and field;
// UNIMPLEMENTED names the credential kinds that are not supported (exec and auth-provider plugins, basic
// authentication, impersonation, proxy-url).
absl::StatusOr<ClientConfig> load_kubeconfig(const std::string& path, std::string_view context, base::Clock& clock);

}  // namespace tidegate::kube
