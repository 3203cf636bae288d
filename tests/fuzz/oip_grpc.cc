// The Open Inference Protocol's gRPC requests, from the bytes on the wire, through the model that echoes. The first
// byte says which method is called.
#include <algorithm>

#include "fuzz/wire_methods.h"
#include "serving-runtime/api/oip/descriptions.h"
#include "serving-runtime/api/oip/grpc_messages.h"
#include "serving-runtime/api/oip/message_json.h"
#include "serving-runtime/api/oip/repository_api.h"

namespace tidegate::fuzz {
namespace {

namespace oip = serving::oip;

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
  auto request = parse<inference::ModelInferRequest>(bytes);
  if (!request) return;
  auto answer = infer(*request, oip::model_infer);
  if (!answer.ok()) return;
  require(answer->outputs_size() == answer->raw_output_contents_size(), "each output has its bytes");
  require(answer->id() == request->id() && answer->model_version() == "7", "an answer says what it is the answer to");
  if (answer->outputs_size() != request->inputs_size()) return;  // not all were asked for
  const auto classified = [](const auto& output) { return output.parameters().contains("classification"); };
  if (std::any_of(request->outputs().begin(), request->outputs().end(), classified)) return;  // not what was sent
  auto again = infer(as_request(*request, *answer), oip::model_infer);
  require(again.ok(), "an answer reads as a request", again.status().ToString());
  require(std::equal(answer->raw_output_contents().begin(), answer->raw_output_contents().end(),
                     again->raw_output_contents().begin(), again->raw_output_contents().end()),
          "the model that echoes answers its answers alike");
}

constexpr auto kPrint = [](const auto& answer) { oip::to_json(answer); };

constexpr WireMethod kMethods[] = {
    model_infer,
    [](std::string_view bytes) { ask(bytes, oip::model_metadata, kPrint); },
    [](std::string_view bytes) { ask(bytes, oip::model_config, kPrint); },
    [](std::string_view bytes) { ask(bytes, oip::model_statistics, kPrint); },
    [](std::string_view bytes) { ask(bytes, oip::repository_index, kPrint); },
};

}  // namespace
}  // namespace tidegate::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidegate::fuzz::call_method(tidegate::fuzz::kMethods, data, size);
  return 0;
}
