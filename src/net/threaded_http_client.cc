#include "net/threaded_http_client.h"

#include <atomic>
#include <thread>
#include <utility>

#include "base/status.h"

namespace tidegate::net {
namespace {

using Result = absl::StatusOr<HttpResponse>;

constexpr uint64_t kMaxBacklogBytes = 64ull << 20;

// Shared by the two threads; each member says whose it is.
struct Call {
  HttpRequest request;                  // the worker's
  base::Scope scope;                    // the worker's
  base::Promise<Result> answer;         // the loop's
  std::atomic<uint64_t> backlog{0};     // bytes that arrived and are not yet received
  std::atomic<bool> refused{false};     // the receiver wants no more
  std::atomic<bool> overflowed{false};  // the receiver is too slow
};

// Runs on the worker; hands the bytes to the loop.
bool forward_chunk(base::Loop& loop, const std::shared_ptr<Call>& call,
                   const std::shared_ptr<std::function<bool(std::string_view)>>& receiver, std::string_view bytes) {
  if (call->refused) return false;
  if (call->backlog.fetch_add(bytes.size()) + bytes.size() > kMaxBacklogBytes) {
    call->overflowed = true;
    return false;
  }
  loop.post([call, receiver, copy = std::string(bytes)] {
    call->backlog -= copy.size();
    if (call->refused || call->answer.is_set()) return;
    if (!(*receiver)(copy)) call->refused = true;
  });
  return true;
}

// The head goes the way of the chunks, so it is seen before them; refused, they are dropped.
void forward_head(base::Loop& loop, const std::shared_ptr<Call>& call,
                  const std::shared_ptr<std::function<bool(const HttpResponse&)>>& receiver, const HttpResponse& head) {
  loop.post([call, receiver, head] {
    if (!call->answer.is_set() && !(*receiver)(head)) call->refused = true;
  });
}

Result final_result(const Call& call, Result result) {
  if (call.overflowed) return absl::ResourceExhaustedError("the receiver of the answer's body is too slow");
  if (call.refused) return absl::CancelledError("the receiver wants no more");
  return result;
}

}  // namespace

struct ThreadedHttpClient::Worker {
  Worker(base::Loop& owner, CurlOptions options)
      : owner(owner), clock(loop.context()), client(std::make_unique<CurlHttpClient>(loop.context(), clock, options)) {
    thread = std::thread([this] { loop.run(); });
  }
  ~Worker() {
    // The cancelled requests resume after this and before the stop.
    loop.post([this] {
      client.reset();
      loop.post([this] { loop.stop(); });
    });
    thread.join();
  }

  static base::Task<void> carry_out(Worker* worker, std::shared_ptr<Call> call) {
    Result result = absl::CancelledError("the HTTP client is shut down");
    if (worker->client) result = co_await worker->client->request(std::move(call->request), call->scope);
    worker->owner.post(
        [call, result = std::move(result)]() mutable { call->answer.set(final_result(*call, std::move(result))); });
  }

  base::Loop& owner;
  base::Loop loop;
  base::SystemClock clock;
  std::unique_ptr<CurlHttpClient> client;
  std::thread thread;
};

ThreadedHttpClient::ThreadedHttpClient(base::Loop& loop, CurlOptions options)
    : worker_(std::make_unique<Worker>(loop, std::move(options))) {}

ThreadedHttpClient::~ThreadedHttpClient() = default;

base::Task<Result> ThreadedHttpClient::request(HttpRequest request, base::Scope& scope) {
  if (scope.cancelled()) co_return absl::CancelledError("scope ended");
  auto call = std::make_shared<Call>();
  if (request.on_chunk) {
    auto receiver = std::make_shared<std::function<bool(std::string_view)>>(std::move(request.on_chunk));
    base::Loop* owner = &worker_->owner;
    // The call owns its request, so the request must not own the call.
    std::weak_ptr<Call> weak = call;
    request.on_chunk = [owner, weak, receiver](std::string_view bytes) {
      auto call = weak.lock();
      return call && forward_chunk(*owner, call, receiver, bytes);
    };
  }
  if (request.on_head) {
    auto receiver = std::make_shared<std::function<bool(const HttpResponse&)>>(std::move(request.on_head));
    base::Loop* owner = &worker_->owner;
    std::weak_ptr<Call> weak = call;
    request.on_head = [owner, weak, receiver](const HttpResponse& head) {
      if (auto call = weak.lock()) forward_head(*owner, call, receiver, head);
      return true;
    };
  }
  call->request = std::move(request);
  Worker* worker = worker_.get();
  auto registration = scope.on_cancel([worker, call] {
    call->answer.set(absl::CancelledError("scope ended"));
    worker->loop.post([call] { call->scope.cancel(); });
  });
  worker->loop.post([worker, call] { worker->loop.spawn(Worker::carry_out(worker, call)); });
  Result result = co_await call->answer.wait();
  co_return result;
}

}  // namespace tidegate::net
