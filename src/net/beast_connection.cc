#include "net/beast_connection.h"

#include <boost/asio/dispatch.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <atomic>
#include <optional>

namespace tidegate::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

std::chrono::nanoseconds chrono(absl::Duration duration) { return absl::ToChronoNanoseconds(duration); }

std::string_view std_view(beast::string_view text) { return {text.data(), text.size()}; }

// A Content-Type by which clients read the server's own refusals.
ServerResponse refusal(int status, std::string_view message) {
  ServerResponse response;
  response.status = status;
  response.body = std::string(R"({"error":")").append(message).append("\"}");
  response.close = true;
  return response;
}

template <class Stream>
class BeastConnection : public Connection, public std::enable_shared_from_this<BeastConnection<Stream>> {
 public:
  BeastConnection(std::shared_ptr<ConnectionHost> host, asio::ip::tcp::socket socket,
                  std::shared_ptr<asio::ssl::context> tls, std::function<void(Connection*)> on_end)
      : host_(std::move(host)),
        tls_(std::move(tls)),
        stream_(make_stream(std::move(socket), tls_)),
        on_end_(std::move(on_end)),
        waits_since_(host_->next_turn()) {}

  ~BeastConnection() override { on_end_(this); }

  void start() override {
    asio::dispatch(stream_.get_executor(), [self = this->shared_from_this()] { self->begin(); });
  }

  void close_when_idle() override {
    asio::dispatch(stream_.get_executor(), [self = this->shared_from_this()] {
      self->close_after_answer_ = true;
      if (!self->in_request_) self->tcp().socket().close();
    });
  }

  std::optional<Standing> standing() const override {
    const int64_t since = waits_since_;
    if (since <= kBusy) return std::nullopt;
    return Standing{was_answered_, since};
  }

  bool evict() override {
    int64_t since = waits_since_;
    while (since > kBusy && !waits_since_.compare_exchange_weak(since, kEvicted)) {
    }
    if (since <= kBusy) return false;
    asio::dispatch(stream_.get_executor(), [self = this->shared_from_this()] { self->tcp().socket().close(); });
    return true;
  }

 private:
  static constexpr int64_t kBusy = 0;
  static constexpr int64_t kEvicted = -1;
  static constexpr bool kTls = !std::is_same_v<Stream, beast::tcp_stream>;

  static Stream make_stream(asio::ip::tcp::socket socket, const std::shared_ptr<asio::ssl::context>& tls) {
    if constexpr (kTls) {
      return Stream(beast::tcp_stream(std::move(socket)), *tls);
    } else {
      return Stream(std::move(socket));
    }
  }
  beast::tcp_stream& tcp() { return beast::get_lowest_layer(stream_); }

  void begin() {
    error_code ignored;
    tcp().socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    auto remote = tcp().socket().remote_endpoint(ignored);
    peer_ = remote.address().to_string(ignored) + ":" + std::to_string(remote.port());
    if constexpr (kTls) {
      tcp().expires_after(chrono(host_->options().read_timeout));
      stream_.async_handshake(asio::ssl::stream_base::server, [self = this->shared_from_this()](error_code error) {
        if (!error) self->wait_for_request();
      });
    } else {
      wait_for_request();
    }
  }

  // Says whom it waits for from here on. False when it was evicted a moment ago.
  bool turn_to(int64_t since) {
    int64_t before = waits_since_;
    while (before != kEvicted && !waits_since_.compare_exchange_weak(before, since)) {
    }
    if (before == kEvicted) tcp().socket().close();
    return before != kEvicted;
  }

  // Waiting for the first byte is idle, and may take long; the rest of a request may not.
  void wait_for_request() {
    in_request_ = false;
    if (!turn_to(host_->next_turn())) return;
    if (close_after_answer_) return finish();
    if (buffer_.size() > 0) return read_header();
    tcp().expires_after(chrono(host_->options().idle_timeout));
    stream_.async_read_some(buffer_.prepare(8 << 10),
                            [self = this->shared_from_this()](error_code error, size_t bytes) {
                              if (error) return;
                              self->buffer_.commit(bytes);
                              self->read_header();
                            });
  }

