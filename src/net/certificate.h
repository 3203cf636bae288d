// A small certificate authority (OpenSSL 3): the operator's own, for mutual TLS between it and its gateways.
//
// Keys are ECDSA P-256, signatures SHA-256, serial numbers 127 random bits, texts PEM. The operator makes the authority
// once and keeps it in a Secret; it issues its own serving certificate and the gateways' from it and renews them when
// needs_renewal() says so. Time is always handed in; randomness is OpenSSL's own.
#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>
#include <string_view>
#include <vector>

namespace tidegate::net {

// What one end of a mutual TLS connection has: its own certificate chain and key, and whom it trusts.
struct TlsIdentity {
  std::string certificate_pem;
  std::string private_key_pem;
  std::string ca_pem;  // may hold several certificates during a change of authority

  friend bool operator==(const TlsIdentity&, const TlsIdentity&) = default;
};

struct KeyPair {
  std::string certificate_pem;
  std::string private_key_pem;  // PKCS#8, not encrypted
};

struct AuthorityRequest {
  std::string common_name = "tidegate";
  absl::Time now;
  absl::Duration lifetime = absl::Hours(24 * 365 * 10);
};

struct LeafRequest {
  std::string common_name;
  std::vector<std::string> dns_names;     // SAN
  std::vector<std::string> uris;          // SAN: SPIFFE ids
  std::vector<std::string> ip_addresses;  // SAN
  absl::Time now;                         // valid from a minute before, against clocks that differ
  absl::Duration lifetime = absl::Hours(24 * 90);
};

struct CertificateInfo {
  std::string common_name;
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;
  std::vector<std::string> ip_addresses;
  absl::Time not_before;
  absl::Time not_after;
  bool is_authority = false;
};

// A self-signed authority that may sign leaves only.
absl::StatusOr<KeyPair> make_authority(const AuthorityRequest& request);

// A certificate for client and server use, signed by `authority`. It never outlives it. INVALID_ARGUMENT: the
// authority's texts do not parse or do not belong together, no name is asked for, or the authority has expired.
absl::StatusOr<KeyPair> issue(const KeyPair& authority, const LeafRequest& request);

// The first certificate in `pem`. INVALID_ARGUMENT if there is none.
absl::StatusOr<CertificateInfo> parse_certificate(std::string_view pem);

// OK if certificate and key belong together and, unless `ca_pem` is empty, a certificate in it signed the first one.
// INVALID_ARGUMENT says what is wrong.
absl::Status check_identity(const TlsIdentity& identity);

// When two thirds of its life have passed: time enough for a renewal that fails a few times.
absl::Time renewal_time(const CertificateInfo& info);
bool needs_renewal(const CertificateInfo& info, absl::Time now);

}  // namespace tidegate::net
