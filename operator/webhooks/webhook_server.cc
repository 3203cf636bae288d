#include "operator/webhooks/webhook_server.h"

#include <atomic>
#include <optional>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "kube/json.h"

namespace tidegate::operator_ {
namespace {

// The API server asks for an answer within 5 s (manifests/tidegate.yaml); a connection that is slower is a mistake, or
// worse.
constexpr absl::Duration kReadWithin = absl::Seconds(5);
constexpr absl::Duration kIdle = absl::Seconds(90);  // the API server keeps its connections

net::HttpServerOptions limits(std::string address, uint16_t port) {
  net::HttpServerOptions options;
  options.address = std::move(address);
  options.port = port;
  options.max_body_bytes = kMaxBodyBytes;
  options.max_connections = kMaxConnections;
  options.evict_when_full = true;
  options.idle_timeout = kIdle;
  options.read_timeout = kReadWithin;
  options.write_timeout = kReadWithin;
  return options;
}

net::ServerTls tls_of(const net::TlsIdentity& identity) {
  return {identity.certificate_pem, identity.private_key_pem, ""};
}

net::ServerResponse error(int status, std::string_view message) {
  constexpr size_t kLongest = 300;  // parsers quote what they were given
  net::ServerResponse response;
  response.status = status;
  response.body = kube::dump_json({{"error", std::string(message.substr(0, kLongest))}});
  return response;
}

bool is_json(std::string_view content_type) {
  constexpr std::string_view kJson = "application/json";
  return content_type.starts_with(kJson) && (content_type.size() == kJson.size() || content_type[kJson.size()] == ';');
}

WebhookOutcome outcome_of(const Findings& findings) {
  if (denies(findings)) return WebhookOutcome::kDenied;
  return findings.empty() ? WebhookOutcome::kAllowed : WebhookOutcome::kWarned;
}

// What is wrong with it as HTTP.
std::optional<net::ServerResponse> http_fault(const net::ServerRequest& request) {
  if (request.path() != kWebhookPath) return error(404, base::cat("there is ", kWebhookPath, " only"));
  if (request.method != "POST") return error(405, "an AdmissionReview is posted");
  if (!is_json(request.header("content-type"))) return error(415, "an AdmissionReview comes as application/json");
  return std::nullopt;
}

// One of the reviews that wait for the loop; counts itself.
struct Waiting {
  Waiting(std::shared_ptr<std::atomic<int>> count, Review review, net::Responder respond, absl::Duration began)
      : count(std::move(count)), review(std::move(review)), respond(std::move(respond)), began(began) {
    ++*this->count;
  }
  ~Waiting() { --*count; }

  std::shared_ptr<std::atomic<int>> count;
  Review review;
  net::Responder respond;
  absl::Duration began;
};

}  // namespace

// What requests hold on to; lives until the last one is answered.
struct WebhookServer::Shared : std::enable_shared_from_this<Shared> {
  Shared(base::Loop& loop, base::Clock& clock, Judge judge) : loop(loop), clock(clock), judge(std::move(judge)) {}

  // On the server's thread.
  void take(net::ServerRequest request, net::Responder respond) {
    const absl::Duration began = clock.uptime();
    if (auto fault = http_fault(request)) return refuse(WebhookOutcome::kMalformed, *std::move(fault), respond);
    if (*waiting >= kMaxInFlight) {
      return refuse(WebhookOutcome::kBusy, error(503, "too many reviews are waiting already"), respond);
    }
    absl::StatusOr<Review> review = parse_review(request.body);
    if (!review.ok()) {
      return refuse(WebhookOutcome::kMalformed, error(400, base::view(review.status().message())), respond);
    }
    auto next = std::make_shared<Waiting>(waiting, *std::move(review), std::move(respond), began);
    loop.post([self = shared_from_this(), next] { self->answer(*next); });
  }

  // On the loop.
  void answer(Waiting& next) {
    if (!judge) return next.respond(error(503, "this replica is ending"));
    const Findings findings = judge(next.review);
    net::ServerResponse response;
    response.body = review_answer(next.review.uid, findings);
    metrics.count(outcome_of(findings));
    metrics.duration.observe(clock.uptime() - next.began);
    next.respond(std::move(response));
  }

  void refuse(WebhookOutcome outcome, net::ServerResponse response, net::Responder& respond) {
    metrics.count(outcome);
    respond(std::move(response));
  }

  base::Loop& loop;
  base::Clock& clock;
  Judge judge;  // the loop's; null once the server is gone
  WebhookMetrics metrics;
  std::shared_ptr<std::atomic<int>> waiting = std::make_shared<std::atomic<int>>(0);
};

absl::StatusOr<std::unique_ptr<WebhookServer>> WebhookServer::start(const ServerFactory& listen, std::string address,
                                                                    uint16_t port, const net::TlsIdentity& identity,
                                                                    base::Loop& loop, base::Clock& clock, Judge judge) {
  auto shared = std::make_shared<Shared>(loop, clock, std::move(judge));
  absl::StatusOr<std::unique_ptr<net::HttpServer>> opened = listen(
      limits(std::move(address), port), tls_of(identity), [shared](net::ServerRequest request, net::Responder respond) {
        shared->take(std::move(request), std::move(respond));
      });
  if (!opened.ok()) return opened.status();
  return std::unique_ptr<WebhookServer>(new WebhookServer(std::move(shared), *std::move(opened)));
}

WebhookServer::~WebhookServer() { shared_->judge = nullptr; }

absl::Status WebhookServer::rotate(const net::TlsIdentity& identity) { return server_->replace_tls(tls_of(identity)); }

const WebhookMetrics& WebhookServer::metrics() const { return shared_->metrics; }

}  // namespace tidegate::operator_
