#pragma once
// The authority that signs the certificates of operator and gateways, and its change: pure decisions over what its
// Secret holds. CertificateManager reads and writes the Secret.
//
// A change takes two steps, so that nobody ever meets a certificate that he does not trust yet:
//   current                 two thirds of its life have passed ─► a successor is made, and trusted by everyone
//   current, next           kOverlap later                      ─► the successor signs
//   previous, current       the former one is trusted for as long as certificates that it signed may be in use
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <map>
#include <optional>
#include <string>

#include "net/certificate.h"

namespace tidegate::operator_ {

struct Authority {
  net::KeyPair current;              // signs
  std::optional<net::KeyPair> next;  // will sign
  std::string previous_pem;          // certificate of the one that signed before; empty: none

  // Everyone's ca_pem: the certificates of all of them.
  std::string trusted_pem() const;
};

// Far more than the hour in which each replica looks at the Secret and the minutes in which a gateway gets its own.
inline constexpr absl::Duration kOverlap = absl::Hours(24);

// One value of a Secret; empty when it is not there.
std::string value_at(const std::map<std::string, std::string>& data, const std::string& name);

// What is in the Secret: ca.crt, ca.key, next.crt, next.key, previous.crt. FAILED_PRECONDITION says what is wrong.
absl::StatusOr<Authority> read_authority(const std::map<std::string, std::string>& data);
std::map<std::string, std::string> write_authority(const Authority& authority);

// The next step, if one is due at `now`; nullopt: everything stays as it is. `lifetime`: of a successor.
absl::StatusOr<std::optional<Authority>> advance(const Authority& authority, absl::Time now, absl::Duration lifetime);

}  // namespace tidegate::operator_
