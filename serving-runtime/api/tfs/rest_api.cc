#include "serving-runtime/api/tfs/rest_api.h"

#include "base/status.h"
#include "serving-runtime/api/http_status.h"
#include "serving-runtime/api/tfs/metadata_json.h"
#include "serving-runtime/api/tfs/predict_json.h"
#include "serving-runtime/api/tfs/rest_path.h"

namespace tidegate::serving::tfs {
namespace {

absl::StatusOr<std::string> describe_model(const ServableTable& table, const RestPath& path) {
  if (path.verb == Verb::kMetadata) {
    TG_ASSIGN_OR_RETURN(auto servable, table.find(path.model));
    return metadata_json(*servable);
  }
  TG_ASSIGN_OR_RETURN(auto states, table.states(path.model));
  return status_json(states);
}

// `servable` is set whenever the version can be found, so that even a malformed request is counted against it.
absl::StatusOr<std::string> run_predict(const ServableTable& table, const ModelSpec& spec, std::string_view body,
                                        std::shared_ptr<const Servable>& servable) {
  auto found = table.find(spec);
  if (found.ok()) servable = *found;
  TG_ASSIGN_OR_RETURN(RequestDocument document, RequestDocument::scan(body));
  TG_ASSIGN_OR_RETURN(std::string signature_name, document.signature_name());
  if (!found.ok()) return found.status();
  const model::Signature* signature = servable->find_signature(signature_name);
  if (!signature) {
    std::string_view name = signature_name.empty() ? kDefaultSignature : signature_name;
    return absl::InvalidArgumentError(base::cat("Serving signature name: \"", name, "\" not found in signature def"));
  }
  TG_ASSIGN_OR_RETURN(PredictInputs inputs, decode_predict(document, *signature));
  TG_ASSIGN_OR_RETURN(auto outputs, servable->predict(*signature, std::move(inputs.tensors), {}));
  return encode_predict(outputs, inputs.format);
}

}  // namespace

void RestApi::handle(net::ServerRequest request, net::Responder respond) {
  if (request.method != "POST") return respond(describe(request));
  auto path = parse_rest_path(request.method, request.path());
  if (!path.ok()) return respond(error_response(path.status()));
  if (path->verb != Verb::kPredict) {
    return respond(
        error_response(absl::UnimplementedError("This server answers :predict; classify and regress are not offered")));
  }
  // std::function wants what it holds to be copyable.
  auto pending =
      std::make_shared<std::pair<net::ServerRequest, net::Responder>>(std::move(request), std::move(respond));
  absl::Status queued = context_.gate.run(
      [this, spec = std::move(path->model), pending] { pending->second(predict(spec, pending->first)); });
  if (!queued.ok()) pending->second(error_response(queued));
}

net::ServerResponse RestApi::describe(const net::ServerRequest& request) {
  auto path = parse_rest_path(request.method, request.path());
  if (!path.ok()) return error_response(path.status());
  auto body = describe_model(*context_.directory.read(), *path);
  if (!body.ok()) return error_response(body.status());
  net::ServerResponse response;
  response.body = *std::move(body);
  return response;
}

net::ServerResponse RestApi::predict(const ModelSpec& spec, const net::ServerRequest& request) {
  absl::Duration begin = context_.clock.uptime();
  std::shared_ptr<const Servable> servable;
  auto body = run_predict(*context_.directory.read(), spec, request.body, servable);
  net::ServerResponse response;
  if (body.ok()) {
    response.body = *std::move(body);
  } else {
    response = error_response(body.status());
  }
  if (servable) response.headers.emplace_back("x-tidegate-model-version", servable->version_text());
  context_.metrics.count(Api::kTfsRest, servable.get(), body.status(), context_.clock.uptime() - begin);
  return response;
}

}  // namespace tidegate::serving::tfs
