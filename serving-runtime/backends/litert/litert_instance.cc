#include "serving-runtime/backends/litert/litert_instance.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace tidegate::serving::litert {
namespace {

constexpr const char* kDynamicOutput =
    "LiteRT returns no output whose size is only known after the run (a dynamic tensor)";
// In what TFLite reports when it does not take a block for a tensor, because the tensor is dynamic.
constexpr const char* kRefusedBlock = "allocation_type == kTfLiteCustom";

// One creation at a time: it changes objects that all models share.
std::mutex creation;

class Options {
 public:
  explicit Options(const LitertLibrary& library) : library_(library) {}
  ~Options() {
    if (options_) library_.LiteRtDestroyOptions(options_);
  }
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  LiteRtStatus make(int threads, bool xnnpack) {
    LiteRtStatus status = library_.LiteRtCreateOptions(&options_);
    if (!status) status = library_.LiteRtSetOptionsHardwareAccelerators(options_, kLiteRtHwAcceleratorCpu);
    std::string cpu = "num_threads = " + std::to_string(threads) + "\n";
    if (!xnnpack) cpu += "kernel_mode = \"builtin\"\n";
    if (!status) status = add("xnnpack", cpu);
    if (!status) status = add("runtime_options_string", "error_reporter_mode = 2\n");  // kept for GetErrorMessages
    return status;
  }
  LiteRtOptions get() const { return options_; }

 private:
  LiteRtStatus add(const char* identifier, const std::string& settings) {
    LiteRtOpaqueOptions opaque = nullptr;
    LiteRtStatus status = library_.LiteRtCreateOpaqueOptions(identifier, strdup(settings.c_str()), std::free, &opaque);
    return status ? status : library_.LiteRtAddOpaqueOptions(options_, opaque);
  }

  const LitertLibrary& library_;
  LiteRtOptions options_ = nullptr;
};

// LiteRT's handles on blocks, for the time of a run.
class Buffers {
 public:
  explicit Buffers(const LitertLibrary& library) : library_(library) {}
  ~Buffers() {
    for (LiteRtTensorBuffer buffer : buffers_) library_.LiteRtDestroyTensorBuffer(buffer);
  }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  LiteRtStatus add(const Block& block) {
    LiteRtRankedTensorType type{};
    type.element_type = block.element_type;
    type.layout.rank = static_cast<unsigned>(block.dims.size());
    std::copy(block.dims.begin(), block.dims.end(), type.layout.dimensions);
    LiteRtTensorBuffer buffer = nullptr;
    LiteRtStatus status =
        library_.LiteRtCreateTensorBufferFromHostMemory(&type, block.data, block.bytes, nullptr, &buffer);
    if (!status) buffers_.push_back(buffer);
    return status;
  }
  size_t size() const { return buffers_.size(); }
  LiteRtTensorBuffer* data() { return buffers_.data(); }

 private:
  const LitertLibrary& library_;
  std::vector<LiteRtTensorBuffer> buffers_;
};

// Whether nothing was written to the block after it was filled.
bool is_untouched(const Block& block, char canary) {
  auto* bytes = static_cast<const char*>(block.data);
  return !block.is_input && block.bytes > 0 &&
         std::all_of(bytes, bytes + block.bytes, [canary](char byte) { return byte == canary; });
}

}  // namespace

Failure Instance::create(const LitertLibrary& library, LiteRtModel model, int threads, bool xnnpack,
                         std::unique_ptr<Instance>& instance) {
  std::unique_ptr<Instance> made(new Instance(library));  // ended without the lock, which its end takes
  std::lock_guard lock(creation);
  Options options(library);
  LiteRtStatus status = options.make(threads, xnnpack);
  if (!status) {
    status = library.LiteRtCreateCompiledModel(library.environment, model, options.get(), &made->compiled_);
  }
  if (status) return failure_of(status, "LiteRT cannot make an interpreter of it");
  instance = std::move(made);
  return {};
}

Instance::~Instance() {
  std::lock_guard lock(creation);
  if (compiled_) library_.LiteRtDestroyCompiledModel(compiled_);
}

Failure Instance::plan(size_t signature, const std::vector<Dims>& inputs, size_t count, std::vector<Dims>& outputs) {
  if (Failure failure = resize(signature, inputs); !failure.ok()) return failure;
  return layouts(signature, count, true, outputs);
}

