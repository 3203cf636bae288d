#include "operator/certificates/authority.h"

#include <utility>

#include "base/status.h"

namespace tidegate::operator_ {
namespace {

absl::Status check(const net::KeyPair& pair, std::string_view name) {
  const absl::Status sound = net::check_identity({pair.certificate_pem, pair.private_key_pem, ""});
  if (sound.ok()) return sound;
  return absl::FailedPreconditionError(base::cat(name, ".crt and ", name, ".key: ", sound.message()));
}

}  // namespace

std::string value_at(const std::map<std::string, std::string>& data, const std::string& name) {
  auto found = data.find(name);
  return found == data.end() ? "" : found->second;
}

std::string Authority::trusted_pem() const {
  return base::cat(current.certificate_pem, next ? next->certificate_pem : "", previous_pem);
}

absl::StatusOr<Authority> read_authority(const std::map<std::string, std::string>& data) {
  Authority authority;
  authority.current = {value_at(data, "ca.crt"), value_at(data, "ca.key")};
  TG_RETURN_IF_ERROR(check(authority.current, "ca"));
  if (data.contains("next.crt")) {
    authority.next = {value_at(data, "next.crt"), value_at(data, "next.key")};
    TG_RETURN_IF_ERROR(check(*authority.next, "next"));
  }
  authority.previous_pem = value_at(data, "previous.crt");
  if (!authority.previous_pem.empty() && !net::parse_certificate(authority.previous_pem).ok()) {
    return absl::FailedPreconditionError("previous.crt holds no certificate");
  }
  return authority;
}

std::map<std::string, std::string> write_authority(const Authority& authority) {
  std::map<std::string, std::string> data{{"ca.crt", authority.current.certificate_pem},
                                          {"ca.key", authority.current.private_key_pem}};
  if (authority.next) {
    data["next.crt"] = authority.next->certificate_pem;
    data["next.key"] = authority.next->private_key_pem;
  }
  if (!authority.previous_pem.empty()) data["previous.crt"] = authority.previous_pem;
  return data;
}

absl::StatusOr<std::optional<Authority>> advance(const Authority& authority, absl::Time now, absl::Duration lifetime) {
  if (authority.next) {
    TG_ASSIGN_OR_RETURN(const net::CertificateInfo next, net::parse_certificate(authority.next->certificate_pem));
    if (now < next.not_before + kOverlap) return std::nullopt;
    return Authority{*authority.next, std::nullopt, authority.current.certificate_pem};
  }
  TG_ASSIGN_OR_RETURN(const net::CertificateInfo current, net::parse_certificate(authority.current.certificate_pem));
  if (!net::needs_renewal(current, now)) return std::nullopt;
  net::AuthorityRequest request;
  request.now = now;
  request.lifetime = lifetime;
  Authority changed = authority;
  TG_ASSIGN_OR_RETURN(changed.next, net::make_authority(request));
  return changed;
}

}  // namespace tidegate::operator_
