// The Open Inference Protocol's gRPC requests, from the bytes on the wire, through the model that echoes. The first
// byte says which method is called.
#include <algorithm>

#include "fuzz/echo_model.h"
#include "fuzz/tensor_checks.h"
#include "serving-runtime/api/oip/descriptions.h"
#include "serving-runtime/api/oip/grpc_messages.h"
#include "serving-runtime/api/oip/message_json.h"
#include "serving-runtime/api/oip/repository_api.h"

namespace tidegate::fuzz {
namespace {

namespace oip = serving::oip;

absl::Status infer(const inference::ModelInferRequest& request, inference::ModelInferResponse& response) {
  static base::ManualClock clock;
  serving::Inference inference(clock, {});
  absl::Status result = oip::model_infer(echo_table(), request, response, inference);
  require(!serving::is_model_error(result), "nothing that is sent counts against the model");
  return result;
}

// An answer's outputs as a request's inputs, raw.
inference::ModelInferRequest as_request(const inference::ModelInferRequest& first,
                                        const inference::ModelInferResponse& answer) {
  inference::ModelInferRequest request;
  request.set_model_name(first.model_name());
  for (const auto& [name, parameter] : first.parameters()) {
    if (name == "signature_name") (*request.mutable_parameters())[name] = parameter;
  }
  for (const auto& output : answer.outputs()) {
    auto& input = *request.add_inputs();
    input.set_name(output.name());
    input.set_datatype(output.datatype());
    *input.mutable_shape() = output.shape();
    request.add_outputs()->set_name(output.name());
  }
  *request.mutable_raw_input_contents() = answer.raw_output_contents();
  return request;
}

void model_infer(std::string_view bytes) {
  inference::ModelInferRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  inference::ModelInferResponse answer, again;
  absl::Status result = infer(request, answer);
  if (!result.ok()) return require_client_error(result);
  require(answer.outputs_size() == answer.raw_output_contents_size(), "each output has its bytes");
  require(answer.id() == request.id() && answer.model_version() == "7", "an answer says what it is the answer to");
  if (answer.outputs_size() != request.inputs_size()) return;  // not all were asked for
  absl::Status repeated = infer(as_request(request, answer), again);
  require(repeated.ok(), "an answer reads as a request", repeated.ToString());
  require(std::equal(answer.raw_output_contents().begin(), answer.raw_output_contents().end(),
                     again.raw_output_contents().begin(), again.raw_output_contents().end()),
          "the model that echoes answers its answers alike");
}

template <class Request, class Response>
void ask(std::string_view bytes, absl::Status (*question)(const serving::ServableTable&, const Request&, Response&)) {
  Request request;
  Response response;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  absl::Status result = question(echo_table(), request, response);
  if (!result.ok()) return require_client_error(result);
  oip::to_json(response);
}

}  // namespace
}  // namespace tidegate::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate::fuzz;
  if (size == 0) return 0;
  std::string_view bytes = as_text(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      return model_infer(bytes), 0;
    case 1:
      return ask(bytes, oip::model_metadata), 0;
    case 2:
      return ask(bytes, oip::model_config), 0;
    case 3:
      return ask(bytes, oip::model_statistics), 0;
    default:
      return ask(bytes, oip::repository_index), 0;
  }
}
