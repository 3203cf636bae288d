#pragma once
// A prediction over REST, from its request to its answer: what TensorFlow Serving's API and the Open Inference Protocol
// have in common.
#include <memory>
#include <string_view>
#include <utility>

#include "net/http_server.h"
#include "serving-runtime/api/admission.h"
#include "serving-runtime/api/http_status.h"

namespace tidegate::serving {

// What a prediction needs until it is answered. `Path`: the request's, as its API reads it.
template <class Path>
struct RestPrediction {
  Path path;
  net::ServerRequest request;
  net::Responder respond;
  net::ServerResponse response;
};

// Answers with what infer(path, request, arrived) returns when its turn comes, or with why it does not. `model` reads
// the model's name in a path; nobody waits beyond `deadline`, by the wall clock, for a model to be loaded.
template <class Path, class Infer>
void answer_in_turn(const FrontEndContext& context, Api api, std::string_view (*model)(const Path&),
                    std::shared_ptr<RestPrediction<Path>> prediction, Infer infer,
                    absl::Time deadline = absl::InfiniteFuture()) {
  admit(
      context, {api, model(prediction->path), prediction->request.body.size(), deadline},
      [infer = std::move(infer), arrived = context.clock.uptime(), prediction] {
        prediction->response = infer(prediction->path, prediction->request, arrived);
        Cohort::answer([prediction] { prediction->respond(std::move(prediction->response)); });
      },
      [prediction](const absl::Status& why) { prediction->respond(error_response(why)); });
}

}  // namespace tidegate::serving
