#pragma once
// Where a server listens: by a numeric address of either kind and a port.
#include <absl/status/status.h>

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>

namespace tidegate::net {

// "127.0.0.1:80", "[::1]:80".
std::string host_and_port(const std::string& address, uint16_t port);
// Opens and binds. UNAVAILABLE with the address and the system's words; a port in use is taken as soon as only
// connections that have ended are left of it.
absl::Status bind_to(boost::asio::ip::tcp::acceptor& acceptor, const std::string& address, uint16_t port);

}  // namespace tidegate::net
