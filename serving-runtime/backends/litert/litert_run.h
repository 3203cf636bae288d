#pragma once
// One request on its way through LiteRT: inputs checked and brought into LiteRT's form, outputs brought back into the
// client's. Lives for one call of LitertModel::run.
#include <span>
#include <vector>

#include "serving-runtime/backends/litert/litert_instance.h"
#include "serving-runtime/backends/litert/output_shapes.h"
#include "serving-runtime/backends/litert/signature_plan.h"
#include "serving-runtime/core/backend_abi.h"

namespace tidegate::serving::litert {

class LitertRun {
 public:
  // `inputs`: one for each of the plan's, in its order.
  LitertRun(const SignaturePlan& plan, std::span<const TidegateTensor> inputs) : plan_(plan), inputs_(inputs) {}

  // INVALID_ARGUMENT, with the input named, when one does not fit the signature.
  Failure check_inputs() const;
  // The inputs' shapes in the subgraph's order; after check_inputs().
  std::vector<Dims> shapes() const;
  // `shapes`: of the outputs, in the subgraph's order.
  Failure run(Instance& instance, size_t signature, const std::vector<Dims>& shapes);
  // The outputs that `wanted` numbers, for the host; while nobody else runs on that instance.
  Failure take_outputs(std::span<const uint64_t> wanted, TidegateTensor* outputs);

 private:
  Failure check_input(const Port& port, const TidegateTensor& tensor) const;
  Block input_block(Instance& instance, size_t input) const;
  Failure prepare_outputs(Instance& instance, const std::vector<Dims>& shapes);
  Failure take_output(size_t output, bool is_last_use, TidegateTensor& taken);

  const SignaturePlan& plan_;
  const std::span<const TidegateTensor> inputs_;
  std::vector<Block> in_;
  std::vector<Block> out_;             // by position in the subgraph
  std::vector<AlignedMemory> memory_;  // of the plan's blocks that clients get as they are
};

}  // namespace tidegate::serving::litert
