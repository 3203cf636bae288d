#include "serving-runtime/backends/onnx/onnx_environment.h"

namespace tidegate::serving {
namespace {

// ONNX Runtime counts threads with 0 as "one a core", as our options do; a graph that runs in order needs none of its
// own.
int inter_op_threads(const OnnxOptions& options) { return options.parallel() ? options.inter_op_threads : 1; }

}  // namespace

OnnxEnvironment::OnnxEnvironment(OnnxLibrary library)
    : library_(std::move(library)),
      env_(api().ReleaseEnv),
      session_options_(api().ReleaseSessionOptions),
      run_options_(api().ReleaseRunOptions),
      host_memory_(api().ReleaseMemoryInfo) {}

Failure OnnxEnvironment::open(OnnxLibrary library, const OnnxOptions& options,
                              std::unique_ptr<OnnxEnvironment>& environment) {
  std::unique_ptr<OnnxEnvironment> made(new OnnxEnvironment(std::move(library)));
  const OrtApi& api = made->api();
  if (Failure failure = made->make_env(options); !failure.ok()) return failure;
  if (Failure failure = made->make_session_options(options); !failure.ok()) return failure;
  TIDEGATE_ORT_TRY(made->library_, api.CreateRunOptions(made->run_options_.out()));
  // What goes wrong in a request is answered to its client; in the log, clients could fill the disk with it.
  TIDEGATE_ORT_TRY(made->library_,
                   api.RunOptionsSetRunLogSeverityLevel(made->run_options_.get(), ORT_LOGGING_LEVEL_FATAL));
  TIDEGATE_ORT_TRY(made->library_,
                   api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, made->host_memory_.out()));
  TIDEGATE_ORT_TRY(made->library_, api.GetAllocatorWithDefaultOptions(&made->allocator_));
  environment = std::move(made);
  return {};
}

// One pool of threads for all models: it does not grow with their number, nor while a new version is loaded. They do
// not spin, which would take the processor from the threads that answer requests.
Failure OnnxEnvironment::make_env(const OnnxOptions& options) {
  OrtOwned<OrtThreadingOptions> threads(api().ReleaseThreadingOptions);
  TIDEGATE_ORT_TRY(library_, api().CreateThreadingOptions(threads.out()));
  TIDEGATE_ORT_TRY(library_, api().SetGlobalIntraOpNumThreads(threads.get(), options.intra_op_threads));
  TIDEGATE_ORT_TRY(library_, api().SetGlobalInterOpNumThreads(threads.get(), inter_op_threads(options)));
  TIDEGATE_ORT_TRY(library_, api().SetGlobalSpinControl(threads.get(), 0));
  TIDEGATE_ORT_TRY(library_,
                   api().CreateEnvWithGlobalThreadPools(ORT_LOGGING_LEVEL_WARNING, "onnx", threads.get(), env_.out()));
  // For libraries that do not know the variable which onnx_library.cc sets.
  return library_.failure(api().DisableTelemetryEvents(env_.get()));
}

Failure OnnxEnvironment::make_session_options(const OnnxOptions& options) {
  TIDEGATE_ORT_TRY(library_, api().CreateSessionOptions(session_options_.out()));
  OrtSessionOptions* session = session_options_.get();
  TIDEGATE_ORT_TRY(library_, api().DisablePerSessionThreads(session));
  TIDEGATE_ORT_TRY(library_,
                   api().SetSessionExecutionMode(session, options.parallel() ? ORT_PARALLEL : ORT_SEQUENTIAL));
  TIDEGATE_ORT_TRY(library_, api().SetSessionGraphOptimizationLevel(
                                 session, static_cast<GraphOptimizationLevel>(options.graph_optimization)));
  // One plan of memory is kept for every shape that any client has ever sent. The model's arena stays: it is as fast
  // without them, a convolutional network on batches of 8 a fifth faster than on the heap, and goes with the model.
  TIDEGATE_ORT_TRY(library_, api().DisableMemPattern(session));
  return options.gpu ? use_gpu(options) : Failure{};
}

Failure OnnxEnvironment::use_gpu(const OnnxOptions& options) {
  OrtOwned<OrtCUDAProviderOptionsV2> cuda(api().ReleaseCUDAProviderOptions);
  Failure failure = library_.failure(api().CreateCUDAProviderOptions(cuda.out()));
  if (failure.ok()) {
    std::vector<const char*> keys, values;
    const auto pairs = cuda_provider_options(options);
    for (const auto& [key, value] : pairs) keys.push_back(key.c_str()), values.push_back(value.c_str());
    failure = library_.failure(api().UpdateCUDAProviderOptions(cuda.get(), keys.data(), values.data(), keys.size()));
  }
  if (failure.ok()) {
    failure = library_.failure(api().SessionOptionsAppendExecutionProvider_CUDA_V2(session_options_.get(), cuda.get()));
  }
  if (failure.ok()) return {};
  return {kFailedPrecondition,
          "GPU " + std::to_string(*options.gpu) + " is asked for, but ONNX Runtime " + library_.version +
              " here cannot use it: " + failure.message +
              "; use a build with the CUDA provider (onnxruntime-gpu) or leave out --visible-gpus"};
}

}  // namespace tidegate::serving
