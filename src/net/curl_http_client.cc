#include "net/curl_http_client.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "base/lazy_timer.h"
#include "net/curl_transfer.h"

namespace tidegate::net {

using Result = CurlTransfer::Result;

// The multi handle, its epoll descriptor and its timer. Everything runs on the loop's thread. libcurl forbids adding
// and removing transfers from inside its callbacks, so what is asked for there waits in `deferred_`.
class CurlHttpClient::Engine {
 public:
  Engine(boost::asio::io_context& context, base::Clock& clock, CurlOptions options);
  ~Engine();

  // A request that has begun.
  struct Entry {
    Entry(HttpRequest request, Engine& engine)
        : transfer(std::move(request), engine.fresh_easy(), engine.options_, engine.clock_), engine(&engine) {}
    CurlTransfer transfer;
    base::Promise<Result> answer;
    Engine* engine;  // null once it has ended
    absl::Duration began = absl::ZeroDuration();
    std::function<void(const Result&)> on_end;  // of a probe
    std::unique_ptr<base::Clock::Timer> stall_timer;
    std::unique_ptr<base::Clock::Timer> probe_timer;
  };

  void begin(const std::shared_ptr<Entry>& entry);
  void end(const std::shared_ptr<Entry>& entry, Result result);
  std::shared_ptr<Entry> make(HttpRequest request) { return std::make_shared<Entry>(std::move(request), *this); }

 private:
  CurlEasy fresh_easy();
  void recycle(CurlEasy easy);
  void wait_for_sockets();
  void serve_sockets();
  void serve(curl_socket_t socket, int events);
  void collect_finished();
  void run_deferred();
  void set_timer(long milliseconds);
  void watch_for_stall(const std::shared_ptr<Entry>& entry, absl::Duration delay);
  void set_socket(curl_socket_t socket, int what);

  void watch_connection(const std::shared_ptr<Entry>& entry, absl::Duration delay);
  void probe_connection(const std::shared_ptr<Entry>& entry);
  void conclude_probe(const std::shared_ptr<Entry>& entry, int port, absl::Duration asked, const Result& result);
  absl::Duration last_received_on(int port) const;
  void note_end(const Entry& entry);
  void close_connection(int port);

  static int on_socket(CURL*, curl_socket_t socket, int what, void* self, void*);
  static int on_timer(CURLM*, long milliseconds, void* self);

  base::Clock& clock_;
  CurlOptions options_;
  CURLM* multi_;
  boost::asio::posix::stream_descriptor epoll_;
  base::LazyTimer timeout_;  // when libcurl wants to be called
  std::vector<std::shared_ptr<Entry>> entries_;
  std::vector<CurlEasy> idle_;  // handles without options, for the next requests
  std::vector<std::function<void()>> deferred_;
  std::set<curl_socket_t> sockets_;  // that libcurl waits for
  std::map<int, absl::Duration>
      received_on_;       // by connections' local ports: when a request that has ended got its last
  std::set<int> probed_;  // connections with a probe under way
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool inside_ = false;  // libcurl is on the stack
};

namespace {

// Making an easy handle costs several allocations of kilobytes.
constexpr size_t kIdleHandles = 8;

CURLM* make_multi(const CurlOptions& options) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  CURLM* multi = curl_multi_init();
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, options.http2 ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(options.max_idle_connections));
  return multi;
}

int make_epoll() {
  const int descriptor = epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return descriptor;
}

}  // namespace

CurlHttpClient::Engine::Engine(boost::asio::io_context& context, base::Clock& clock, CurlOptions options)
    : clock_(clock),
      options_(std::move(options)),
      multi_(make_multi(options_)),
      epoll_(context, make_epoll()),
      timeout_(clock, [this] { serve(CURL_SOCKET_TIMEOUT, 0); }) {
  if (options_.user_agent.empty()) options_.user_agent = "tidegate/" TIDEGATE_VERSION;
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Engine::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Engine::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  wait_for_sockets();
}

CurlHttpClient::Engine::~Engine() {
  *alive_ = false;
  for (const auto& entry : std::exchange(entries_, {})) {
    entry->transfer.abandon();
    entry->engine = nullptr;
    entry->stall_timer.reset();
    entry->probe_timer.reset();
    curl_multi_remove_handle(multi_, entry->transfer.easy());
    entry->answer.set(absl::CancelledError("the HTTP client is shut down"));
  }
  curl_multi_cleanup(multi_);
}

CurlEasy CurlHttpClient::Engine::fresh_easy() {
  if (idle_.empty()) return CurlEasy(curl_easy_init());
  CurlEasy easy = std::move(idle_.back());
  idle_.pop_back();
  return easy;
}

void CurlHttpClient::Engine::recycle(CurlEasy easy) {
  if (idle_.size() < kIdleHandles) idle_.push_back(std::move(easy));
}

