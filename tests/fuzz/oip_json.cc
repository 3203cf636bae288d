// Bodies of the Open Inference Protocol's REST inference and repository requests. Before the body stands a line with
// the length of its JSON, the header's value, empty when all of it is JSON.
#include <charconv>

#include "base/utf8.h"
#include "fuzz/echo_model.h"
#include "fuzz/tensor_checks.h"
#include "serving-runtime/api/oip/infer_json.h"
#include "serving-runtime/api/oip/repository_api.h"

namespace tidegate::fuzz {
namespace {

namespace oip = serving::oip;

// The answer that a model which echoes would give, sent as the next request.
void require_same_again(oip::InferRequest& request, bool binary) {
  request.binary_by_default = binary;
  request.outputs.clear();
  auto answer = oip::print_infer(request, echo(), request.inputs);
  if (!answer.ok()) return require_client_error(answer.status());
  require(answer->json_bytes.value_or(0) <= answer->body.size(), "the JSON is a part of the body");
  std::string again = answer->body;
  size_t json = answer->json_bytes.value_or(again.size());
  require(base::is_utf8(again.substr(0, json)), "the JSON of an answer is UTF-8", again);
  size_t outputs = again.find(R"("outputs":[)");
  require(outputs < json, "an answer lists its outputs", again);
  again.replace(outputs, 9, R"("inputs")");
  auto back = oip::parse_infer(again, answer->json_bytes ? std::optional(json - 1) : std::nullopt);
  require(back.ok(), "an answer reads as a request", back.status().ToString() + "\n" + again);
  require(back->id == request.id, "the id comes back");
  require_same(request.inputs, back->inputs);
}

void infer(std::string_view body, std::optional<size_t> json_bytes) {
  auto request = oip::parse_infer(body, json_bytes);
  if (!request.ok()) return require_client_error(request.status());
  for (const serving::NamedTensor& input : request->inputs) {
    require(!input.name.empty(), "an input has a name");
    require(!model::oip_name(input.tensor.type()).empty(), "an input has a type of the protocol");
    require_whole(input.tensor);
  }
  // An answer has the model's names, which are text.
  auto has_text_name = [](const serving::NamedTensor& input) { return base::is_utf8(input.name); };
  if (!std::all_of(request->inputs.begin(), request->inputs.end(), has_text_name)) return;
  require_same_again(*request, false);
  require_same_again(*request, true);
}

void control(std::string_view body) {
  auto index = oip::parse_index_request(body);
  auto load = oip::parse_load_request(body);
  auto unload = oip::parse_unload_request(body);
  if (!index.ok()) require_client_error(index.status());
  require(load.ok() == unload.ok(), "both requests have the same form");
  if (!load.ok()) require_client_error(load.status());
}

}  // namespace
}  // namespace tidegate::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate::fuzz;
  std::string_view body = as_text(data, size);
  std::string_view line = take_until(body, '\n');
  size_t length = 0;
  bool given = std::from_chars(line.data(), line.data() + line.size(), length).ec == std::errc();
  infer(body, given ? std::optional(length) : std::nullopt);
  control(body);
  return 0;
}
