#include "net/grpc_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <cstdint>
#include <mutex>
#include <string>

namespace tidegate::net {
namespace {

class SslFetcherCredentials : public RotatingCredentials {
 public:
  explicit SslFetcherCredentials(const TlsIdentity& identity) : identity_(identity) {
    credentials_ =
        grpc_ssl_server_credentials_create_with_options(grpc_ssl_server_credentials_create_options_using_config_fetcher(
            identity.ca_pem.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                    : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY,
            &SslFetcherCredentials::fetch, this));
  }
  ~SslFetcherCredentials() override { grpc_server_credentials_release(credentials_); }

  void rotate(const TlsIdentity& identity) override {
    std::lock_guard lock(mutex_);
    identity_ = identity;
    ++generation_;
  }

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    {
      std::lock_guard lock(mutex_);
      fetched_ = 0;  // a server that listens anew has none yet
    }
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // Called by gRPC before each handshake, never twice at once.
  static grpc_ssl_certificate_config_reload_status fetch(void* self, grpc_ssl_server_certificate_config** config) {
    return static_cast<SslFetcherCredentials*>(self)->fetch(config);
  }
  grpc_ssl_certificate_config_reload_status fetch(grpc_ssl_server_certificate_config** config) {
    std::lock_guard lock(mutex_);
    if (fetched_ == generation_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair{identity_.private_key_pem.c_str(), identity_.certificate_pem.c_str()};
    // gRPC insists on an authority, also when it asks clients for nothing.
    const std::string& authority = identity_.ca_pem.empty() ? identity_.certificate_pem : identity_.ca_pem;
    *config = grpc_ssl_server_certificate_config_create(authority.c_str(), &pair, 1);
    fetched_ = generation_;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  std::mutex mutex_;
  TlsIdentity identity_;
  uint64_t generation_ = 1;
  uint64_t fetched_ = 0;
  grpc_server_credentials* credentials_;
};

}  // namespace

std::shared_ptr<RotatingCredentials> RotatingCredentials::make(const TlsIdentity& identity) {
  return std::make_shared<SslFetcherCredentials>(identity);
}

}  // namespace tidegate::net
