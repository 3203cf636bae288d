// TensorFlow Serving's gRPC requests, from the bytes on the wire, through the model that echoes. The first byte says
// which method is called.
#include "fuzz/tensor_checks.h"
#include "fuzz/wire_methods.h"
#include "serving-runtime/api/tfs/example_messages.h"
#include "serving-runtime/api/tfs/grpc_messages.h"
#include "serving-runtime/api/tfs/tensor_proto.h"
#include "serving-runtime/repository/server_config.h"

namespace tidegate::fuzz {
namespace {

namespace tfs = serving::tfs;
namespace pb = tensorflow::serving;

// What a request asked for, as it must come back.
void require_echo(const pb::PredictRequest& request, const pb::PredictResponse& response) {
  require(response.model_spec().name() == "echo" && response.model_spec().version().value() == 7,
          "an answer names the version that gave it");
  tfs::RepeatAllowance sent_allowance, allowance(0);
  auto sent = tfs::decode_inputs(request, sent_allowance);
  require(sent.ok(), "what was answered was read");
  for (const serving::NamedTensor& input : *sent) {
    require_whole(input.tensor);
    auto output = response.outputs().find(input.name);
    if (output == response.outputs().end()) continue;  // not asked for
    auto back = tfs::from_proto(output->second, allowance);
    require(back.ok(), "what was answered can be read");
    require_same(input.tensor, *back);
  }
}

// Parses the message, calls a method that runs the model and checks what it answers.
template <class Request, class Response>
void run(std::string_view bytes,
         absl::Status (*method)(const serving::ServableFinder&, const Request&, Response&, serving::Inference&,
                                const tfs::Rules&),
         void (*check)(const Request&, const Response&)) {
  auto request = parse<Request>(bytes);
  if (!request) return;
  auto response = infer(*request, method, tfs::Rules());
  if (response.ok()) check(*request, *response);
}

void reload(std::string_view bytes) {
  auto request = parse<pb::ReloadConfigRequest>(bytes);
  if (!request) return;
  if (absl::Status usable = tfs::check_reload(*request); !usable.ok()) return require_client_error(usable);
  auto models = serving::to_model_configs(request->config(), {.warm_up = true, .request_log = true});
  if (!models.ok()) return require_client_error(models.status());
  absl::Status usable = serving::check_models(*models);
  if (!usable.ok()) require_client_error(usable);
}

void check_classes(const pb::ClassificationRequest&, const pb::ClassificationResponse& response) {
  require(response.result().classifications_size() > 0, "each example has its classes");
}
void check_values(const pb::RegressionRequest&, const pb::RegressionResponse& response) {
  require(response.result().regressions_size() > 0, "each example has its value");
}
void check_tasks(const pb::MultiInferenceRequest& request, const pb::MultiInferenceResponse& response) {
  require(response.results_size() == request.tasks_size(), "each task has its result");
}

constexpr auto kNoCheck = [](const auto&) {};

constexpr WireMethod kMethods[] = {
    [](std::string_view bytes) { run(bytes, tfs::predict, require_echo); },
    [](std::string_view bytes) { run(bytes, tfs::classify, check_classes); },
    [](std::string_view bytes) { run(bytes, tfs::regress, check_values); },
    [](std::string_view bytes) { run(bytes, tfs::multi_inference, check_tasks); },
    [](std::string_view bytes) { ask(bytes, tfs::get_model_metadata, kNoCheck); },
    [](std::string_view bytes) { ask(bytes, tfs::get_model_status, kNoCheck); },
    reload,
};

}  // namespace
}  // namespace tidegate::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidegate::fuzz::call_method(tidegate::fuzz::kMethods, data, size);
  return 0;
}
