#include "serving-runtime/api/oip/rest_api.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "serving-runtime/api/http_status.h"
#include "serving-runtime/api/oip/infer.h"
#include "serving-runtime/api/oip/infer_json.h"
#include "serving-runtime/api/oip/model_view.h"
#include "serving-runtime/api/percent.h"
#include "serving-runtime/core/inference.h"

namespace tidegate::serving::oip {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kHeaderLength = "Inference-Header-Content-Length";

net::ServerResponse json_response(const Json& json) {
  net::ServerResponse response;
  response.body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

// What a path below /v2/models asks for.
struct Path {
  ModelSpec model;
  std::string_view verb;  // "", "ready" or "infer"
};

std::string_view take_segment(std::string_view& rest) {
  size_t end = std::min(rest.find('/'), rest.size());
  std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return segment;
}

absl::StatusOr<Path> parse_path(std::string_view path) {
  absl::Status unknown = absl::NotFoundError(base::cat("There is nothing at ", path));
  constexpr std::string_view kPrefix = "/v2/models/";
  if (!path.starts_with(kPrefix)) return unknown;
  std::string_view rest = path.substr(kPrefix.size()), version;
  auto name = percent_decode(take_segment(rest));
  if (!name || name->empty()) return unknown;
  std::string_view next = take_segment(rest);
  if (next == "versions") {
    version = take_segment(rest);
    if (version.empty()) return unknown;
    next = take_segment(rest);
  }
  if (!rest.empty() || (next != "" && next != "ready" && next != "infer")) return unknown;
  Path parsed;
  parsed.verb = next;
  TG_ASSIGN_OR_RETURN(parsed.model, to_model_spec(*name, version));
  return parsed;
}

Json describe(const std::vector<model::TensorSpec>& specs) {
  Json list = Json::array();
  for (const auto& spec : specs) {
    list.push_back({{"name", spec.name}, {"datatype", model::oip_name(spec.type)}, {"shape", spec.shape}});
  }
  return list;
}

absl::StatusOr<Json> model_metadata(const ServableTable& table, const ModelSpec& spec) {
  TG_ASSIGN_OR_RETURN(auto servable, table.find(spec));
  TG_ASSIGN_OR_RETURN(const model::Signature* signature, choose_signature(*servable, ""));
  return Json{{"name", servable->name()},
              {"versions", serving_versions(table, servable->name())},
              {"platform", platform(*servable)},
              {"inputs", describe(signature->inputs)},
              {"outputs", describe(signature->outputs)}};
}

net::ServerResponse model_ready(const ServableTable& table, const ModelSpec& spec) {
  auto servable = table.find(spec);
  if (!table.models.contains(spec.name)) return error_response(servable.status());
  net::ServerResponse response = json_response({{"name", spec.name}, {"ready", servable.ok()}});
  if (!servable.ok()) response.status = 503;
  return response;
}

absl::StatusOr<std::optional<size_t>> header_length(const net::ServerRequest& request) {
  std::string_view text = request.header(kHeaderLength);
  if (text.empty()) return std::nullopt;
  size_t length = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), length);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) return length;
  return absl::InvalidArgumentError(base::cat(kHeaderLength, " '", text, "' is not a length"));
}

// `inference` gets its version whenever that can be found, so that even a malformed request is counted against it.
absl::StatusOr<InferResponse> run_infer(const ServableTable& table, const ModelSpec& spec,
                                        const net::ServerRequest& request, Inference& inference) {
  TG_RETURN_IF_ERROR(inference.choose(table, spec));
  TG_ASSIGN_OR_RETURN(auto json_bytes, header_length(request));
  TG_ASSIGN_OR_RETURN(InferRequest decoded, parse_infer(request.body, json_bytes));
  std::vector<std::string> wanted;
  for (const RequestedOutput& output : decoded.outputs) wanted.push_back(output.name);
  TG_ASSIGN_OR_RETURN(auto outputs, infer(inference, decoded.parameters, std::move(decoded.inputs), wanted));
  return print_infer(decoded, *inference.servable(), outputs);
}

}  // namespace

void RestApi::handle(net::ServerRequest request, net::Responder respond) {
  if (request.path() == "/v2" || request.path() == "/v2/") {
    return respond(
        json_response({{"name", kServerName}, {"version", kServerVersion}, {"extensions", {"binary_tensor_data"}}}));
  }
  auto path = parse_path(request.path());
  if (!path.ok()) return respond(error_response(path.status()));
  bool wants_post = path->verb == "infer";
  if (request.method != (wants_post ? "POST" : "GET")) {
    net::ServerResponse response =
        error_response(absl::InvalidArgumentError(base::cat(request.method, " is not offered at ", request.path())));
    response.status = 405;
    response.headers.emplace_back("Allow", wants_post ? "POST" : "GET");
    return respond(std::move(response));
  }
  auto table = context_.directory.read();
  if (path->verb == "ready") return respond(model_ready(*table, path->model));
  if (!wants_post) {
    auto metadata = model_metadata(*table, path->model);
    return respond(metadata.ok() ? json_response(*metadata) : error_response(metadata.status()));
  }
  // std::function wants what it holds to be copyable.
  auto pending =
      std::make_shared<std::pair<net::ServerRequest, net::Responder>>(std::move(request), std::move(respond));
  absl::Status queued = context_.gate.run([this, arrived = context_.clock.uptime(), spec = std::move(path->model),
                                           pending] { pending->second(infer(spec, pending->first, arrived)); });
  if (!queued.ok()) pending->second(error_response(queued));
}

net::ServerResponse RestApi::infer(const ModelSpec& spec, const net::ServerRequest& request, absl::Duration arrived) {
  Inference inference(context_.clock, arrived);
  auto result = run_infer(*context_.directory.read(), spec, request, inference);
  net::ServerResponse response;
  if (!result.ok()) {
    response = error_response(result.status());
  } else {
    response.body = std::move(result->body);
    if (result->json_bytes) {
      response.content_type = "application/octet-stream";
      response.headers.emplace_back(kHeaderLength, std::to_string(*result->json_bytes));
    }
  }
  if (const Servable* servable = inference.servable()) {
    response.headers.emplace_back("x-tidegate-model-version", servable->version_text());
  }
  context_.metrics.count(Api::kOipRest, inference.servable(), result.status(), inference.end(result.status()));
  return response;
}

}  // namespace tidegate::serving::oip
