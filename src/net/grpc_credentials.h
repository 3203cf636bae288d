// TLS for a gRPC server whose certificate can be exchanged while it runs: every new connection gets the present one,
// and open connections stay as they are. With an authority, clients must present a certificate that it has signed.
//
// gRPC's C++ interface only offers files that it re-reads; its C interface asks a function before each handshake, which
// keeps private keys off the disk. This wraps the latter.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "net/certificate.h"

namespace tidegate::net {

class RotatingCredentials : public grpc::ServerCredentials {
 public:
  // Needs an identity that check_identity() accepts. Whether it has a ca_pem decides for good whether clients are asked
  // for a certificate.
  static std::shared_ptr<RotatingCredentials> make(const TlsIdentity& identity);
  // Thread-safe.
  virtual void rotate(const TlsIdentity& identity) = 0;
};

}  // namespace tidegate::net
