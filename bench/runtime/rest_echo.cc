// rest_echo PORT: what an HTTP server on Boost.Beast costs that does nothing: one thread, no timeouts, no router. Reads
// a request whole and answers with a fixed text. bench/runtime/measure starts it; its cost is the floor of our REST
// port.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr uint64_t kMaxBody = 64 << 20;
constexpr const char* kAnswer = R"({"predictions":[2.5,3.0,4.5]})";

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  explicit Connection(tcp::socket socket) : stream_(std::move(socket)) {
    stream_.socket().set_option(tcp::no_delay(true));
  }

  void read() {
    request_.emplace();
    request_->body_limit(kMaxBody);
    http::async_read(stream_, buffer_, *request_, [self = shared_from_this()](error_code error, size_t) {
      if (!error) self->write();
    });
  }

 private:
  void write() {
    response_ = {};
    response_.set(http::field::content_type, "application/json");
    response_.keep_alive(request_->get().keep_alive());
    response_.body() = kAnswer;
    response_.prepare_payload();
    http::async_write(stream_, response_, [self = shared_from_this()](error_code error, size_t) {
      if (!error) self->read();
    });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> request_;
  http::response<http::string_body> response_;
};

void accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](error_code error, tcp::socket socket) {
    if (!error) std::make_shared<Connection>(std::move(socket))->read();
    accept(acceptor);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  asio::io_context context(1);
  tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(std::atoi(argv[1]))});
  accept(acceptor);
  context.run();
}
