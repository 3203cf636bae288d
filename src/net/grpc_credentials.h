// TLS for a gRPC server whose certificate can be exchanged while it runs: every new connection gets the present one,
// and open connections stay as they are. Clients must present a certificate that the present authority signed.
//
// gRPC's C++ interface only offers files that it re-reads; its C interface asks a function before each handshake, which
// keeps private keys off the disk. This wraps the latter.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "net/certificate.h"

namespace tidegate::xds {

class RotatingCredentials : public grpc::ServerCredentials {
 public:
  // Needs an identity that net::check_identity accepts, with a ca_pem.
  static std::shared_ptr<RotatingCredentials> make(const net::TlsIdentity& identity);
  // Thread-safe.
  virtual void rotate(const net::TlsIdentity& identity) = 0;
};

}  // namespace tidegate::xds
