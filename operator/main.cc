// tidegate-operator: see process.h for what it does. Here are the only clock, sockets, threads and random numbers.
#include <absl/synchronization/mutex.h>
#include <unistd.h>

#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <memory>
#include <random>

#include "base/background.h"
#include "base/log.h"
#include "base/strings.h"
#include "kube/config.h"
#include "net/beast_http_server.h"
#include "net/curl_http_client.h"
#include "net/rest_server.h"
#include "net/server_thread.h"
#include "net/threaded_http_client.h"
#include "operator/options.h"
#include "operator/process.h"

extern "C" {
// Read by jemalloc, if it is linked (operator/CMakeLists.txt), before main. Nearly everything is allocated on the
// loop's thread: more arenas would only hold more memory that nobody uses. What is free goes back after a second.
extern const char* malloc_conf;
const char* malloc_conf = "narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0";
}

namespace tidegate::operator_ {
namespace {

class DeviceRandom : public base::Random {
 public:
  uint64_t next() override { return static_cast<uint64_t>(device_()) << 32 | device_(); }

 private:
  std::random_device device_;
};

absl::StatusOr<kube::ClientConfig> find_api_server(const Options& options, base::Clock& clock) {
  if (!options.kubeconfig.empty()) return kube::load_kubeconfig(options.kubeconfig, options.context, clock);
  return kube::load_in_cluster_config(clock);
}

std::string identity_of(const Options& options, base::Random& random) {
  if (!options.identity.empty()) return options.identity;
  char host[256] = "operator";
  gethostname(host, sizeof host - 1);
  return base::cat(host, "_", random.next() % 1'000'000);
}

net::RestRoutes routes(const ManagementPages& pages) {
  const net::RestHandler answer = [&pages](const net::ServerRequest& request) { return pages.answer(request); };
  return {{"/healthz", answer}, {"/readyz", answer}, {"/metrics", answer}, {"/debug/objects/", answer}};
}

ServerFactory servers_on(net::ServerThread& thread) {
  return [&thread](const net::HttpServerOptions& options, const net::ServerTls& tls, net::Handler handler) {
    return net::make_beast_http_server(thread.context(), options, tls, std::move(handler));
  };
}

base::Task<void> run_process(Process& process, base::Scope& scope, base::Loop& loop, int& exit_status) {
  const absl::Status ended = co_await process.run(scope);
  if (!ended.ok() && !absl::IsCancelled(ended)) {
    base::log_error("the operator cannot run", {{"error", ended}});
    exit_status = 1;
  }
  loop.stop();
}

int fail(const absl::Status& status) {
  base::log_error("the operator cannot start", {{"error", status}});
  base::flush_logging();
  return 1;
}

int run(const Options& options) {
  net::ServerThread webhook_thread;
  base::Loop loop;
  base::SystemClock clock(loop.context());
  DeviceRandom random;
  absl::StatusOr<kube::ClientConfig> api_server = find_api_server(options, clock);
  if (!api_server.ok()) return fail(api_server.status());
  net::CurlHttpClient api_server_http(loop.context(), clock);
  net::ThreadedHttpClient other_http(loop);
  base::BackgroundThread background(loop);
  const std::string identity = identity_of(options, random);
  Process process({loop, clock, random, api_server_http, other_http, *std::move(api_server), identity,
                   xds::Server::start, servers_on(webhook_thread), &background},
                  options);

  net::RestServerOptions management;
  management.address = options.listen_address;
  management.port = options.management_port;
  absl::StatusOr<std::unique_ptr<net::RestServer>> server =
      net::make_rest_server(loop, management, routes(process.pages()));
  if (!server.ok()) return fail(server.status());

  base::Scope scope;
  boost::asio::signal_set signals(loop.context(), SIGTERM, SIGINT);
  signals.async_wait([&scope](const boost::system::error_code& error, int) {
    if (!error) scope.cancel();
  });
  int exit_status = 0;
  base::log_info("tidegate-operator", {{"version", TIDEGATE_VERSION}, {"identity", identity}});
  loop.spawn(run_process(process, scope, loop, exit_status));
  loop.run();
  // Every task has been told to end; what they hold must go before what they hold on to.
  while (loop.run_ready() > 0) {
  }
  webhook_thread.stop();
  base::flush_logging();
  return exit_status;
}

}  // namespace
}  // namespace tidegate::operator_

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  // Debian's Abseil looks for deadlocks with each lock that gRPC takes, under one lock for the whole process.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const tidegate::operator_::ParsedOptions parsed = tidegate::operator_::parse_options(argc, argv);
  if (!parsed.run) {
    std::fputs(parsed.text.c_str(), parsed.exit_status == 0 ? stdout : stderr);
    return parsed.exit_status;
  }
  tidegate::base::init_logging(parsed.options.log_level, parsed.options.log_format);
  return tidegate::operator_::run(parsed.options);
}
