// One HTTP/1.1 connection to the target. Users hands it one request at a time; it never sends a request twice.
#pragma once

#include <utility>  // Boost 1.74 needs it before its own headers under C++20

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "e2e/traffic/options.h"
#include "e2e/traffic/outcome.h"

namespace tidegate::traffic_generator {

// Looks the target's name up, at most once a second: hundreds of connections a second are not to become thousands of
// questions to the cluster's DNS.
class Resolver {
 public:
  Resolver(boost::asio::io_context& io, Target target) : resolver_(io), target_(std::move(target)) {}

  // The addresses, or an error code with none.
  boost::asio::awaitable<boost::system::error_code> Resolve(boost::asio::ip::tcp::resolver::results_type& addresses);

 private:
  boost::asio::ip::tcp::resolver resolver_;
  const Target target_;
  boost::asio::ip::tcp::resolver::results_type addresses_;
  std::chrono::steady_clock::time_point looked_up_;
};

class Connection {
 public:
  Connection(boost::asio::io_context& io, Resolver& resolver, const Target& target)
      : stream_(io), resolver_(resolver), target_(target) {}

  // Sends one request and awaits the answer, opening the connection first when it is not open. Fills everything in
  // `outcome` but its request_id, `due` and duration. After `deadline` the request has failed with "timeout".
  boost::asio::awaitable<void> Exchange(const std::string& body, bool keep_alive,
                                        std::chrono::steady_clock::time_point deadline, Outcome& outcome);

  // Whether the peer has not closed it, as far as this side knows. Ask before a request is handed to a connection that
  // was idle, as HTTP clients do: what is known to be closed is not used.
  bool Usable();
  bool open() const { return stream_.socket().is_open(); }

 private:
  boost::asio::awaitable<boost::system::error_code> Connect();
  void Close();

  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  Resolver& resolver_;
  const Target& target_;
};

}  // namespace tidegate::traffic_generator
