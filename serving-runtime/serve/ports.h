#pragma once
// The ports of `serve`, REST and gRPC, with what protects them: certificates and tokens, which are taken over while the
// ports are open when their files change.
//
//   open() ─► begin_drain(): not ready, connections end by and by ─► drain(): what is in flight ends ─► close()
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "net/grpc_credentials.h"
#include "net/http_server.h"
#include "serving-runtime/api/front_end.h"
#include "serving-runtime/core/cohort.h"
#include "serving-runtime/serve/options.h"
#include "serving-runtime/server/access_tokens.h"
#include "serving-runtime/server/grpc_server.h"
#include "serving-runtime/server/polling_threads.h"
#include "serving-runtime/server/rest_router.h"
#include "serving-runtime/server/security.h"

namespace tidegate::serving {

// One thread alone may use it: the one that runs the clock's timers.
class Ports {
 public:
  using Reload = decltype(GrpcServerHooks::reload);

  // What is referred to must outlive it.
  Ports(const ServeOptions& options, FrontEndContext& context, base::Clock& clock, std::string tfs_metrics_path);
  ~Ports() { close(); }

  // Listens, and writes the port file. REST is polled by `polling`, which must outlive this, gRPC by as many threads of
  // its own; both run themselves what `takes` says. Errors name the file or the port.
  absl::Status open(PollingThreads& polling, Cohort::Takes takes, Reload reload);

  // Requests are still taken, but routers are told to send no more.
  void begin_drain();
  // Takes no more requests and ends what is in flight, at the latest a little before the grace period does; `drained`
  // is called once then, on any thread.
  void drain(std::function<void()> drained);
  bool is_drained() const { return drained_ == 2; }
  // Waits for drain(), if that was called; else cuts what is in flight. Nothing is called any more.
  void close();

 private:
  absl::Status open_rest(PollingThreads& polling);
  absl::Status open_grpc(size_t threads, Cohort::Takes takes, Reload reload);
  absl::Duration drain_patience() const;
  void watch_security();
  void warn_of_expiry(const Security& security) const;
  absl::Status take_over(const Security& now);

  const ServeOptions& options_;
  FrontEndContext& context_;
  base::Clock& clock_;
  AccessTokens tokens_;
  RestRouter router_;
  Security security_;
  std::shared_ptr<net::RotatingCredentials> credentials_;  // of gRPC; null: plain
  std::unique_ptr<base::Clock::Timer> security_timer_;
  std::unique_ptr<net::HttpServer> rest_;
  std::unique_ptr<GrpcServer> grpc_;
  std::atomic<int> drained_ = 0;  // ports
  std::thread grpc_drain_;
};

}  // namespace tidegate::serving
