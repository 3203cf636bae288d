#pragma once
// The certificates of the mutual TLS between operator and gateways: one authority in a Secret, this replica's own
// identity in memory, the gateways' identity in another Secret that they mount. All are renewed when two thirds of
// their life have passed, the authority step by step (authority.h), and nobody has to be restarted for it.
//
// Any replica may make the authority (the one write that needs no lease: create, and on ALREADY_EXISTS read the
// winner's); only the leader changes it, puts it back when it was deleted, and writes the gateways' Secret. Every
// replica looks at it once an hour.
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
#include "operator/certificates/authority.h"

namespace tidegate::operator_ {

struct CertificateOptions {
  std::string ns;  // of both Secrets, and in the operator's host name
  std::string cluster_domain;
  absl::Duration authority_lifetime = net::AuthorityRequest{}.lifetime;
};

class CertificateManager {
 public:
  // `client` and `clock` must outlive it. `on_identity`: a new identity of this replica; called by start() first. Its
  // ca_pem holds several certificates during a change of authority.
  CertificateManager(kube::Client& client, base::Clock& clock, CertificateOptions options,
                     std::function<void(const net::TlsIdentity&)> on_identity);

  // Reads or makes the authority and issues this replica's identity.
  base::Task<absl::Status> start(base::Scope& scope);
  // Follows the authority and renews this replica's identity in time. Needs start().
  base::Task<void> keep_own_identity(base::Scope& scope);
  // The leader's part: the authority is there and fresh, and so is the gateways' Secret, signed by it. Needs start().
  base::Task<void> keep_gateway_identity(base::Scope& scope);

 private:
  struct Stored {
    Authority authority;
    std::string resource_version;  // of the Secret
  };
  base::Task<absl::StatusOr<Stored>> read(base::Scope& scope);
  base::Task<absl::StatusOr<Authority>> read_or_create(std::optional<Authority> known, base::Scope& scope);
  base::Task<absl::Status> follow_authority(base::Scope& scope);
  base::Task<absl::Status> maintain(base::Scope& scope);
  base::Task<absl::Status> advance_authority(base::Scope& scope);
  base::Task<absl::Status> ensure_gateway_secret(base::Scope& scope);
  absl::Status issue_own();

  kube::Client& client_;
  base::Clock& clock_;
  CertificateOptions options_;
  std::function<void(const net::TlsIdentity&)> on_identity_;
  std::optional<Authority> authority_;
  std::optional<net::CertificateInfo> own_;
  std::string own_ca_pem_;      // whom this replica's identity trusts
  std::string own_issuer_pem_;  // who signed it
};

}  // namespace tidegate::operator_