// A shape that stays as it is passes, also of an input that cannot change it. Scalars cannot.
Failure Instance::resize(size_t signature, const std::vector<Dims>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].empty()) continue;
    LiteRtStatus status =
        library_.LiteRtCompiledModelResizeInputTensor(compiled_, signature, i, inputs[i].data(), inputs[i].size());
    if (status) return explain(status, "the model cannot take inputs of these shapes");
  }
  return {};
}

Failure Instance::layouts(size_t signature, size_t count, bool update, std::vector<Dims>& outputs) {
  std::vector<LiteRtLayout> found(count);
  LiteRtStatus status =
      library_.LiteRtGetCompiledModelOutputTensorLayouts(compiled_, signature, count, found.data(), update);
  if (status) return explain(status, "the model cannot take inputs of these shapes");
  outputs.clear();
  for (const LiteRtLayout& layout : found) {
    if (layout.rank > kLiteRtMaxRank) {
      return {kUnimplemented, "an output has more than " + std::to_string(kLiteRtMaxRank) + " dimensions"};
    }
    outputs.emplace_back(layout.dimensions, layout.dimensions + layout.rank);
  }
  return {};
}

Failure Instance::run(size_t signature, const std::vector<Block>& inputs, std::vector<Block>& outputs) {
  if (!proved_.contains(signature)) return prove(signature, inputs, outputs);
  return run_once(signature, inputs, outputs);
}

Failure Instance::run_once(size_t signature, const std::vector<Block>& inputs, std::vector<Block>& outputs) {
  Buffers in(library_), out(library_);
  LiteRtStatus status = 0;
  for (size_t i = 0; i < inputs.size() && !status; ++i) status = in.add(inputs[i]);
  for (size_t i = 0; i < outputs.size() && !status; ++i) status = out.add(outputs[i]);
  if (status) return explain(status, "LiteRT does not take a tensor's memory");
  status = library_.LiteRtRunCompiledModel(compiled_, signature, in.size(), in.data(), out.size(), out.data());
  if (status) return explain(status, "the run failed");
  std::vector<Dims> actual;
  if (Failure failure = layouts(signature, outputs.size(), false, actual); !failure.ok()) return failure;
  for (size_t i = 0; i < outputs.size(); ++i) outputs[i].dims = std::move(actual[i]);
  return {};
}

// An interpreter that was not planned takes the block of a dynamic tensor in its first run and leaves it as it is. So
// the first run of a signature shows that every output arrives: a pattern, and if that is what the output looks like
// afterwards, another pattern, must be overwritten.
Failure Instance::prove(size_t signature, const std::vector<Block>& inputs, std::vector<Block>& outputs) {
  const std::vector<Block> planned = outputs;
  for (char canary : {'\xa5', '\x5a'}) {
    outputs = planned;
    for (Block& block : outputs) {
      if (!block.is_input) std::memset(block.data, canary, block.bytes);
    }
    if (Failure failure = run_once(signature, inputs, outputs); !failure.ok()) return failure;
    if (std::none_of(planned.begin(), planned.end(), [&](const Block& block) { return is_untouched(block, canary); })) {
      proved_.insert(signature);
      return {};
    }
  }
  return {kUnimplemented, kDynamicOutput};
}

AlignedMemory& Instance::scratch(size_t number) {
  while (scratch_.size() <= number) scratch_.push_back(std::make_unique<AlignedMemory>());
  return *scratch_[number];
}

Failure Instance::explain(LiteRtStatus status, const std::string& what) {
  std::string messages = take_messages();
  if (messages.find(kRefusedBlock) != std::string::npos) return {kUnimplemented, kDynamicOutput};
  Failure explained = failure_of(status, what);
  if (!messages.empty()) explained.message += ": " + messages;
  return explained;
}

std::string Instance::take_messages() {
  char* text = nullptr;
  if (library_.LiteRtCompiledModelGetErrorMessages(compiled_, &text) || !text) return {};
  std::string messages = text;
  std::free(text);
  if (messages.empty()) return messages;
  library_.LiteRtCompiledModelClearErrors(compiled_);
  while (!messages.empty() && messages.back() == '\n') messages.pop_back();
  std::replace(messages.begin(), messages.end(), '\n', ' ');
  return messages;
}

}  // namespace tidegate::serving::litert
