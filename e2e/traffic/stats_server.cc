#include "e2e/traffic/stats_server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"

namespace tidegate::traffic_generator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr auto kIdleTimeout = std::chrono::seconds(30);

asio::awaitable<void> Serve(tcp::socket socket, const Users& users) {
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer;
  error_code error;
  while (!error) {
    http::request<http::empty_body> request;
    stream.expires_after(kIdleTimeout);
    co_await http::async_read(stream, buffer, request, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    Page page = MakePage(std::string(request.target()), users);
    http::response<http::string_body> response(static_cast<http::status>(page.code), 11, std::move(page.body));
    response.set(http::field::content_type, "application/json");
    response.keep_alive(request.keep_alive());
    response.prepare_payload();
    co_await http::async_write(stream, response, asio::redirect_error(asio::use_awaitable, error));
    if (!response.keep_alive()) co_return;
  }
}

}  // namespace

Page MakePage(const std::string& target, const Users& users) {
  absl::string_view rest = target;
  const Tally* tally = users.tally();
  if (tally == nullptr) return {503, absl::StrCat("{\"knocks\":", users.knocks(), "}\n")};
  if (rest == "/stats") {
    nlohmann::json totals = tally->Totals(absl::Now());
    totals["knocks"] = users.knocks();
    return {200, totals.dump() + "\n"};
  }
  const bool seconds = absl::ConsumePrefix(&rest, "/seconds");
  if (!seconds && !absl::ConsumePrefix(&rest, "/failures")) {
    return {404, "{\"error\":\"there are /stats, /seconds?from=N and /failures?from=N\"}\n"};
  }
  uint64_t from = 0;
  if (!rest.empty() && !(absl::ConsumePrefix(&rest, "?from=") && absl::SimpleAtoi(rest, &from))) {
    return {400, "{\"error\":\"from must be a number\"}\n"};
  }
  return {200, (seconds ? tally->seconds() : tally->failures()).From(from)};
}

absl::Status StatsServer::Listen(uint16_t port) {
  error_code error;
  const tcp::endpoint endpoint(tcp::v4(), port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return absl::UnavailableError(absl::StrCat("--stats-port ", port, ": ", error.message()));
  asio::co_spawn(io_, Accept(), asio::detached);
  return absl::OkStatus();
}

void StatsServer::Close() {
  error_code ignored;
  acceptor_.close(ignored);
}

asio::awaitable<void> StatsServer::Accept() {
  error_code error;
  while (acceptor_.is_open()) {
    tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (!error) asio::co_spawn(io_, Serve(std::move(socket), users_), asio::detached);
  }
}

}  // namespace tidegate::traffic_generator
