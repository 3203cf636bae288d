#pragma once
// Keeps the API server's trust in our webhooks: the caBundle of ValidatingWebhookConfiguration `tidegate` is what the
// operator's certificates are signed with, also after a change of authority and after somebody else wrote there.
//
// The leader's part. It changes caBundle alone, and only of entries that lead to the operator's own Service; it never
// makes the configuration: who deletes that, has switched the webhook off.
#include <string>

#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/client.h"

namespace tidegate::operator_ {

const kube::GroupVersionResource& validating_webhook_configurations();

class CaBundleKeeper {
 public:
  // How long a foreign change can last.
  static constexpr absl::Duration kPeriod = absl::Seconds(30);

  // `ns`: of the Service. `client` and `clock` must outlive it.
  CaBundleKeeper(kube::Client& client, base::Clock& clock, std::string ns)
      : client_(client), clock_(clock), ns_(std::move(ns)) {}

  // PEM; the bundle from now on. Written within seconds while keep() runs.
  void set(std::string ca_pem) { ca_pem_ = std::move(ca_pem); }
  // Until `scope` ends.
  base::Task<void> keep(base::Scope& scope);

 private:
  // Looks, and writes when something is different.
  base::Task<absl::Status> ensure(base::Scope& scope);
  base::Task<void> wait(base::Scope& scope);

  kube::Client& client_;
  base::Clock& clock_;
  const std::string ns_;
  std::string ca_pem_;
};

}  // namespace tidegate::operator_
