#pragma once
// ONNX Runtime as this process uses it: its threads, its log, and the options under which every model is loaded and
// run. One for the process; models refer to it.
#include <memory>

#include "serving-runtime/backends/onnx/onnx_library.h"
#include "serving-runtime/backends/onnx/onnx_options.h"

namespace tidegate::serving {

class OnnxEnvironment {
 public:
  // FAILED_PRECONDITION when a GPU is asked for and the library has no CUDA provider or cannot use it.
  static Failure open(OnnxLibrary library, const OnnxOptions& options, std::unique_ptr<OnnxEnvironment>& environment);

  const OnnxLibrary& library() const { return library_; }
  const OrtApi& api() const { return *library_.api; }
  const OrtEnv* env() const { return env_.get(); }
  const OrtSessionOptions* session_options() const { return session_options_.get(); }
  const OrtRunOptions* run_options() const { return run_options_.get(); }
  // Describes tensors whose memory is the host's.
  const OrtMemoryInfo* host_memory() const { return host_memory_.get(); }
  OrtAllocator* allocator() const { return allocator_; }

 private:
  explicit OnnxEnvironment(OnnxLibrary library);
  Failure make_env(const OnnxOptions& options);
  Failure make_session_options(const OnnxOptions& options);
  Failure use_gpu(const OnnxOptions& options);

  OnnxLibrary library_;
  OrtOwned<OrtEnv> env_;
  OrtOwned<OrtSessionOptions> session_options_;
  OrtOwned<OrtRunOptions> run_options_;
  OrtOwned<OrtMemoryInfo> host_memory_;
  OrtAllocator* allocator_ = nullptr;  // the library's own
};

}  // namespace tidegate::serving
