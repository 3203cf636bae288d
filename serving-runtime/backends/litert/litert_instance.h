#pragma once
// One interpreter of a model ("compiled model"): its own memory between operators and its own packed weights. One run
// at a time.
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "serving-runtime/backends/litert/litert_library.h"
#include "serving-runtime/backends/litert/litert_tensor.h"

namespace tidegate::serving::litert {

// Elements in memory, aligned to 64 bytes.
struct Block {
  int32_t element_type = 0;  // LiteRT's number
  Dims dims;
  void* data = nullptr;
  size_t bytes = 0;
  bool is_input = false;  // of an output that is an input handed through: nothing is written to it
};

class Instance {
 public:
  // Slow: weights are packed. Any thread, one after another.
  static Failure create(const LitertLibrary& library, LiteRtModel model, int threads, bool xnnpack,
                        std::unique_ptr<Instance>& instance);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // The shapes of `count` outputs for inputs of these shapes, both in the subgraph's order. Only of an instance that
  // has not run: LiteRT refuses to plan anew while it remembers the buffers of a run.
  Failure plan(size_t signature, const std::vector<Dims>& inputs, size_t count, std::vector<Dims>& outputs);

  // Runs a signature; blocks in the subgraph's order, the same number for each run of a signature. Outputs' dims become
  // what they turned out to be; an output that turns out larger than its block is an error.
  Failure run(size_t signature, const std::vector<Block>& inputs, std::vector<Block>& outputs);

  // For integers that stand for a client's floats, by number of the end; kept from run to run.
  AlignedMemory& scratch(size_t number);

 private:
  explicit Instance(const LitertLibrary& library) : library_(library) {}
  Failure resize(size_t signature, const std::vector<Dims>& inputs);
  Failure layouts(size_t signature, size_t count, bool update, std::vector<Dims>& outputs);
  Failure run_once(size_t signature, const std::vector<Block>& inputs, std::vector<Block>& outputs);
  Failure prove(size_t signature, const std::vector<Block>& inputs, std::vector<Block>& outputs);
  // The status with what TFLite reported of it.
  Failure explain(LiteRtStatus status, const std::string& what);
  std::string take_messages();

  const LitertLibrary& library_;
  LiteRtCompiledModel compiled_ = nullptr;
  std::set<size_t> proved_;  // signatures whose outputs arrived in their blocks
  std::vector<std::unique_ptr<AlignedMemory>> scratch_;
};

}  // namespace tidegate::serving::litert
