// grpc_echo PORT: what a gRPC server on a completion queue costs that does nothing: one thread, one method. Reads a
// ModelInfer request as a message and answers with a fixed one. bench/runtime/measure starts it; its cost is the floor
// of our gRPC port, which is on completion queues too.
#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "open_inference.grpc.pb.h"

namespace {

using Service = inference::GRPCInferenceService::AsyncService;

constexpr int kWaitingCalls = 64;

struct Call {
  grpc::ServerContext context;
  inference::ModelInferRequest request;
  inference::ModelInferResponse response;
  grpc::ServerAsyncResponseWriter<inference::ModelInferResponse> writer{&context};
  bool answered = false;
};

void listen(Service& service, grpc::ServerCompletionQueue& queue) {
  auto* call = new Call;  // the queue's from here on
  service.RequestModelInfer(&call->context, &call->request, &call->writer, &queue, &queue, call);
}

void answer(Call& call) {
  call.response.set_model_name(call.request.model_name());
  call.response.set_model_version("1");
  auto* output = call.response.add_outputs();
  output->set_name("y");
  output->set_datatype("FP32");
  output->add_shape(3);
  call.response.add_raw_output_contents(std::string(3 * sizeof(float), '\0'));
  call.answered = true;
  call.writer.Finish(call.response, grpc::Status::OK, &call);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // as tidegate-runtime does
  Service service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(std::string("127.0.0.1:") + argv[1], grpc::InsecureServerCredentials());
  builder.SetMaxReceiveMessageSize(64 << 20);
  builder.RegisterService(&service);
  const auto queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (!server) return 1;
  for (int i = 0; i < kWaitingCalls; ++i) listen(service, *queue);
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) {
    std::unique_ptr<Call> call(static_cast<Call*>(tag));
    if (!ok || call->answered) continue;
    listen(service, *queue);
    answer(*call.release());
  }
}
