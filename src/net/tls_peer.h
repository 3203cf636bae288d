#pragma once
// Who is at the other end of a TLS connection.
#include <openssl/ssl.h>

#include <string>
#include <string_view>

namespace tidegate::net {

// True when the peer's certificate carries exactly this URI as a subject alternative name. Says nothing about the
// chain: that is verified by the handshake.
bool peer_has_uri_san(const SSL& ssl, std::string_view uri);

}  // namespace tidegate::net
