#include "net/rest_server.h"

#include <cpprest/http_listener.h>
#include <pplx/threadpool.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include "base/strings.h"

namespace tidegate::net {
namespace {

namespace listener = web::http::experimental::listener;
using base::cat;

// cpprestsdk would start 40.
constexpr size_t kThreads = 8;
constexpr int kPortAttempts = 20;

// One request between two threads: the loop answers it, or the waiting thread gives up.
class PendingAnswer {
 public:
  // False when nobody waits any more.
  bool wanted() {
    std::lock_guard lock(mutex_);
    return !ended_;
  }
  void set(ServerResponse response) {
    std::lock_guard lock(mutex_);
    if (ended_) return;
    response_ = std::move(response);
    ended_ = true;
    changed_.notify_all();
  }
  void abandon() {
    std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  std::optional<ServerResponse> wait_for(absl::Duration limit) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, absl::ToChronoNanoseconds(limit), [this] { return ended_; });
    ended_ = true;
    return std::move(response_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::optional<ServerResponse> response_;
};

ServerResponse error_response(int status, std::string_view message) {
  return {.status = status, .body = cat("{\"error\":\"", message, "\"}\n")};
}

ServerRequest to_server_request(const web::http::http_request& request) {
  ServerRequest result;
  result.method = request.method();
  result.target = request.request_uri().resource().to_string();
  for (const auto& [name, value] : request.headers()) result.headers.emplace_back(name, value);
  result.peer = request.remote_address();
  return result;
}

class CpprestServer : public RestServer {
 public:
  CpprestServer(base::Loop& loop, RestServerOptions options, RestRoutes routes)
      : loop_(loop), options_(std::move(options)), routes_(std::move(routes)) {}
  ~CpprestServer() override;

  absl::Status start();
  uint16_t port() const override { return options_.port; }

 private:
  void listen();
  void answer(web::http::http_request request);
  ServerResponse ask_loop(const ServerRequest& request);
  const RestHandler* find_route(std::string_view path) const;

  base::Loop& loop_;
  RestServerOptions options_;
  RestRoutes routes_;
  std::unique_ptr<listener::http_listener> listener_;
  std::mutex mutex_;
  bool stopping_ = false;
  std::set<std::shared_ptr<PendingAnswer>> pending_;
};

CpprestServer::~CpprestServer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& pending : pending_) pending->abandon();
  }
  try {
    if (listener_) listener_->close().wait();
  } catch (const std::exception&) {
    // It did not listen.
  }
}

void CpprestServer::listen() {
  const std::string uri = cat("http://", options_.address, ":", options_.port);
  listener_ = std::make_unique<listener::http_listener>(uri);
  listener_->support([this](web::http::http_request request) { answer(std::move(request)); });
  listener_->open().wait();
}

// cpprestsdk cannot say which port the system chose, so a free one is found by asking the system first; another
// process may take it meanwhile.
uint16_t find_free_port() {
  boost::asio::io_context context;
  boost::asio::ip::tcp::acceptor acceptor(context, {boost::asio::ip::tcp::v4(), 0});
  return acceptor.local_endpoint().port();
}

absl::Status CpprestServer::start() {
  const bool any_port = options_.port == 0;
  std::string why;
  for (int attempt = 0; attempt < (any_port ? kPortAttempts : 1); ++attempt) {
    try {
      if (any_port) options_.port = find_free_port();
      listen();
      return absl::OkStatus();
    } catch (const std::exception& error) {
      why = error.what();
      listener_.reset();
    }
  }
  return absl::UnavailableError(cat("cannot listen on ", options_.address, ":", options_.port, ": ", why));
}

const RestHandler* CpprestServer::find_route(std::string_view path) const {
  const RestHandler* found = nullptr;
  size_t length = 0;
  for (const auto& [route, handler] : routes_) {
    const bool fits = path == route || (route.ends_with('/') && path.starts_with(route));
    if (fits && route.size() >= length) {
      found = &handler;
      length = route.size();
    }
  }
  return found;
}

ServerResponse CpprestServer::ask_loop(const ServerRequest& request) {
  const RestHandler* handler = find_route(request.path());
  if (!handler) return error_response(404, "there is no such page");
  auto pending = std::make_shared<PendingAnswer>();
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return error_response(503, "the server is stopping");
    if (pending_.size() >= static_cast<size_t>(options_.max_pending)) return error_response(503, "too many requests");
    pending_.insert(pending);
  }
  // Copies: the loop may come to it after this server is gone.
  loop_.post([pending, handler = *handler, request] {
    if (pending->wanted()) pending->set(handler(request));
  });
  std::optional<ServerResponse> response = pending->wait_for(options_.deadline);
  std::lock_guard lock(mutex_);
  pending_.erase(pending);
  if (response) return *std::move(response);
  return error_response(503, stopping_ ? "the server is stopping" : "the event loop did not answer in time");
}

void CpprestServer::answer(web::http::http_request request) {
  const bool is_head = request.method() == web::http::methods::HEAD;
  ServerResponse response = request.method() == web::http::methods::GET || is_head
                                ? ask_loop(to_server_request(request))
                                : error_response(405, "this endpoint is read-only");
  web::http::http_response answer(static_cast<web::http::status_code>(response.status));
  if (is_head) {
    answer.headers().set_content_type(response.content_type);
  } else {
    answer.set_body(std::move(response.body), response.content_type);
  }
  // An error here is a client that did not wait; the task must be observed, or it would end the process.
  request.reply(answer).then([](pplx::task<void> sent) {
    try {
      sent.get();
    } catch (const std::exception&) {
    }
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<RestServer>> make_rest_server(base::Loop& loop, RestServerOptions options,
                                                             RestRoutes routes) {
  static std::once_flag once;
  std::call_once(once, [] { crossplat::threadpool::initialize_with_threads(kThreads); });
  auto server = std::make_unique<CpprestServer>(loop, std::move(options), std::move(routes));
  if (absl::Status status = server->start(); !status.ok()) return status;
  return server;
}

}  // namespace tidegate::net
