#include "operator/certificates/certificate_manager.h"

#include <absl/strings/escaping.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "kube/types.h"
#include "operator/rendering/names.h"

namespace tidegate::operator_ {
namespace {

constexpr absl::Duration kCheckPeriod = absl::Hours(1);
constexpr absl::Duration kRetry = absl::Seconds(10);

kube::Json secret(const base::ObjectKey& key, std::string type, const std::map<std::string, std::string>& data) {
  kube::Json encoded = kube::Json::object();
  for (const auto& [name, bytes] : data) encoded[name] = absl::Base64Escape(bytes);
  return {{"metadata", {{"name", key.name}, {"namespace", key.ns}, {"labels", {{kManagedByLabel, kManagedByValue}}}}},
          {"type", std::move(type)},
          {"data", encoded}};
}

// Whether gateways can go on with what is in their Secret.
absl::Status check_gateway_secret(const kube::Secret& secret, const Authority& authority, absl::Time now) {
  const net::TlsIdentity identity{value_at(secret.data, "tls.crt"), value_at(secret.data, "tls.key"),
                                  value_at(secret.data, "ca.crt")};
  if (identity.ca_pem != authority.trusted_pem()) return absl::FailedPreconditionError("other authorities are trusted");
  const net::TlsIdentity signed_now{identity.certificate_pem, identity.private_key_pem,
                                    authority.current.certificate_pem};
  if (absl::Status sound = net::check_identity(signed_now); !sound.ok()) return sound;
  absl::StatusOr<net::CertificateInfo> info = net::parse_certificate(identity.certificate_pem);
  if (!info.ok()) return info.status();
  if (std::find(info->uris.begin(), info->uris.end(), kGatewayIdentity) == info->uris.end()) {
    return absl::FailedPreconditionError(base::cat("it does not name ", kGatewayIdentity));
  }
  return net::needs_renewal(*info, now) ? absl::FailedPreconditionError("two thirds of its life have passed")
                                        : absl::OkStatus();
}

}  // namespace

CertificateManager::CertificateManager(kube::Client& client, base::Clock& clock, CertificateOptions options,
                                       std::function<void(const net::TlsIdentity&)> on_identity)
    : client_(client), clock_(clock), options_(std::move(options)), on_identity_(std::move(on_identity)) {}

base::Task<absl::Status> CertificateManager::start(base::Scope& scope) {
  absl::StatusOr<Authority> authority = co_await read_or_create(std::nullopt, scope);
  if (!authority.ok()) co_return authority.status();
  authority_ = *std::move(authority);
  co_return issue_own();
}

base::Task<absl::StatusOr<CertificateManager::Stored>> CertificateManager::read(base::Scope& scope) {
  const base::ObjectKey key{options_.ns, kAuthoritySecret};
  absl::StatusOr<kube::Json> json = co_await client_.get(kube::resources::secrets(), key, scope);
  if (!json.ok()) co_return json.status();
  absl::StatusOr<kube::Secret> secret = kube::decode_secret(*json);
  if (!secret.ok()) co_return secret.status();
  absl::StatusOr<Authority> authority = read_authority(secret->data);
  if (!authority.ok()) {
    co_return absl::FailedPreconditionError(base::cat("Secret ", key.to_string(), " holds no usable authority (",
                                                      authority.status().message(),
                                                      "); delete it, and it is made again"));
  }
  co_return Stored{*std::move(authority), secret->meta.resource_version};
}

// What is stored; if nothing is, `known` or else a new one is stored first.
base::Task<absl::StatusOr<Authority>> CertificateManager::read_or_create(std::optional<Authority> known,
                                                                         base::Scope& scope) {
  absl::StatusOr<Stored> stored = co_await read(scope);
  if (stored.ok()) co_return std::move(stored->authority);
  if (!absl::IsNotFound(stored.status())) co_return stored.status();
  if (!known) {
    net::AuthorityRequest request;
    request.now = clock_.now();
    request.lifetime = options_.authority_lifetime;
    absl::StatusOr<net::KeyPair> made = net::make_authority(request);
    if (!made.ok()) co_return made.status();
    known = Authority{*std::move(made), std::nullopt, ""};
  }
  kube::Json object = secret({options_.ns, kAuthoritySecret}, "Opaque", write_authority(*known));
  absl::StatusOr<kube::Written> created = co_await client_.create(kube::resources::secrets(), std::move(object), scope);
  if (absl::IsAlreadyExists(created.status())) {
    stored = co_await read(scope);
    if (!stored.ok()) co_return stored.status();
    co_return std::move(stored->authority);
  }
  if (!created.ok()) co_return created.status();
  base::log_info("stored the authority of the gateways' certificates");
  co_return *std::move(known);
}

absl::Status CertificateManager::issue_own() {
  net::LeafRequest request;
  request.common_name = kXdsServerName;
  const std::string host = base::cat(kXdsServerName, ".", options_.ns);
  request.dns_names = {host, base::cat(host, ".svc"), base::cat(host, ".svc.", options_.cluster_domain),
                       // As the API server calls the webhook.
                       base::cat(kWebhookService, ".", options_.ns, ".svc")};
  request.uris = {kOperatorIdentity};
  request.now = clock_.now();
  absl::StatusOr<net::KeyPair> pair = net::issue(authority_->current, request);
  if (!pair.ok()) return pair.status();
  absl::StatusOr<net::CertificateInfo> info = net::parse_certificate(pair->certificate_pem);
  if (!info.ok()) return info.status();
  own_ = *std::move(info);
  own_ca_pem_ = authority_->trusted_pem();
  own_issuer_pem_ = authority_->current.certificate_pem;
  on_identity_({pair->certificate_pem, pair->private_key_pem, own_ca_pem_});
  return absl::OkStatus();
}

base::Task<void> CertificateManager::keep_own_identity(base::Scope& scope) {
  while (!scope.cancelled()) {
    const absl::Status followed = co_await follow_authority(scope);
    if (scope.cancelled()) co_return;
    if (!followed.ok()) base::log_warning("the operator's certificate is not up to date", {{"error", followed}});
    co_await base::sleep_for(clock_, followed.ok() ? kCheckPeriod : kRetry, scope);
  }
}

base::Task<absl::Status> CertificateManager::follow_authority(base::Scope& scope) {
  absl::StatusOr<Stored> stored = co_await read(scope);
  // One that was deleted is put back by the leader; until then, and while it cannot be read, the known one holds.
  if (stored.ok()) authority_ = std::move(stored->authority);
  const bool changed =
      own_ca_pem_ != authority_->trusted_pem() || own_issuer_pem_ != authority_->current.certificate_pem;
  if (changed || net::needs_renewal(*own_, clock_.now())) {
    const absl::Status issued = issue_own();
    if (!issued.ok()) co_return issued;
    base::log_info("renewed the operator's certificate", {{"newAuthorities", changed}});
  }
  co_return stored.ok() || absl::IsNotFound(stored.status()) ? absl::OkStatus() : stored.status();
}

base::Task<void> CertificateManager::keep_gateway_identity(base::Scope& scope) {
  while (!scope.cancelled()) {
    const absl::Status done = co_await maintain(scope);
    if (scope.cancelled()) co_return;
    if (!done.ok()) base::log_warning("the gateways' certificate is not up to date", {{"error", done}});
    co_await base::sleep_for(clock_, done.ok() ? kCheckPeriod : kRetry, scope);
  }
}

base::Task<absl::Status> CertificateManager::maintain(base::Scope& scope) {
  const absl::Status advanced = co_await advance_authority(scope);
  if (!advanced.ok()) co_return advanced;
  const absl::Status ensured = co_await ensure_gateway_secret(scope);
  co_return ensured;
}

base::Task<absl::Status> CertificateManager::advance_authority(base::Scope& scope) {
  absl::StatusOr<Stored> stored = co_await read(scope);
  if (absl::IsNotFound(stored.status())) {
    absl::StatusOr<Authority> restored = co_await read_or_create(authority_, scope);
    if (restored.ok()) authority_ = *std::move(restored);
    co_return restored.status();
  }
  if (!stored.ok()) co_return stored.status();
  authority_ = std::move(stored->authority);
  absl::StatusOr<std::optional<Authority>> changed = advance(*authority_, clock_.now(), options_.authority_lifetime);
  if (!changed.ok()) co_return changed.status();
  if (!changed->has_value()) co_return absl::OkStatus();
  kube::Json object = secret({options_.ns, kAuthoritySecret}, "Opaque", write_authority(**changed));
  object["metadata"]["resourceVersion"] = stored->resource_version;
  absl::StatusOr<kube::Written> written = co_await client_.update(kube::resources::secrets(), std::move(object), scope);
  if (!written.ok()) co_return written.status();
  authority_ = **std::move(changed);
  base::log_info(authority_->next ? "made the next authority of the gateways' certificates"
                                  : "the next authority of the gateways' certificates signs from now on");
  co_return absl::OkStatus();
}

base::Task<absl::Status> CertificateManager::ensure_gateway_secret(base::Scope& scope) {
  const base::ObjectKey key{options_.ns, kGatewayTlsSecret};
  absl::StatusOr<kube::Json> json = co_await client_.get(kube::resources::secrets(), key, scope);
  if (!json.ok() && !absl::IsNotFound(json.status())) co_return json.status();
  if (json.ok()) {
    absl::StatusOr<kube::Secret> present = kube::decode_secret(*json);
    if (!present.ok()) co_return present.status();
    const absl::Status good = check_gateway_secret(*present, *authority_, clock_.now());
    if (good.ok()) co_return absl::OkStatus();
    base::log_info("renewing the gateways' certificate", {{"because", std::string(base::view(good.message()))}});
  }
  net::LeafRequest request;
  request.common_name = "tidegate-gateway";
  request.uris = {kGatewayIdentity};
  request.now = clock_.now();
  absl::StatusOr<net::KeyPair> pair = net::issue(authority_->current, request);
  if (!pair.ok()) co_return pair.status();
  kube::Json object = secret(
      key, "kubernetes.io/tls",
      {{"tls.crt", pair->certificate_pem}, {"tls.key", pair->private_key_pem}, {"ca.crt", authority_->trusted_pem()}});
  kube::ApplyOptions apply;
  apply.field_manager = kFieldManager;
  absl::StatusOr<kube::Written> applied =
      co_await client_.apply(kube::resources::secrets(), std::move(object), apply, scope);
  co_return applied.status();
}

}  // namespace tidegate::operator_
