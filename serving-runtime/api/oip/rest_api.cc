#include "serving-runtime/api/oip/rest_api.h"

#include <charconv>

#include "base/status.h"
#include "serving-runtime/api/admission.h"
#include "serving-runtime/api/http_status.h"
#include "serving-runtime/api/oip/descriptions.h"
#include "serving-runtime/api/oip/infer.h"
#include "serving-runtime/api/oip/infer_json.h"
#include "serving-runtime/api/oip/message_json.h"
#include "serving-runtime/api/oip/model_view.h"
#include "serving-runtime/api/oip/raw_body.h"
#include "serving-runtime/api/oip/repository_api.h"
#include "serving-runtime/api/rest_prediction.h"
#include "serving-runtime/core/trace_context.h"

namespace tidegate::serving::oip {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kHeaderLength = "Inference-Header-Content-Length";

net::ServerResponse json_response(const Json& json) {
  net::ServerResponse response;
  response.body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

net::ServerResponse answer(const absl::StatusOr<Json>& json) {
  return json.ok() ? json_response(*json) : error_response(json.status());
}

// Asks one of the questions of descriptions.h about the path's model.
template <class Request, class Response>
absl::StatusOr<Json> ask(const ServableTable& table, const RestPath& path,
                         absl::Status (*question)(const ServableTable&, const Request&, Response&)) {
  Request request;
  request.set_name(path.model);
  request.set_version(path.version);
  Response response;
  TG_RETURN_IF_ERROR(question(table, request, response));
  return to_json(response);
}

net::ServerResponse model_ready(const ServableTable& table, const RestPath& path) {
  auto spec = to_model_spec(path.model, path.version);
  if (!spec.ok()) return error_response(spec.status());
  if (!table.models.contains(path.model)) return error_response(table.find(*spec).status());
  const bool ready = table.can_serve(*spec);
  net::ServerResponse response = json_response({{"name", path.model}, {"ready", ready}});
  if (!ready) response.status = 503;
  return response;
}

absl::StatusOr<Json> model_config_json(const ServableTable& table, const RestPath& path) {
  TG_ASSIGN_OR_RETURN(Json json, ask(table, path, model_config));
  return Json(json["config"]);
}

absl::StatusOr<Json> index_json(const ServableTable& table, std::string_view body) {
  TG_ASSIGN_OR_RETURN(inference::RepositoryIndexRequest request, parse_index_request(body));
  inference::RepositoryIndexResponse response;
  TG_RETURN_IF_ERROR(repository_index(table, request, response));
  return Json(to_json(response)["models"]);
}

Json server_json() {
  inference::ServerMetadataResponse response;
  server_metadata(response);
  return to_json(response);
}

absl::StatusOr<std::optional<size_t>> header_length(const net::ServerRequest& request) {
  std::string_view text = request.header(kHeaderLength);
  if (text.empty()) return std::nullopt;
  size_t length = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), length);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) return length;
  return absl::InvalidArgumentError(base::cat(kHeaderLength, " '", text, "' is not a length"));
}

absl::StatusOr<InferRequest> decode(const Servable& servable, const net::ServerRequest& request) {
  TG_ASSIGN_OR_RETURN(auto json_bytes, header_length(request));
  if (json_bytes != 0u) return parse_infer(request.body, json_bytes);
  TG_ASSIGN_OR_RETURN(const model::Signature* signature, choose_signature(servable, ""));
  return raw_infer(*signature, request.body);
}

absl::StatusOr<InferResponse> infer_json(const ServableFinder& servables, const RestPath& path,
                                         const net::ServerRequest& request, Inference& inference) {
  TG_ASSIGN_OR_RETURN(ModelSpec spec, to_model_spec(path.model, path.version));
  // Before the body is read, so that even a malformed one is counted against the version.
  TG_RETURN_IF_ERROR(inference.choose(servables, spec));
  TG_ASSIGN_OR_RETURN(InferRequest decoded, decode(*inference.servable(), request));
  inference.set_request_id(decoded.id);
  std::vector<WantedOutput> wanted;
  for (const RequestedOutput& output : decoded.outputs) wanted.push_back({output.name, output.classes});
  TG_ASSIGN_OR_RETURN(auto outputs, infer(inference, decoded.parameters, std::move(decoded.inputs), std::move(wanted)));
  return print_infer(decoded, *inference.servable(), outputs);
}

