#include "serving-runtime/server/rest_codings.h"

#include <memory>
#include <utility>

#include "base/status.h"
#include "serving-runtime/api/http_status.h"

namespace tidegate::serving {
namespace {

net::ServerResponse refusal(int status, const absl::Status& why) {
  net::ServerResponse response = error_response(base::annotate(why, "The request's body"));
  response.status = status;
  if (status == 415) response.headers.emplace_back("Accept-Encoding", "gzip, deflate");
  return response;
}

void compress(net::ServerResponse& response, net::ContentCoding coding) {
  response.body = net::compress(coding, response.body);
  response.headers.emplace_back("Content-Encoding", net::name_of(coding));
  response.headers.emplace_back("Vary", "Accept-Encoding");
}

}  // namespace

std::optional<net::ServerResponse> decode_body(net::ServerRequest& request, const CodingOptions& options) {
  const auto coding = net::parse_content_encoding(request.header("Content-Encoding"));
  if (!coding.ok()) return refusal(415, coding.status());
  if (*coding == net::ContentCoding::kIdentity) return std::nullopt;
  auto body = net::decompress(*coding, request.body, options.max_body_bytes);
  if (!body.ok()) return refusal(absl::IsResourceExhausted(body.status()) ? 413 : 400, body.status());
  request.body = *std::move(body);
  return std::nullopt;
}

net::Responder compressing(net::Responder respond, const net::ServerRequest& request, const CodingOptions& options) {
  if (options.compress_from == 0) return respond;
  const net::ContentCoding coding = net::accepted_coding(request.header("Accept-Encoding"));
  if (coding == net::ContentCoding::kIdentity) return respond;
  // std::function wants what it holds to be copyable.
  auto inner = std::make_shared<net::Responder>(std::move(respond));
  return net::Responder([inner, coding, from = options.compress_from](net::ServerResponse response) {
    if (response.body.size() >= from) compress(response, coding);
    (*inner)(std::move(response));
  });
}

}  // namespace tidegate::serving
