#include "e2e/traffic/connection.h"

#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tidegate::traffic_generator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

Request MakeRequest(const Target& target, const std::string& body, bool keep_alive, const std::string& request_id) {
  Request request(body.empty() ? http::verb::get : http::verb::post, target.path, 11);
  request.set(http::field::host, target.port == "80" ? target.host : absl::StrCat(target.host, ":", target.port));
  request.set(http::field::user_agent, "tidegate-traffic");
  if (!request_id.empty()) request.set("x-request-id", request_id);
  if (!body.empty()) request.set(http::field::content_type, "application/json");
  request.body() = body;
  request.keep_alive(keep_alive);
  request.prepare_payload();
  return request;
}

std::string Explain(const error_code& error) {
  if (error == beast::error::timeout) return "timeout";
  if (error == http::error::end_of_stream) return "connection closed before the answer";
  if (error == http::error::partial_message) return "connection closed within the answer";
  return error.message();
}

void ReadAnswer(const Response& response, Outcome& outcome) {
  const auto header = [&response](beast::string_view name) {
    const beast::string_view value = response[name];
    return std::string(value.data(), value.size());
  };
  outcome.stage = Stage::kAnswered;
  outcome.code = response.result_int();
  outcome.revision = header("x-tidegate-revision");
  outcome.version = header("x-tidegate-model-version");
  outcome.error_source = header("x-tidegate-error");
  if (!outcome.ok()) outcome.excerpt = response.body().substr(0, 300);
}

}  // namespace

asio::awaitable<error_code> Resolver::Resolve(tcp::resolver::results_type& addresses) {
  error_code error;
  const auto now = std::chrono::steady_clock::now();
  if (addresses_.empty() || now - looked_up_ > std::chrono::seconds(1)) {
    tcp::resolver::results_type found =
        co_await resolver_.async_resolve(target_.host, target_.port, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return error;
    addresses_ = std::move(found);
    looked_up_ = now;
  }
  addresses = addresses_;
  co_return error;
}

asio::awaitable<error_code> Connection::Connect() {
  tcp::resolver::results_type addresses;
  error_code error = co_await resolver_.Resolve(addresses);
  if (error) co_return error;
  co_await stream_.async_connect(addresses, asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return error;
  stream_.socket().set_option(tcp::no_delay(true), error);
  co_return error;
}

asio::awaitable<void> Connection::Exchange(const std::string& body, bool keep_alive,
                                           std::chrono::steady_clock::time_point deadline, Outcome& outcome) {
  error_code error;
  stream_.expires_at(deadline);
  outcome.new_connection = !open();
  if (outcome.new_connection) {
    outcome.stage = Stage::kConnect;
    error = co_await Connect();
  }
  http::response_parser<http::string_body> parser;
  if (!error) {
    outcome.stage = Stage::kExchange;
    const Request request = MakeRequest(target_, body, keep_alive, outcome.request_id);
    co_await http::async_write(stream_, request, asio::redirect_error(asio::use_awaitable, error));
  }
  if (!error) co_await http::async_read(stream_, buffer_, parser, asio::redirect_error(asio::use_awaitable, error));
  stream_.expires_never();
  if (error) {
    outcome.error = Explain(error);
    Close();
    co_return;
  }
  ReadAnswer(parser.get(), outcome);
  if (!keep_alive || !parser.get().keep_alive()) Close();
}

bool Connection::Usable() {
  char byte;
  const ssize_t got = recv(stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
  Close();
  return false;
}

void Connection::Close() {
  error_code ignored;
  stream_.socket().close(ignored);
  buffer_.clear();
}

}  // namespace tidegate::traffic_generator