void CurlHttpClient::Engine::begin(const std::shared_ptr<Entry>& entry) {
  if (inside_) {
    deferred_.push_back([this, entry] { begin(entry); });
    return;
  }
  if (!entry->engine) return;  // cancelled while it waited here
  if (absl::Status status = entry->transfer.prepare(); !status.ok()) {
    entry->engine = nullptr;
    entry->answer.set(std::move(status));
    return;
  }
  entries_.push_back(entry);
  entry->began = clock_.uptime();
  watch_for_stall(entry, entry->transfer.request().stall_timeout);
  if (const auto& probe = entry->transfer.request().probe) watch_connection(entry, probe->after);
  curl_multi_add_handle(multi_, entry->transfer.easy());
}

void CurlHttpClient::Engine::end(const std::shared_ptr<Entry>& entry, Result result) {
  if (!entry->engine) return;
  entry->engine = nullptr;
  entry->stall_timer.reset();
  entry->probe_timer.reset();
  entry->transfer.abandon();
  note_end(*entry);
  if (entry->on_end) entry->on_end(result);
  entry->answer.set(std::move(result));
  auto remove = [this, entry] {
    const auto at = std::find(entries_.begin(), entries_.end(), entry);
    if (at == entries_.end()) return;
    entries_.erase(at);
    curl_multi_remove_handle(multi_, entry->transfer.easy());
    recycle(entry->transfer.take_easy());
  };
  if (inside_) {
    deferred_.push_back(std::move(remove));
  } else {
    remove();
  }
}

// One timer a transfer, set again for the rest of the time when something has arrived meanwhile.
void CurlHttpClient::Engine::watch_for_stall(const std::shared_ptr<Entry>& entry, absl::Duration delay) {
  if (delay == absl::InfiniteDuration()) return;
  std::weak_ptr<Entry> weak = entry;
  entry->stall_timer = clock_.after(delay, [this, weak] {
    auto entry = weak.lock();
    if (!entry || !entry->engine) return;
    const absl::Duration silent = clock_.uptime() - entry->transfer.last_activity();
    const absl::Duration limit = entry->transfer.request().stall_timeout;
    if (silent >= limit) {
      end(entry, entry->transfer.stalled());
    } else {
      watch_for_stall(entry, limit - silent);
    }
  });
}

// One timer a request, set again for the rest of the time when something has arrived on its connection meanwhile.
void CurlHttpClient::Engine::watch_connection(const std::shared_ptr<Entry>& entry, absl::Duration delay) {
  std::weak_ptr<Entry> weak = entry;
  entry->probe_timer = clock_.after(delay, [this, weak] {
    auto entry = weak.lock();
    if (!entry || !entry->engine) return;
    const absl::Duration after = entry->transfer.request().probe->after;
    const absl::Duration heard = std::max(entry->began, last_received_on(entry->transfer.local_port()));
    const absl::Duration silent = clock_.uptime() - heard;
    if (silent < after || probed_.contains(entry->transfer.local_port())) {
      watch_connection(entry, std::max(after - silent, absl::Milliseconds(100)));
    } else {
      probe_connection(entry);
    }
  });
}

void CurlHttpClient::Engine::probe_connection(const std::shared_ptr<Entry>& entry) {
  const HttpRequest& watched = entry->transfer.request();
  HttpRequest request;
  request.url = watched.probe->url;
  request.headers = watched.headers;
  request.tls = watched.tls;
  request.timeout = watched.probe->timeout;
  std::shared_ptr<Entry> probe = make(std::move(request));
  const int port = entry->transfer.local_port();
  probed_.insert(port);
  std::weak_ptr<Entry> weak = entry;
  std::weak_ptr<Entry> weak_probe = probe;
  probe->on_end = [this, weak, weak_probe, port, asked = clock_.uptime()](const Result& result) {
    probed_.erase(port);
    const auto entry = weak.lock();
    const auto probe = weak_probe.lock();
    // Without a free stream it may have gone out on another connection, which says nothing of this one.
    const bool same = probe && (probe->transfer.local_port() == 0 || probe->transfer.local_port() == port);
    if (entry && entry->engine) conclude_probe(entry, same ? port : 0, asked, result);
  };
  begin(probe);
}

void CurlHttpClient::Engine::conclude_probe(const std::shared_ptr<Entry>& entry, int port, absl::Duration asked,
                                            const Result& result) {
  const bool silent = port != 0 && last_received_on(port) < asked;
  if (silent && absl::IsDeadlineExceeded(result.status())) {
    close_connection(port);
  } else {
    watch_connection(entry, entry->transfer.request().probe->after);
  }
}

