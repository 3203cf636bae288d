#include "serving-runtime/api/tfs/rest_api.h"

#include "base/status.h"
#include "serving-runtime/api/admission.h"
#include "serving-runtime/api/http_status.h"
#include "serving-runtime/api/rest_prediction.h"
#include "serving-runtime/api/tfs/examples_json.h"
#include "serving-runtime/api/tfs/metadata_json.h"
#include "serving-runtime/api/tfs/predict_json.h"
#include "serving-runtime/core/trace_context.h"

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

absl::StatusOr<std::string> run_predict(Inference& inference, const RequestDocument& document,
                                        const std::string& signature_name) {
  const model::Signature* signature = inference.servable()->find_signature(signature_name);
  if (!signature) {
    std::string_view name = signature_name.empty() ? kDefaultSignature : signature_name;
    return absl::InvalidArgumentError(base::cat("Serving signature name: \"", name, "\" not found in signature def"));
  }
  TG_ASSIGN_OR_RETURN(PredictInputs inputs, decode_predict(document, *signature));
  TG_ASSIGN_OR_RETURN(auto outputs, inference.predict(*signature, std::move(inputs.tensors), {}));
  return encode_predict(outputs, inputs.format);
}

absl::StatusOr<std::string> run_examples(Inference& inference, ExampleMethod method, Tensor examples,
                                         const std::string& signature_name, const Rules& rules) {
  TG_ASSIGN_OR_RETURN(const model::Signature* signature,
                      find_signature(*inference.servable(), signature_name, method, rules));
  if (method == ExampleMethod::kClassify) {
    TG_ASSIGN_OR_RETURN(Classification result, run_classify(inference, *signature, std::move(examples)));
    return encode_classification(result);
  }
  TG_ASSIGN_OR_RETURN(Tensor values, run_regress(inference, *signature, std::move(examples)));
  return encode_regression(values);
}

// `inference` gets its version whenever the version can be found, so that even a malformed request is counted against
// it.
absl::StatusOr<std::string> run_inference(const FrontEndContext& context, const RestPath& path, std::string_view body,
                                          Inference& inference) {
  if (inference.queued() > context.rules.rest_timeout) {
    return absl::DeadlineExceededError("The timeout passed before the request's turn came");
  }
  absl::Status found = inference.choose(context.directory, path.model);
  TG_ASSIGN_OR_RETURN(RequestDocument document, RequestDocument::scan(body));
  TG_ASSIGN_OR_RETURN(std::string signature_name, document.signature_name());
  if (path.verb == Verb::kPredict) {
    if (!found.ok()) return found;
    return run_predict(inference, document, signature_name);
  }
  // Examples need no signature to be read, so TensorFlow Serving reads them first.
  TG_ASSIGN_OR_RETURN(Tensor examples, decode_examples(document));
  if (!found.ok()) return found;
  ExampleMethod method = path.verb == Verb::kClassify ? ExampleMethod::kClassify : ExampleMethod::kRegress;
  return run_examples(inference, method, std::move(examples), signature_name, context.rules);
}

Operation operation_of(Verb verb) {
  if (verb == Verb::kClassify) return Operation::kClassify;
  return verb == Verb::kRegress ? Operation::kRegress : Operation::kPredict;
}

std::string_view model_of(const RestPath& path) { return path.model.name; }

}  // namespace

void RestApi::handle(net::ServerRequest request, net::Responder respond) {
  auto path = parse_rest_path(request.method, request.path());
  if (!path.ok()) return respond(error_response(path.status()));
  if (request.method != "POST") return describe(*path, std::move(respond));
  answer_in_turn(
      context_, Api::kTfsRest, model_of,
      std::make_shared<RestPrediction<RestPath>>(*std::move(path), std::move(request), std::move(respond)),
      [this](const RestPath& path, const net::ServerRequest& request, absl::Duration arrived) {
        return infer(path, request, arrived);
      },
      context_.clock.now() + context_.rules.rest_timeout);
}

// Signatures are known of models that are loaded.
void RestApi::describe(const RestPath& path, net::Responder respond) {
  auto pending = std::make_shared<net::Responder>(std::move(respond));
  auto answer = [this, path, pending] {
    auto body = describe_model(*context_.directory.read(), path);
    if (!body.ok()) return (*pending)(error_response(body.status()));
    net::ServerResponse response;
    response.body = *std::move(body);
    (*pending)(std::move(response));
  };
  if (path.verb != Verb::kMetadata) return answer();
  with_model(context_, path.model.name, std::move(answer),
             [pending](const absl::Status& why) { (*pending)(error_response(why)); });
}

net::ServerResponse RestApi::infer(const RestPath& path, const net::ServerRequest& request, absl::Duration arrived) {
  Inference inference = context_.begin(arrived);
  auto body = run_inference(context_, path, request.body, inference);
  net::ServerResponse response;
  if (body.ok()) {
    response.body = *std::move(body);
  } else {
    response = error_response(body.status());
  }
  if (const Servable* servable = inference.servable()) {
    response.headers.emplace_back("x-tidegate-model-version", servable->version_text());
  }
  context_.end(inference, body.status(),
               {Api::kTfsRest, operation_of(path.verb), request.header(kRequestId), request.header(kTraceparent)});
  return response;
}

}  // namespace tidegate::serving::tfs
