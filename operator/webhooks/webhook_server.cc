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

}  // namespace

// What requests hold on to; lives until the last one is answered.
struct WebhookServer::Shared {
  Shared(base::Loop& loop, base::Clock& clock, Judge judge) : loop(loop), clock(clock), judge(std::move(judge)) {}

  base::Loop& loop;
  base::Clock& clock;
  Judge judge;  // the loop's; null once the server is gone
  WebhookMetrics metrics;
  std::atomic<int> in_flight{0};
};

namespace {

// One review on its way from the server's thread to the loop and back. Gone without an answer, it leaves one too.
struct Waiting {
  Waiting(std::atomic<int>& in_flight, Review review, net::Responder respond, absl::Duration began)
      : in_flight(in_flight), review(std::move(review)), respond(std::move(respond)), began(began) {}
  ~Waiting() { --in_flight; }

  std::atomic<int>& in_flight;
  Review review;
  net::Responder respond;
  absl::Duration began;
};

// What is wrong with it as HTTP.
std::optional<net::ServerResponse> http_fault(const net::ServerRequest& request) {
  if (request.path() != kWebhookPath) return error(404, base::cat("there is ", kWebhookPath, " only"));
  if (request.method != "POST") return error(405, "an AdmissionReview is posted");
  if (!is_json(request.header("content-type"))) return error(415, "an AdmissionReview comes as application/json");
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WebhookServer>> WebhookServer::start(const ServerFactory& listen, std::string address,
                                                                    uint16_t port, const net::TlsIdentity& identity,
                                                                    base::Loop& loop, base::Clock& clock, Judge judge) {
  auto shared = std::make_shared<Shared>(loop, clock, std::move(judge));

  auto answer = [](const std::shared_ptr<Shared>& shared, Waiting& waiting) {
    if (!shared->judge) return waiting.respond(error(503, "this replica is ending"));
    const Findings findings = shared->judge(waiting.review);
    net::ServerResponse response;
    response.body = review_answer(waiting.review.uid, findings);
    shared->metrics.count(outcome_of(findings));
    shared->metrics.duration.observe(shared->clock.uptime() - waiting.began);
    waiting.respond(std::move(response));
  };

  net::Handler handler = [shared, answer](net::ServerRequest request, net::Responder respond) {
    const absl::Duration began = shared->clock.uptime();
    auto refuse = [&](WebhookOutcome outcome, net::ServerResponse response) {
      shared->metrics.count(outcome);
      respond(std::move(response));
    };
    if (auto fault = http_fault(request)) {
      return refuse(WebhookOutcome::kMalformed, *std::move(fault));
    }
    if (shared->in_flight >= kMaxInFlight) {
      return refuse(WebhookOutcome::kBusy, error(503, "too many reviews are waiting already"));
    }
    absl::StatusOr<Review> review = parse_review(request.body);
    if (!review.ok()) {
      return refuse(WebhookOutcome::kMalformed, error(400, base::view(review.status().message())));
    }
    ++shared->in_flight;
    auto waiting = std::make_shared<Waiting>(shared->in_flight, *std::move(review), std::move(respond), began);
    shared->loop.post([shared, answer, waiting] { answer(shared, *waiting); });
  };

  auto server = std::unique_ptr<WebhookServer>(new WebhookServer(shared));
  absl::StatusOr<std::unique_ptr<net::HttpServer>> opened =
      listen(limits(std::move(address), port), tls_of(identity), std::move(handler));
  if (!opened.ok()) return opened.status();
  server->server_ = *std::move(opened);
  return server;
}

WebhookServer::~WebhookServer() { shared_->judge = nullptr; }

absl::Status WebhookServer::rotate(const net::TlsIdentity& identity) { return server_->replace_tls(tls_of(identity)); }

const WebhookMetrics& WebhookServer::metrics() const { return shared_->metrics; }

}  // namespace tidegate::operator_
