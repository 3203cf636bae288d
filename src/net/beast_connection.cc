#include "net/beast_connection.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <algorithm>
#include <atomic>
#include <optional>

namespace tidegate::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

// What one read takes at least and at most.
constexpr size_t kSmallRead = 8 << 10;
constexpr size_t kLargeRead = 64 << 10;
// For the peer to say goodbye in.
constexpr absl::Duration kFarewell = absl::Seconds(2);

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
  BeastConnection(std::shared_ptr<ConnectionHost> host, Socket socket, std::shared_ptr<asio::ssl::context> tls,
                  std::function<void(Connection*)> on_end)
      : host_(std::move(host)),
        tls_(std::move(tls)),
        stream_(make_stream(std::move(socket), tls_)),
        watch_(stream_.get_executor()),
        on_end_(std::move(on_end)),
        waits_since_(host_->next_turn()) {}

  ~BeastConnection() override { on_end_(this); }

  void start() override {
    asio::dispatch(stream_.get_executor(), [self = this->shared_from_this()] { self->begin(); });
  }

  void close_when_idle() override {
    asio::dispatch(stream_.get_executor(), [self = this->shared_from_this()] {
      self->close_after_answer_ = true;
      if (!self->in_request_) self->close();
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
    asio::dispatch(stream_.get_executor(), [self = this->shared_from_this()] { self->close(); });
    return true;
  }

 private:
  static constexpr int64_t kBusy = 0;
  static constexpr int64_t kEvicted = -1;
  static constexpr bool kTls = !std::is_same_v<Stream, Socket>;

  static Stream make_stream(Socket socket, const std::shared_ptr<asio::ssl::context>& tls) {
    if constexpr (kTls) {
      return Stream(std::move(socket), *tls);
    } else {
      return socket;
    }
  }
  Socket& tcp() { return beast::get_lowest_layer(stream_); }
  void close() {
    error_code ignored;
    tcp().close(ignored);
  }

  void begin() {
    error_code ignored;
    tcp().set_option(asio::ip::tcp::no_delay(true), ignored);
    auto remote = tcp().remote_endpoint(ignored);
    peer_ = remote.address().to_string(ignored) + ":" + std::to_string(remote.port());
    deadline_ = host_->uptime() + host_->options().read_timeout;
    watch();
    if constexpr (kTls) {
      stream_.async_handshake(asio::ssl::stream_base::server, [self = this->shared_from_this()](error_code error) {
        if (!error) self->wait_for_request();
      });
    } else {
      tcp().non_blocking(true, ignored);  // for answer_now()
      wait_for_request();
    }
  }

  // The peer has so long for what comes next. Only notes it: setting a timer for each step of each request would cost
  // more than the step.
  void expect_within(absl::Duration timeout) { deadline_ = host_->uptime() + timeout; }

  // Looks at the deadline when it is due, and at least as often as the shortest timeout: so none that is set meanwhile
  // is missed.
  void watch() {
    const HttpServerOptions& options = host_->options();
    const absl::Duration shortest = std::min({options.idle_timeout, options.read_timeout, options.write_timeout});
    watch_.expires_after(absl::ToChronoNanoseconds(std::min(deadline_ - host_->uptime(), shortest)));
    watch_.async_wait([weak = this->weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (error || !self || !self->tcp().is_open()) return;
      if (self->host_->uptime() >= self->deadline_) return self->close();
      self->watch();
    });
  }

  // Says whom it waits for from here on. False when it was evicted a moment ago.
  bool turn_to(int64_t since) {
    int64_t before = waits_since_;
    while (before != kEvicted && !waits_since_.compare_exchange_weak(before, since)) {
    }
    if (before == kEvicted) close();
    return before != kEvicted;
  }

  // Waiting for the first byte is idle, and may take long; the rest of a request may not.
  void wait_for_request() {
    in_request_ = false;
    if (waits_since_ == kEvicted) return;
    if (close_after_answer_) return finish();
    parser_.emplace();
    parser_->header_limit(host_->options().max_header_bytes);
    parser_->body_limit(host_->options().max_body_bytes);
    if (buffer_.size() > 0) {
      // Not here and now: the answers to many pipelined requests would stand on the stack.
      in_request_ = true;
      asio::post(stream_.get_executor(), [self = this->shared_from_this()] { self->begin_request(); });
      return;
    }
    expect_within(host_->options().idle_timeout);
    stream_.async_read_some(buffer_.prepare(kSmallRead),
                            [self = this->shared_from_this()](error_code error, size_t bytes) {
                              if (error) return;
                              self->buffer_.commit(bytes);
                              self->begin_request();
                            });
  }

  void begin_request() {
    in_request_ = true;
    expect_within(host_->options().read_timeout);
    parse_header();
  }

  // Parsing what has been read, here and in parse_body(), costs no way through the event loop, as Beast's own composed
  // operations do.
  void parse_header() {
    error_code error;
    buffer_.consume(parser_->put(buffer_.data(), error));
    if (error == http::error::need_more) return read_more([](BeastConnection& self) { self.parse_header(); });
    if (error) return refuse(error);
    const auto& request = parser_->get();
    const bool asks_first = request.version() >= 11 && beast::iequals(request[http::field::expect], "100-continue");
    return asks_first ? write_continue() : parse_body();
  }

  void write_continue() {
    auto interim =
        std::make_shared<http::response<http::empty_body>>(http::status::continue_, parser_->get().version());
    http::async_write(stream_, *interim, [self = this->shared_from_this(), interim](error_code error, size_t) {
      if (!error) self->parse_body();
    });
  }

  void parse_body() {
    error_code error;
    while (!parser_->is_done() && buffer_.size() > 0 && !error) buffer_.consume(parser_->put(buffer_.data(), error));
    if (error && error != http::error::need_more) return refuse(error);
    if (parser_->is_done()) return handle();
    read_more([](BeastConnection& self) { self.parse_body(); });
  }

  void read_more(void (*then)(BeastConnection&)) {
    size_t most = kSmallRead;
    if (parser_->is_header_done()) {
      const auto missing = parser_->content_length_remaining();
      most = missing ? std::clamp<uint64_t>(*missing, kSmallRead, kLargeRead) : kLargeRead;
    }
    stream_.async_read_some(buffer_.prepare(most),
                            [self = this->shared_from_this(), then](error_code error, size_t bytes) {
                              if (error) return self->finish();
                              self->buffer_.commit(bytes);
                              then(*self);
                            });
  }

  // What the peer sent cannot become a request: say why, then close.
  void refuse(error_code error) {
    if (error == http::error::body_limit)
      return answer(refusal(413, "The request's body is larger than this server takes."));
    if (error == http::error::header_limit)
      return answer(refusal(431, "The request's headers are larger than this server takes."));
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
    deadline_ = absl::InfiniteDuration();
    host_->handler()(std::move(request), Responder([self = this->shared_from_this()](ServerResponse response) {
                       // `dispatch` runs it here and now when the handler answered on the connection's own strand.
                       asio::dispatch(self->stream_.get_executor(), [self, response = std::move(response)]() mutable {
                         self->answer(std::move(response));
                       });
                     }));
  }

  void answer(ServerResponse response) {
    // All before the peer has the answer: what it sends then, here or by another connection, finds this one up to date.
    was_answered_ = true;
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
    serializer_.emplace(*response_);
    expect_within(host_->options().write_timeout);
    if (answer_now()) return;
    http::async_write(stream_, *serializer_, [self = this->shared_from_this()](error_code error, size_t) {
      if (!error && self->turn_to(self->host_->next_turn())) self->on_answered();
    });
  }

  // Most answers fit into the kernel's buffer: they are written without waiting for the event loop to say so. False
  // when something is left to be written.
  bool answer_now() {
    if constexpr (kTls) return false;
    error_code error;
    while (!serializer_->is_done() && !error) http::write_some(tcp(), *serializer_, error);
    if (error == asio::error::would_block) return false;
    if (!error) on_answered();
    return true;
  }

  void on_answered() {
    serializer_.reset();
    response_.reset();
    wait_for_request();
  }

  void finish() {
    in_request_ = false;
    error_code ignored;
    if constexpr (kTls) {
      expect_farewell();
      stream_.async_shutdown([self = this->shared_from_this()](error_code) {});
    } else {
      // Half-close, then read until the peer closes: closing with unread input would reset the connection and could
      // take the answer with it.
      tcp().shutdown(Socket::shutdown_send, ignored);
      expect_farewell();
      drain_input();
    }
  }

  // Sooner than the watch would look.
  void expect_farewell() {
    expect_within(kFarewell);
    watch();
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
  asio::steady_timer watch_;
  absl::Duration deadline_ = absl::InfiniteDuration();  // of the host's uptime
  std::function<void(Connection*)> on_end_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
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

std::shared_ptr<Connection> make_connection(std::shared_ptr<ConnectionHost> host, Socket socket,
                                            std::shared_ptr<asio::ssl::context> tls,
                                            std::function<void(Connection*)> on_end) {
  if (tls) {
    return std::make_shared<BeastConnection<beast::ssl_stream<Socket>>>(std::move(host), std::move(socket),
                                                                        std::move(tls), std::move(on_end));
  }
  return std::make_shared<BeastConnection<Socket>>(std::move(host), std::move(socket), std::move(tls),
                                                   std::move(on_end));
}

}  // namespace tidegate::net