net::ServerResponse infer_response(absl::StatusOr<InferResponse> result) {
  if (!result.ok()) return error_response(result.status());
  net::ServerResponse response;
  response.body = std::move(result->body);
  if (result->json_bytes) {
    response.content_type = "application/octet-stream";
    response.headers.emplace_back(kHeaderLength, std::to_string(*result->json_bytes));
  }
  return response;
}

net::ServerResponse wrong_method(const net::ServerRequest& request, std::string_view offered) {
  net::ServerResponse response =
      error_response(absl::InvalidArgumentError(base::cat(request.method, " is not offered at ", request.path())));
  response.status = 405;
  response.headers.emplace_back("Allow", offered);
  return response;
}

std::string_view model_of(const RestPath& path) { return path.model; }

}  // namespace

void RestApi::handle(net::ServerRequest request, net::Responder respond) {
  auto path = parse_rest_path(request.path());
  if (!path.ok()) return respond(error_response(path.status()));
  const std::string_view method = method_of(path->verb);
  // The server leaves out the body of an answer to HEAD.
  const bool offered = request.method == method || (request.method == "HEAD" && method == "GET");
  if (!offered) return respond(wrong_method(request, method == "GET" ? "GET, HEAD" : method));
  switch (path->verb) {
    case Verb::kInfer:
      return start_inference(*std::move(path), std::move(request), std::move(respond));
    case Verb::kLoad:
    case Verb::kUnload:
      return change_model(*path, request, std::move(respond));
    default:
      return start_description(*std::move(path), std::move(request), std::move(respond));
  }
}

void RestApi::start_description(RestPath path, net::ServerRequest request, net::Responder respond) {
  if (path.verb != Verb::kMetadata && path.verb != Verb::kConfig) return respond(describe(path, request));
  const std::string model = path.model;
  auto pending =
      std::make_shared<std::pair<net::ServerRequest, net::Responder>>(std::move(request), std::move(respond));
  with_model(
      context_, model, [this, path = std::move(path), pending] { pending->second(describe(path, pending->first)); },
      [pending](const absl::Status& why) { pending->second(error_response(why)); });
}

net::ServerResponse RestApi::describe(const RestPath& path, const net::ServerRequest& request) {
  auto table = context_.directory.read();
  switch (path.verb) {
    case Verb::kMetadata:
      return answer(ask(*table, path, model_metadata));
    case Verb::kReady:
      return model_ready(*table, path);
    case Verb::kConfig:
      return answer(model_config_json(*table, path));
    case Verb::kStatistics:
      return answer(ask(*table, path, model_statistics));
    case Verb::kIndex:
      return answer(index_json(*table, request.body));
    default:
      return json_response(server_json());
  }
}

void RestApi::start_inference(RestPath path, net::ServerRequest request, net::Responder respond) {
  answer_in_turn(context_, Api::kOipRest, model_of,
                 std::make_shared<RestPrediction<RestPath>>(std::move(path), std::move(request), std::move(respond)),
                 [this](const RestPath& path, const net::ServerRequest& request, absl::Duration arrived) {
                   return run_inference(path, request, arrived);
                 });
}

net::ServerResponse RestApi::run_inference(const RestPath& path, const net::ServerRequest& request,
                                           absl::Duration arrived) {
  Inference inference = context_.begin(arrived);
  auto result = infer_json(context_.directory, path, request, inference);
  absl::Status status = result.status();
  net::ServerResponse response = infer_response(std::move(result));
  if (const Servable* servable = inference.servable()) {
    response.headers.emplace_back("x-tidegate-model-version", servable->version_text());
  }
  context_.end(inference, status,
               {Api::kOipRest, Operation::kPredict, request.header(kRequestId), request.header(kTraceparent)});
  return response;
}

void RestApi::change_model(const RestPath& path, const net::ServerRequest& request, net::Responder respond) {
  auto waiting = std::make_shared<net::Responder>(std::move(respond));
  auto done = [waiting](absl::Status result) {
    net::ServerResponse changed;
    (*waiting)(result.ok() ? std::move(changed) : error_response(result));
  };
  auto change = [&](auto parsed, auto how) {
    if (!parsed.ok()) return done(parsed.status());
    parsed->set_model_name(path.model);
    how(context_.control, *parsed, done);
  };
  if (path.verb == Verb::kLoad) {
    change(parse_load_request(request.body), load_model);
  } else {
    change(parse_unload_request(request.body), unload_model);
  }
}

}  // namespace tidegate::serving::oip
