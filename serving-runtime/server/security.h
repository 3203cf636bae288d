#pragma once
// Certificates and tokens from files. serve/ports.h reads them again while it runs: Kubernetes changes mounted Secrets
// in place.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <optional>
#include <string>
#include <vector>

#include "net/certificate.h"

namespace tidegate::serving {

// What the flags name; empty: not wanted.
struct SecurityFiles {
  std::string certificate;  // PEM chain
  std::string key;          // PEM
  std::string client_ca;    // PEM; clients must have a certificate that one of these has signed
  std::string tokens;       // one a line; empty lines and those that begin with # do not count
  std::string ssl_config;   // TensorFlow Serving's SSLConfig as text: for gRPC alone, instead of the first three
};

struct Security {
  std::optional<net::TlsIdentity> rest;  // unset: plain
  std::optional<net::TlsIdentity> grpc;
  std::vector<std::string> tokens;  // empty: everybody may ask

  friend bool operator==(const Security&, const Security&) = default;
};

// Errors name the file: NOT_FOUND, INVALID_ARGUMENT when a certificate, key or authority does not parse or the two do
// not belong together, a file holds no token, or one flag of a pair is missing.
absl::StatusOr<Security> read_security(const SecurityFiles& files);

// When the first of the certificates ends that clients are shown; in the future for ever without any.
absl::Time end_of_validity(const Security& security);

}  // namespace tidegate::serving