  void read_header() {
    in_request_ = true;
    tcp().expires_after(chrono(host_->options().read_timeout));
    parser_.emplace();
    parser_->header_limit(host_->options().max_header_bytes);
    parser_->body_limit(host_->options().max_body_bytes);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = this->shared_from_this()](error_code error, size_t) { self->on_header(error); });
  }

  void on_header(error_code error) {
    if (error) return refuse(error);
    if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) return write_continue();
    read_body();
  }

  void write_continue() {
    auto interim =
        std::make_shared<http::response<http::empty_body>>(http::status::continue_, parser_->get().version());
    http::async_write(stream_, *interim, [self = this->shared_from_this(), interim](error_code error, size_t) {
      if (!error) self->read_body();
    });
  }

  void read_body() {
    if (parser_->is_done()) return handle();
    http::async_read(stream_, buffer_, *parser_, [self = this->shared_from_this()](error_code error, size_t) {
      if (error) return self->refuse(error);
      self->handle();
    });
  }

  // What the peer sent cannot become a request: say why, then close.
  void refuse(error_code error) {
    if (error == http::error::body_limit)
      return answer(refusal(413, "The request's body is larger than this server takes."));
    if (error == http::error::header_limit)
      return answer(refusal(431, "The request's headers are larger than this server takes."));
    if (error == http::error::end_of_stream || error == http::error::partial_message || error == beast::error::timeout)
      return finish();
    if (error.category() == http::make_error_code(http::error::bad_method).category()) {
      return answer(refusal(400, "Malformed HTTP request."));
    }
    finish();
  }

  void handle() {
    if (!turn_to(kBusy)) return;
    auto message = parser_->release();
    keep_alive_ = message.keep_alive();
    version_ = message.version();
    head_ = message.method() == http::verb::head;
    ServerRequest request;
    request.method = std::string(std_view(message.method_string()));
    request.target = std::string(std_view(message.target()));
    for (const auto& field : message) {
      request.headers.emplace_back(std_view(field.name_string()), std_view(field.value()));
    }
    request.body = std::move(message.body());
    request.peer = peer_;
    // No timer while the handler works: how long a prediction may take is the handler's to decide.
    tcp().expires_never();
    host_->handler()(std::move(request), Responder([self = this->shared_from_this()](ServerResponse response) {
                       // `dispatch` runs it here and now when the handler answered on the connection's own strand.
                       asio::dispatch(self->stream_.get_executor(), [self, response = std::move(response)]() mutable {
                         self->answer(std::move(response));
                       });
                     }));
  }

  void answer(ServerResponse response) {
    if (!turn_to(host_->next_turn())) return;
    response_.emplace();
    response_->version(version_);
    response_->result(static_cast<unsigned>(response.status));
    if (!response.content_type.empty()) response_->set(http::field::content_type, response.content_type);
    for (const auto& [name, value] : response.headers) response_->insert(name, value);
    if (response.close || host_->closing()) close_after_answer_ = true;
    if (!keep_alive_) close_after_answer_ = true;
    response_->keep_alive(!close_after_answer_);
    response_->content_length(response.body.size());
    if (!head_) response_->body() = std::move(response.body);
    tcp().expires_after(chrono(host_->options().write_timeout));
    http::async_write(stream_, *response_, [self = this->shared_from_this()](error_code error, size_t) {
      self->response_.reset();
      if (error) return;
      self->was_answered_ = true;
      self->wait_for_request();
    });
  }

  void finish() {
    in_request_ = false;
    error_code ignored;
    if constexpr (kTls) {
      tcp().expires_after(std::chrono::seconds(2));
      stream_.async_shutdown([self = this->shared_from_this()](error_code) {});
    } else {
      // Half-close, then read until the peer closes: closing with unread input would reset the connection and could
      // take the answer with it.
      tcp().socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
      tcp().expires_after(std::chrono::seconds(2));
      drain_input();
    }
  }

  void drain_input() {
    buffer_.consume(buffer_.size());
    stream_.async_read_some(buffer_.prepare(16 << 10), [self = this->shared_from_this()](error_code error, size_t) {
      if (!error) self->drain_input();
    });
  }

  std::shared_ptr<ConnectionHost> host_;
  std::shared_ptr<asio::ssl::context> tls_;
  Stream stream_;
  std::function<void(Connection*)> on_end_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  std::atomic<int64_t> waits_since_;  // for the peer: a turn of the host's, or kBusy, or kEvicted
  std::atomic<bool> was_answered_ = false;
  std::string peer_;
  unsigned version_ = 11;
  bool keep_alive_ = true;
  bool head_ = false;
  bool in_request_ = false;
  bool close_after_answer_ = false;
};

}  // namespace

std::shared_ptr<Connection> make_connection(std::shared_ptr<ConnectionHost> host, asio::ip::tcp::socket socket,
                                            std::shared_ptr<asio::ssl::context> tls,
                                            std::function<void(Connection*)> on_end) {
  if (tls) {
    return std::make_shared<BeastConnection<beast::ssl_stream<beast::tcp_stream>>>(std::move(host), std::move(socket),
                                                                                   std::move(tls), std::move(on_end));
  }
  return std::make_shared<BeastConnection<beast::tcp_stream>>(std::move(host), std::move(socket), std::move(tls),
                                                              std::move(on_end));
}

}  // namespace tidegate::net
