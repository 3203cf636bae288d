#pragma once
// For targets whose input is a gRPC request as it is on the wire: a byte that says which of the service's methods is
// called, then the request's message. What the methods have in common is here; each target says what must hold for its
// answers.
#include <optional>
#include <span>
#include <type_traits>

#include "base/clock.h"
#include "fuzz/echo_model.h"
#include "fuzz/fuzzing.h"
#include "serving-runtime/core/inference.h"

namespace tidegate::fuzz {

using WireMethod = void (*)(std::string_view message);

// Calls the method that the first byte of an input says. No byte calls none.
inline void call_method(std::span<const WireMethod> methods, const uint8_t* data, size_t size) {
  if (size > 0) methods[data[0] % methods.size()](as_text(data + 1, size - 1));
}

// Nothing when the bytes are no such message: gRPC answers those itself.
template <class Request>
std::optional<Request> parse(std::string_view bytes) {
  Request request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  return request;
}

// What the model that echoes answers, or why it does not, which is never its own fault. `rules`: what else the method
// takes.
template <class Request, class Response, class... Rules>
absl::StatusOr<Response> infer(const Request& request,
                               absl::Status (*method)(const serving::ServableFinder&, const Request&, Response&,
                                                      serving::Inference&, Rules...),
                               std::type_identity_t<Rules>... rules) {
  static base::ManualClock clock;
  serving::Inference inference(clock, {});
  Response response;
  absl::Status result = method(echo_table(), request, response, inference, rules...);
  require(!serving::is_model_error(result), "nothing that is sent counts against the model");
  if (result.ok()) return response;
  require_client_error(result);
  return result;
}

// Asks a question about models; `use` gets the answer.
template <class Request, class Response, class Use>
void ask(std::string_view bytes, absl::Status (*question)(const serving::ServableTable&, const Request&, Response&),
         Use use) {
  auto request = parse<Request>(bytes);
  if (!request) return;
  Response response;
  absl::Status result = question(echo_table(), *request, response);
  if (!result.ok()) return require_client_error(result);
  use(response);
}

}  // namespace tidegate::fuzz
