#include "net/beast_http_server.h"

#include <openssl/err.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include "base/clock.h"
#include "base/status.h"
#include "net/beast_connection.h"
#include "net/listening.h"

namespace tidegate::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

absl::StatusOr<std::shared_ptr<asio::ssl::context>> make_tls_context(const ServerTls& tls) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  error_code error;
  auto failed = [&error](std::string_view what) {
    return absl::InvalidArgumentError(base::cat("TLS: ", what, " is not usable: ", error.message()));
  };
  context->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, error);
  context->use_certificate_chain(asio::buffer(tls.certificate_chain_pem), error);
  if (error) return failed("the certificate chain");
  context->use_private_key(asio::buffer(tls.private_key_pem), asio::ssl::context::pem, error);
  if (error) return failed("the private key");
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("TLS: the private key does not belong to the certificate");
  }
  if (!tls.client_ca_pem.empty()) {
    context->add_certificate_authority(asio::buffer(tls.client_ca_pem), error);
    if (error) return failed("the clients' CA");
    context->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert, error);
    // Without it OpenSSL gives clients sessions, and refuses them when they come back.
    constexpr std::string_view kSessions = "tidegate";
    SSL_CTX_set_session_id_context(context->native_handle(), reinterpret_cast<const unsigned char*>(kSessions.data()),
                                   kSessions.size());
  }
  return context;
}

// The acceptor, the set of open connections and the certificate in use. Connections hold it, so it outlives them.
class ServerCore : public ConnectionHost, public std::enable_shared_from_this<ServerCore> {
 public:
  ServerCore(std::vector<asio::io_context*> contexts, HttpServerOptions options, Handler handler)
      : contexts_(std::move(contexts)),
        clock_(*contexts_.front()),
        acceptor_(asio::make_strand(*contexts_.front())),
        retry_(acceptor_.get_executor()),
        patience_(acceptor_.get_executor()),
        options_(std::move(options)),
        handler_(std::move(handler)) {}

  absl::Status listen() {
    TG_RETURN_IF_ERROR(bind_to(acceptor_, options_.address, options_.port));
    error_code error;
    acceptor_.listen(4096, error);
    if (error) {
      return absl::UnavailableError(
          base::cat("Cannot listen on ", host_and_port(options_.address, options_.port), ": ", error.message()));
    }
    port_ = acceptor_.local_endpoint(error).port();
    return absl::OkStatus();
  }

  void accept() {
    asio::dispatch(acceptor_.get_executor(), [self = shared_from_this()] { self->accept_next(); });
  }

  const HttpServerOptions& options() const override { return options_; }
  const Handler& handler() const override { return handler_; }
  bool closing() const override { return closing_.load(std::memory_order_relaxed); }
  int64_t next_turn() override { return ++turns_; }
  absl::Duration uptime() const override { return clock_.uptime(); }

  uint16_t port() const { return port_; }
  void announce_close() { closing_ = true; }
  void set_tls(std::shared_ptr<asio::ssl::context> tls) { std::atomic_store(&tls_, std::move(tls)); }

  void drain(std::function<void()> drained) {
    closing_ = true;
    {
      std::lock_guard lock(mutex_);
      draining_ = true;
      drained_ = std::move(drained);
    }
    asio::dispatch(acceptor_.get_executor(), [self = shared_from_this()] {
      error_code ignored;
      self->acceptor_.close(ignored);
      self->close_connections();
      self->limit_patience();
    });
  }

 private:
  void accept_next() {
    if (!acceptor_.is_open()) return;
    asio::io_context& context = *contexts_[accepted_++ % contexts_.size()];
    acceptor_.async_accept(asio::make_strand(context), [self = shared_from_this()](error_code error, Socket socket) {
      self->on_accept(error, std::move(socket));
    });
  }

  void on_accept(error_code error, Socket socket) {
    if (!acceptor_.is_open()) return;
    if (error) return accept_later();  // out of descriptors, most likely: others may close in the meantime
    auto connection = make_connection(shared_from_this(), std::move(socket), std::atomic_load(&tls_),
                                      [self = shared_from_this()](Connection* ended) { self->forget(ended); });
    {
      std::lock_guard lock(mutex_);
      connections_.emplace(connection.get(), connection);
    }
    connection->start();
    has_room(connection.get()) ? accept_next() : accept_later();
  }

  // Whether another one may come. One more than the limit may, to take the place of one that waits.
  bool has_room(const Connection* newest) {
    size_t open;
    {
      std::lock_guard lock(mutex_);
      open = connections_.size();
    }
    if (open < options_.max_connections) return true;
    return options_.evict_when_full && (open == options_.max_connections || evict_one(newest));
  }

