#include "serving-runtime/server/rest_router.h"

#include <memory>

#include "base/strings.h"
#include "serving-runtime/api/http_status.h"
#include "serving-runtime/api/paths.h"
#include "serving-runtime/core/cohort.h"
#include "serving-runtime/core/trace_context.h"

namespace tidegate::serving {
namespace {

constexpr const char* kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";

net::ServerResponse text(int status, std::string body, std::string content_type = "application/json") {
  net::ServerResponse response;
  response.status = status;
  response.body = std::move(body);
  response.content_type = std::move(content_type);
  return response;
}

// Whatever the answer is, it carries these.
net::Responder with_headers(net::Responder respond, net::Headers headers) {
  // std::function wants what it holds to be copyable.
  auto inner = std::make_shared<net::Responder>(std::move(respond));
  return net::Responder([inner, headers = std::move(headers)](net::ServerResponse response) {
    response.headers.insert(response.headers.end(), headers.begin(), headers.end());
    (*inner)(std::move(response));
  });
}

// TensorFlow Serving's; Authorization, too, since this server has tokens.
net::Headers open_to_pages() {
  return {{"Access-Control-Allow-Origin", "*"},
          {"Access-Control-Allow-Methods", "POST, GET"},
          {"Access-Control-Allow-Headers", "Content-Type, Authorization"}};
}

}  // namespace

bool RestRouter::is_short(const net::ServerRequest& request) const {
  if (request.path().starts_with("/v2/health/")) return true;
  const bool coded = !request.header("Content-Encoding").empty() || codings_.compress_from > 0;
  return request.method == "POST" && !coded && request.body.size() <= Cohort::kQuickBytes;
}

void RestRouter::handle(net::ServerRequest request, net::Responder respond) {
  if (!context_.post || Cohort::of_this_thread() == nullptr || is_short(request)) {
    return answer(std::move(request), std::move(respond));
  }
  // std::function wants what it holds to be copyable.
  auto pending =
      std::make_shared<std::pair<net::ServerRequest, net::Responder>>(std::move(request), std::move(respond));
  context_.post([this, pending] { answer(std::move(pending->first), std::move(pending->second)); });
}

void RestRouter::answer(net::ServerRequest request, net::Responder respond) {
  if (const auto traceparent = valid_traceparent(request.header(kTraceparent)); !traceparent.empty()) {
    respond = with_headers(std::move(respond), {{std::string(kTraceparent), std::string(traceparent)}});
  }
  respond = compressing(std::move(respond), request, codings_);
  if (options_.cors) {
    respond = with_headers(std::move(respond), open_to_pages());
    // A browser asks so, without a token, before the page's own request.
    if (request.method == "OPTIONS") return respond(text(200, ""));
  }
  std::string_view path = request.path();
  if (path == "/v2/health/live") return respond(text(200, R"({"live":true})"));
  if (path == "/v2/health/ready") {
    return respond(ready() ? text(200, R"({"ready":true})") : text(503, R"({"ready":false})"));
  }
  if (path == kMetricsPath) return respond(text(200, metrics(), kPrometheusText));
  if (!options_.tfs_metrics_path.empty() && path == options_.tfs_metrics_path) {
    return respond(text(200, context_.metrics.tfs().render() + metrics(), kPrometheusText));
  }
  if (const absl::Status allowed = tokens_.check(request.header("authorization")); !allowed.ok()) {
    net::ServerResponse refusal = error_response(allowed);
    refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
    return respond(std::move(refusal));
  }
  if (auto refused = decode_body(request, codings_)) return respond(*std::move(refused));
  if (is_tfs_path(path)) return tfs_.handle(std::move(request), std::move(respond));
  if (is_oip_path(path)) return oip_.handle(std::move(request), std::move(respond));
  respond(error_response(absl::NotFoundError(base::cat("There is nothing at ", path))));
}

}  // namespace tidegate::serving
