#pragma once
// The certificates of the mutual TLS between operator and gateways: one authority in a Secret, this replica's own
// identity in memory, the gateways' identity in another Secret that they mount. Renewed when two thirds of their life
// have passed.
//
// Any replica may make the authority (the one write that needs no lease: create, and on ALREADY_EXISTS read the
// winner's); only the leader writes the gateways' Secret.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/client.h"
#include "net/certificate.h"

namespace tidegate::operator_ {

struct CertificateOptions {
  std::string ns;  // of both Secrets, and in the operator's host name
  std::string cluster_domain;
};

class CertificateManager {
 public:
  // `client` and `clock` must outlive it. `on_identity`: a new identity of this replica; called by start() first.
  CertificateManager(kube::Client& client, base::Clock& clock, CertificateOptions options,
                     std::function<void(const net::TlsIdentity&)> on_identity);

  // Reads or makes the authority and issues this replica's identity.
  base::Task<absl::Status> start(base::Scope& scope);
  // Renews this replica's identity in time. Needs start().
  base::Task<void> keep_own_identity(base::Scope& scope);
  // The leader's part: the gateways' Secret is there, signed by our authority, and fresh. Needs start().
  base::Task<void> keep_gateway_identity(base::Scope& scope);

 private:
  base::Task<absl::StatusOr<net::KeyPair>> read_authority(base::Scope& scope);
  base::Task<absl::StatusOr<net::KeyPair>> read_or_make_authority(base::Scope& scope);
  base::Task<absl::Status> ensure_gateway_secret(base::Scope& scope);
  absl::Status issue_own();

  kube::Client& client_;
  base::Clock& clock_;
  CertificateOptions options_;
  std::function<void(const net::TlsIdentity&)> on_identity_;
  std::optional<net::KeyPair> authority_;
  std::optional<net::CertificateInfo> own_;
};

}  // namespace tidegate::operator_