  // False when all but `newest` are being answered.
  bool evict_one(const Connection* newest) {
    std::vector<std::pair<Connection::Standing, std::shared_ptr<Connection>>> waiting;
    for (std::shared_ptr<Connection>& connection : open_connections()) {
      const auto standing = connection->standing();
      if (standing && connection.get() != newest) waiting.emplace_back(*standing, std::move(connection));
    }
    std::sort(waiting.begin(), waiting.end());
    return std::any_of(waiting.begin(), waiting.end(), [](const auto& entry) { return entry.second->evict(); });
  }

  // To be let go of without the lock: the last one to hold a connection takes it out of the set.
  std::vector<std::shared_ptr<Connection>> open_connections() {
    std::vector<std::shared_ptr<Connection>> open;
    std::lock_guard lock(mutex_);
    for (auto& [key, weak] : connections_) {
      if (auto connection = weak.lock()) open.push_back(std::move(connection));
    }
    return open;
  }

  void accept_later() {
    retry_.expires_after(std::chrono::milliseconds(20));
    retry_.async_wait([self = shared_from_this()](error_code) {
      self->has_room(nullptr) ? self->accept_next() : self->accept_later();
    });
  }

  void close_connections() {
    for (const auto& connection : open_connections()) connection->close_when_idle();
    report_if_drained();
  }

  void limit_patience() {
    if (options_.drain_patience == absl::InfiniteDuration()) return;
    patience_.expires_after(absl::ToChronoNanoseconds(options_.drain_patience));
    patience_.async_wait([weak = weak_from_this()](error_code error) {
      auto self = weak.lock();
      if (error || !self) return;
      for (const auto& connection : self->open_connections()) connection->evict();
    });
  }

  void forget(Connection* ended) {
    {
      std::lock_guard lock(mutex_);
      connections_.erase(ended);
    }
    report_if_drained();
  }

  void report_if_drained() {
    std::function<void()> drained;
    {
      std::lock_guard lock(mutex_);
      if (draining_ && connections_.empty()) drained = std::exchange(drained_, nullptr);
    }
    if (drained) drained();
  }

  const std::vector<asio::io_context*> contexts_;
  size_t accepted_ = 0;
  base::SystemClock clock_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  asio::steady_timer patience_;
  const HttpServerOptions options_;
  const Handler handler_;
  uint16_t port_ = 0;
  std::shared_ptr<asio::ssl::context> tls_;
  std::atomic<bool> closing_ = false;
  std::atomic<int64_t> turns_ = 0;
  std::mutex mutex_;
  std::unordered_map<Connection*, std::weak_ptr<Connection>> connections_;
  bool draining_ = false;
  std::function<void()> drained_;
};

class BeastHttpServer : public HttpServer {
 public:
  BeastHttpServer(std::shared_ptr<ServerCore> core, bool tls) : core_(std::move(core)), tls_(tls) {}
  ~BeastHttpServer() override { core_->drain(nullptr); }
  uint16_t port() const override { return core_->port(); }
  absl::Status replace_tls(const ServerTls& tls) override {
    if (!tls_) return absl::FailedPreconditionError("TLS: this server was started without TLS");
    auto context = make_tls_context(tls);
    if (!context.ok()) return context.status();
    core_->set_tls(*std::move(context));
    return absl::OkStatus();
  }
  void announce_close() override { core_->announce_close(); }
  void drain(std::function<void()> drained) override { core_->drain(std::move(drained)); }

 private:
  std::shared_ptr<ServerCore> core_;
  bool tls_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> make_beast_http_server(asio::io_context& context,
                                                                   const HttpServerOptions& options,
                                                                   const std::optional<ServerTls>& tls,
                                                                   Handler handler) {
  return make_beast_http_server(std::vector<asio::io_context*>{&context}, options, tls, std::move(handler));
}

absl::StatusOr<std::unique_ptr<HttpServer>> make_beast_http_server(std::vector<asio::io_context*> contexts,
                                                                   const HttpServerOptions& options,
                                                                   const std::optional<ServerTls>& tls,
                                                                   Handler handler) {
  auto core = std::make_shared<ServerCore>(std::move(contexts), options, std::move(handler));
  if (tls) {
    auto tls_context = make_tls_context(*tls);
    if (!tls_context.ok()) return tls_context.status();
    core->set_tls(*std::move(tls_context));
  }
  if (absl::Status status = core->listen(); !status.ok()) return status;
  core->accept();
  return std::make_unique<BeastHttpServer>(std::move(core), tls.has_value());
}

}  // namespace tidegate::net