absl::Duration CurlHttpClient::Engine::last_received_on(int port) const {
  const auto ended = received_on_.find(port);
  absl::Duration last = ended == received_on_.end() ? -absl::InfiniteDuration() : ended->second;
  for (const auto& entry : entries_) {
    if (entry->transfer.local_port() == port) last = std::max(last, entry->transfer.last_received());
  }
  return last;
}

// Only for as long as another request may ask.
void CurlHttpClient::Engine::note_end(const Entry& ended) {
  const int port = ended.transfer.local_port();
  const bool shared = std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
    return entry.get() != &ended && entry->engine && entry->transfer.local_port() == port;
  });
  if (!shared) {
    received_on_.erase(port);
    return;
  }
  absl::Duration& last = received_on_.try_emplace(port, -absl::InfiniteDuration()).first->second;
  last = std::max(last, ended.transfer.last_received());
}

// libcurl meets the end of the stream and fails all requests on it; it will not use that connection again.
void CurlHttpClient::Engine::close_connection(int port) {
  for (const curl_socket_t socket : sockets_) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) continue;
    // The port lies at the same place for both families.
    if (ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port) == port) shutdown(socket, SHUT_RDWR);
  }
}

void CurlHttpClient::Engine::wait_for_sockets() {
  epoll_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [this, alive = alive_](const boost::system::error_code& error) {
                      if (error || !*alive) return;
                      serve_sockets();
                      wait_for_sockets();
                    });
}

void CurlHttpClient::Engine::serve_sockets() {
  epoll_event events[64];
  const int count = epoll_wait(epoll_.native_handle(), events, std::size(events), 0);
  for (int i = 0; i < count; ++i) {
    int flags = 0;
    if (events[i].events & EPOLLIN) flags |= CURL_CSELECT_IN;
    if (events[i].events & EPOLLOUT) flags |= CURL_CSELECT_OUT;
    if (events[i].events & (EPOLLERR | EPOLLHUP)) flags |= CURL_CSELECT_ERR;
    serve(events[i].data.fd, flags);
  }
}

void CurlHttpClient::Engine::serve(curl_socket_t socket, int events) {
  int running = 0;
  inside_ = true;
  curl_multi_socket_action(multi_, socket, events, &running);
  inside_ = false;
  collect_finished();
  run_deferred();
}

void CurlHttpClient::Engine::collect_finished() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const auto at = std::find_if(entries_.begin(), entries_.end(),
                                 [&](const auto& entry) { return entry->transfer.easy() == message->easy_handle; });
    if (at == entries_.end()) continue;
    const std::shared_ptr<Entry> entry = *at;
    // `message` dies with the removal of its handle.
    const CURLcode code = message->data.result;
    end(entry, entry->transfer.result(code));
  }
}

void CurlHttpClient::Engine::run_deferred() {
  while (!deferred_.empty()) {
    for (const auto& function : std::exchange(deferred_, {})) function();
  }
}

// Several times a request, mostly further away than before.
void CurlHttpClient::Engine::set_timer(long milliseconds) {
  timeout_.set(milliseconds < 0 ? absl::InfiniteDuration() : clock_.uptime() + absl::Milliseconds(milliseconds));
}

void CurlHttpClient::Engine::set_socket(curl_socket_t socket, int what) {
  epoll_event event = {};
  event.data.fd = socket;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) event.events |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) event.events |= EPOLLOUT;
  const int epoll = epoll_.native_handle();
  if (what == CURL_POLL_REMOVE) {
    sockets_.erase(socket);
  } else {
    sockets_.insert(socket);
  }
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(epoll, EPOLL_CTL_DEL, socket, nullptr);
  } else if (epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) != 0 && errno == ENOENT) {
    epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
  }
}

int CurlHttpClient::Engine::on_socket(CURL*, curl_socket_t socket, int what, void* self, void*) {
  static_cast<Engine*>(self)->set_socket(socket, what);
  return 0;
}

int CurlHttpClient::Engine::on_timer(CURLM*, long milliseconds, void* self) {
  static_cast<Engine*>(self)->set_timer(milliseconds);
  return 0;
}

CurlHttpClient::CurlHttpClient(boost::asio::io_context& context, base::Clock& clock, CurlOptions options)
    : engine_(std::make_unique<Engine>(context, clock, std::move(options))) {}

CurlHttpClient::~CurlHttpClient() = default;

base::Task<Result> CurlHttpClient::request(HttpRequest request, base::Scope& scope) {
  if (scope.cancelled()) co_return absl::CancelledError("scope ended");
  std::shared_ptr<Engine::Entry> entry = engine_->make(std::move(request));
  auto registration = scope.on_cancel([entry] {
    if (entry->engine) entry->engine->end(entry, absl::CancelledError("scope ended"));
  });
  engine_->begin(entry);
  Result result = co_await entry->answer.wait();
  co_return result;
}

}  // namespace tidegate::net
