#include "serving-runtime/serve/ports.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "net/beast_http_server.h"
#include "serving-runtime/server/descriptor_limit.h"

namespace tidegate::serving {
namespace {

namespace fs = std::filesystem;

// A finished port file appears at once, never half written.
absl::Status write_port_file(const std::string& path, uint16_t rest, uint16_t grpc) {
  if (path.empty()) return absl::OkStatus();
  const auto failed = [&path](std::string_view why) {
    return absl::InternalError(base::cat("Cannot write --port-file ", path, ": ", why));
  };
  std::error_code error;
  if (fs::exists(path, error) && !fs::is_regular_file(path, error)) return failed("it is no regular file");
  const std::string draft = path + ".tmp";
  std::ofstream file(draft);
  file << nlohmann::json{{"rest", rest}, {"grpc", grpc}}.dump() << '\n' << std::flush;
  if (!file) return failed(std::generic_category().message(errno));
  fs::rename(draft, path, error);
  return error ? failed(error.message()) : absl::OkStatus();
}

std::optional<net::ServerTls> rest_tls(const Security& security) {
  if (!security.rest) return std::nullopt;
  return net::ServerTls{security.rest->certificate_pem, security.rest->private_key_pem, security.rest->ca_pem};
}

}  // namespace

Ports::Ports(const ServeOptions& options, FrontEndContext& context, base::Clock& clock, std::string tfs_metrics_path)
    : options_(options),
      context_(context),
      clock_(clock),
      router_(context_, tokens_, {options.max_request_bytes, options.compress_from},
              {std::move(tfs_metrics_path), options.cors}) {}

absl::Status Ports::open(PollingThreads& polling, Cohort::Takes takes, Reload reload) {
  TG_ASSIGN_OR_RETURN(security_, read_security(options_.security));
  warn_of_expiry(security_);
  tokens_.replace(security_.tokens);
  TG_RETURN_IF_ERROR(open_rest(polling));
  TG_RETURN_IF_ERROR(open_grpc(polling.contexts().size(), takes, std::move(reload)));
  base::log_info("listening", {{"rest", static_cast<int>(rest_->port())}, {"grpc", static_cast<int>(grpc_->port())}});
  watch_security();
  return write_port_file(options_.port_file, rest_->port(), grpc_->port());
}

absl::Status Ports::open_rest(PollingThreads& polling) {
  net::HttpServerOptions http;
  http.address = options_.bind_address;
  http.port = options_.rest_port;
  http.max_body_bytes = options_.max_request_bytes;
  // The rest is for gRPC, files and models. Slow and idle connections must not keep others out.
  const uint64_t most = raise_descriptor_limit() / 4 * 3;
  http.max_connections = static_cast<uint32_t>(std::min<uint64_t>(http.max_connections, most));
  http.evict_when_full = true;
  http.drain_patience = drain_patience();
  TG_ASSIGN_OR_RETURN(rest_, net::make_beast_http_server(polling.contexts(), http, rest_tls(security_),
                                                         [this](net::ServerRequest request, net::Responder respond) {
                                                           router_.handle(std::move(request), std::move(respond));
                                                         }));
  return absl::OkStatus();
}

absl::Status Ports::open_grpc(size_t threads, Cohort::Takes takes, Reload reload) {
  GrpcServerOptions grpc;
  grpc.address = options_.bind_address;
  grpc.port = options_.grpc_port;
  grpc.socket_path = options_.grpc_socket_path;
  grpc.channel_arguments = options_.grpc_channel_arguments;
  grpc.max_message_bytes = options_.max_request_bytes;
  grpc.threads = threads;
  grpc.takes = takes;
  if (security_.grpc) grpc.credentials = credentials_ = net::RotatingCredentials::make(*security_.grpc);
  GrpcServerHooks hooks{tokens_, [this] { return router_.ready(); }, std::move(reload)};
  TG_ASSIGN_OR_RETURN(grpc_, start_grpc_server(grpc, context_, std::move(hooks)));
  return absl::OkStatus();
}

// For what is in flight when the router has had its time: a little less than what is left then, so that a peer that
// does not send the rest of its request does not make this process look as if it had failed.
absl::Duration Ports::drain_patience() const {
  constexpr double kMarginSeconds = 1;
  return absl::Seconds(std::max(0.0, options_.grace_seconds - options_.drain_seconds - kMarginSeconds));
}

// Certificates and tokens that were replaced are used for what comes from now on.
void Ports::watch_security() {
  security_timer_ = clock_.after(absl::Seconds(options_.security_poll_seconds), [this] {
    auto now = read_security(options_.security);
    const absl::Status taken = now.ok() ? take_over(*now) : now.status();
    if (!taken.ok()) base::log_error("replaced certificates or tokens are not taken over", {{"error", taken}});
    watch_security();
  });
}

// It is served all the same: a client may not mind, and the next one is taken up without a restart.
void Ports::warn_of_expiry(const Security& security) const {
  const absl::Time end = end_of_validity(security);
  if (end <= clock_.now())
    base::log_warning("the certificate has expired", {{"at", absl::FormatTime(end, absl::UTCTimeZone())}});
}

absl::Status Ports::take_over(const Security& now) {
  if (now == security_) return absl::OkStatus();
  warn_of_expiry(now);
  if (now.rest && rest_) TG_RETURN_IF_ERROR(rest_->replace_tls(*rest_tls(now)));
  if (now.grpc && credentials_) credentials_->rotate(*now.grpc);
  tokens_.replace(now.tokens);
  security_ = now;
  base::log_info("certificates and tokens are replaced");
  return absl::OkStatus();
}

void Ports::begin_drain() {
  security_timer_.reset();
  router_.begin_drain();
  rest_->announce_close();
}

void Ports::drain(std::function<void()> drained) {
  const auto port_drained = [this, drained = std::move(drained)] {
    if (++drained_ == 2) drained();
  };
  rest_->drain(port_drained);
  const absl::Time deadline = clock_.now() + drain_patience();
  grpc_drain_ = std::thread([this, deadline, port_drained] {
    grpc_->drain(deadline);
    port_drained();
  });
}

void Ports::close() {
  security_timer_.reset();
  if (grpc_drain_.joinable()) grpc_drain_.join();
  grpc_.reset();
  rest_.reset();
}

}  // namespace tidegate::serving
