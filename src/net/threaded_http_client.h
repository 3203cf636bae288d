#pragma once
// A CurlHttpClient on a thread of its own, for hosts that users name: whatever happens there (a name look-up that
// hangs, a flood of bytes), the loop of the control logic only sees finished pieces.
//
// Made by main.cc. Called on, and answers on, the loop's thread; on_chunk too.
#include <memory>

#include "base/loop.h"
#include "net/curl_http_client.h"

namespace tidegate::net {

class ThreadedHttpClient : public HttpClient {
 public:
  // Starts the thread. `loop` must outlive the client.
  explicit ThreadedHttpClient(base::Loop& loop, CurlOptions options = {});
  // Requests that are still running end with CANCELLED; joins the thread.
  ~ThreadedHttpClient() override;

  // As CurlHttpClient. RESOURCE_EXHAUSTED also when on_chunk lags more than 64 MiB behind what has arrived.
  base::Task<absl::StatusOr<HttpResponse>> request(HttpRequest request, base::Scope& scope) override;

 private:
  struct Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace tidegate::net
