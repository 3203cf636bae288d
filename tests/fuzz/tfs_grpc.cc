// TensorFlow Serving's gRPC requests, from the bytes on the wire, through the model that echoes. The first byte says
// which method is called.
#include "fuzz/echo_model.h"
#include "fuzz/tensor_checks.h"
#include "serving-runtime/api/tfs/example_messages.h"
#include "serving-runtime/api/tfs/grpc_messages.h"
#include "serving-runtime/api/tfs/tensor_proto.h"
#include "serving-runtime/repository/server_config.h"

namespace tidegate::fuzz {
namespace {

namespace tfs = serving::tfs;
namespace pb = tensorflow::serving;

base::ManualClock& any_clock() {
  static base::ManualClock clock;
  return clock;
}

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

template <class Request, class Response>
void predict(std::string_view bytes,
             absl::Status (*run)(const serving::ServableFinder&, const Request&, Response&, serving::Inference&),
             void (*check)(const Request&, const Response&)) {
  Request request;
  Response response;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  serving::Inference inference(any_clock(), {});
  absl::Status result = run(echo_table(), request, response, inference);
  require(!serving::is_model_error(result), "nothing that is sent counts against the model");
  if (!result.ok()) return require_client_error(result);
  check(request, response);
}

template <class Request, class Response>
void ask(std::string_view bytes, absl::Status (*question)(const serving::ServableTable&, const Request&, Response&)) {
  Request request;
  Response response;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  absl::Status result = question(echo_table(), request, response);
  if (!result.ok()) require_client_error(result);
}

void reload(std::string_view bytes) {
  pb::ReloadConfigRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  if (absl::Status usable = tfs::check_reload(request); !usable.ok()) return require_client_error(usable);
  auto models = serving::to_model_configs(request.config(), {.warm_up = true, .request_log = true});
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

}  // namespace
}  // namespace tidegate::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate::fuzz;
  if (size == 0) return 0;
  std::string_view bytes = as_text(data + 1, size - 1);
  switch (data[0] % 7) {
    case 0:
      return predict(bytes, tfs::predict, require_echo), 0;
    case 1:
      return predict(bytes, tfs::classify, check_classes), 0;
    case 2:
      return predict(bytes, tfs::regress, check_values), 0;
    case 3:
      return predict(bytes, tfs::multi_inference, check_tasks), 0;
    case 4:
      return ask(bytes, tfs::get_model_metadata), 0;
    case 5:
      return ask(bytes, tfs::get_model_status), 0;
    default:
      return reload(bytes), 0;
  }
}
