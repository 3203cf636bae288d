#include "net/listening.h"

#include <string_view>

#include "base/strings.h"

namespace tidegate::net {

namespace asio = boost::asio;

std::string host_and_port(const std::string& address, uint16_t port) {
  return address.find(':') == std::string::npos ? base::cat(address, ":", port) : base::cat("[", address, "]:", port);
}

absl::Status bind_to(asio::ip::tcp::acceptor& acceptor, const std::string& address, uint16_t port) {
  const auto failed = [&](std::string_view why) {
    return absl::UnavailableError(base::cat("Cannot listen on ", host_and_port(address, port), ": ", why));
  };
  boost::system::error_code error;
  const auto numeric = asio::ip::make_address(address, error);
  if (error) return failed(base::cat("'", address, "' is no IPv4 or IPv6 address, such as 0.0.0.0 or ::1"));
  const asio::ip::tcp::endpoint endpoint(numeric, port);
  acceptor.open(endpoint.protocol(), error);
  if (error) return failed(error.message());
  acceptor.set_option(asio::socket_base::reuse_address(true), error);
  acceptor.bind(endpoint, error);
  if (error) return failed(error.message());
  return absl::OkStatus();
}

}  // namespace tidegate::net
