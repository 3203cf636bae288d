// Tells how far the users are, over HTTP on one small port:
//   GET /stats             totals as one JSON object; 503 with {"knocks":N} before the first request is due
//   GET /seconds?from=N    the seconds' lines from index N on; /stats names the next index
//   GET /failures?from=N   the same for failed requests
#pragma once

#include <utility>  // Boost 1.74 needs it before its own headers under C++20

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "e2e/traffic/users.h"

namespace tidegate::traffic_generator {

// The answer to a GET of `target`; pure but for the clock in the totals.
struct Page {
  int code;
  std::string body;
};
Page MakePage(const std::string& target, const Users& users);

class StatsServer {
 public:
  StatsServer(boost::asio::io_context& io, const Users& users) : io_(io), acceptor_(io), users_(users) {}
  // Port 0 takes any free one. Unavailable when the port is taken.
  absl::Status Listen(uint16_t port);
  void Close();
  uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  boost::asio::awaitable<void> Accept();

  boost::asio::io_context& io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  const Users& users_;
};

}  // namespace tidegate::traffic_generator
