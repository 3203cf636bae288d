#include "serving-runtime/backends/litert/litert_run.h"

#include <algorithm>
#include <cstring>

namespace tidegate::serving::litert {
namespace {

std::string type_name(model::DataType type) { return std::string(model::tensorflow_name(type)); }

bool fits(const std::vector<int64_t>& expected, const TidegateTensor& tensor) {
  return std::equal(expected.begin(), expected.end(), tensor.dims, tensor.dims + tensor.rank,
                    [](int64_t size, int64_t given) { return size < 0 || size == given; });
}

Dims dims_of(const TidegateTensor& tensor) { return Dims(tensor.dims, tensor.dims + tensor.rank); }

// Of an output: behind the scratch memory of the inputs.
size_t output_scratch(const SignaturePlan& plan, size_t block) { return plan.inputs.size() + block; }

}  // namespace

Failure LitertRun::check_inputs() const {
  for (size_t i = 0; i < plan_.inputs.size(); ++i) {
    if (Failure failure = check_input(plan_.inputs[i], inputs_[i]); !failure.ok()) return failure;
  }
  return {};
}

Failure LitertRun::check_input(const Port& port, const TidegateTensor& tensor) const {
  std::string words = "input '" + port.name + "' of signature " + plan_.name;
  auto type = static_cast<model::DataType>(tensor.dtype);
  if (type != port.client_type()) {
    return {kInvalidArgument, words + " is " + type_name(type) + "; the model takes " + type_name(port.client_type())};
  }
  std::vector<int64_t> given(tensor.dims, tensor.dims + tensor.rank);
  if (!fits(port.shape, tensor)) {
    return {kInvalidArgument, words + " has shape " + dims_text(given) + "; the model takes " + dims_text(port.shape)};
  }
  if (std::any_of(given.begin(), given.end(), [](int64_t size) { return size <= 0 || size > INT32_MAX; })) {
    return {kInvalidArgument, words + " has shape " + dims_text(given) + "; LiteRT takes sizes from 1 to 2147483647"};
  }
  if (bytes_of(dims_of(tensor), model::size_of(type)) != tensor.bytes) {
    return {kInvalidArgument, words + " has " + std::to_string(tensor.bytes) + " bytes, which is not its shape's"};
  }
  return {};
}

std::vector<Dims> LitertRun::shapes() const {
  std::vector<Dims> shapes;
  shapes.reserve(plan_.input_of_position.size());
  for (size_t input : plan_.input_of_position) shapes.push_back(dims_of(inputs_[input]));
  return shapes;
}

Failure LitertRun::run(Instance& instance, size_t signature, const std::vector<Dims>& shapes) {
  for (size_t input : plan_.input_of_position) in_.push_back(input_block(instance, input));
  if (Failure failure = prepare_outputs(instance, shapes); !failure.ok()) return failure;
  return instance.run(signature, in_, out_);
}

// Where LiteRT can read a client's numbers as they are, they are not copied.
Block LitertRun::input_block(Instance& instance, size_t input) const {
  const Port& port = plan_.inputs[input];
  const TidegateTensor& tensor = inputs_[input];
  Block block{port.element_type, dims_of(tensor), tensor.data, tensor.bytes, false};
  if (port.quantization) {
    size_t count = tensor.bytes / sizeof(float);
    block.bytes = count * model::size_of(port.type);
    block.data = instance.scratch(input).reserve(block.bytes);
    quantize(static_cast<const float*>(tensor.data), count, *port.quantization, port.type, block.data);
  } else if (!is_readable_in_place(tensor.data, tensor.bytes)) {
    block.data = instance.scratch(input).reserve(block.bytes);
    std::memcpy(block.data, tensor.data, block.bytes);
  }
  return block;
}

// Clients get the memory that LiteRT writes to, except integers that become floats first.
Failure LitertRun::prepare_outputs(Instance& instance, const std::vector<Dims>& shapes) {
  memory_.resize(plan_.blocks.size());
  for (size_t position = 0; position < plan_.block_of_position.size(); ++position) {
    size_t number = plan_.block_of_position[position];
    const Port& port = plan_.blocks[number];
    auto bytes = bytes_of(shapes[position], model::size_of(port.type));
    if (!bytes) return {kInvalidArgument, "output '" + port.name + "' would have more elements than any tensor"};
    Block block{port.element_type, shapes[position], nullptr, *bytes, false};
    if (int input = plan_.input_of_block[number]; input >= 0) {
      auto at = std::find(plan_.input_of_position.begin(), plan_.input_of_position.end(), static_cast<size_t>(input));
      block.data = in_[static_cast<size_t>(at - plan_.input_of_position.begin())].data;
      block.is_input = true;
    } else {
      AlignedMemory& memory = port.quantization ? instance.scratch(output_scratch(plan_, number)) : memory_[number];
      block.data = memory.reserve(*bytes);
    }
    out_.push_back(std::move(block));
  }
  return {};
}

Failure LitertRun::take_outputs(std::span<const uint64_t> wanted, TidegateTensor* outputs) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    size_t block = plan_.block_of_output[wanted[i]];
    bool used_later = std::any_of(wanted.begin() + static_cast<std::ptrdiff_t>(i) + 1, wanted.end(),
                                  [&](uint64_t later) { return plan_.block_of_output[later] == block; });
    Failure failure = take_output(wanted[i], !used_later, outputs[i]);
    if (failure.ok()) continue;
    while (i-- > 0) release(outputs[i]);
    return failure;
  }
  return {};
}

Failure LitertRun::take_output(size_t output, bool is_last_use, TidegateTensor& taken) {
  const Port& port = plan_.outputs[output];
  size_t number = plan_.block_of_output[output];
  auto position = std::find(plan_.block_of_position.begin(), plan_.block_of_position.end(), number);
  const Block& block = out_[static_cast<size_t>(position - plan_.block_of_position.begin())];
  auto bytes = bytes_of(block.dims, model::size_of(port.type));
  if (!bytes || *bytes > block.bytes) {
    return {kUnimplemented, "output '" + port.name + "' became larger than LiteRT said before the run"};
  }
  size_t count = *bytes / model::size_of(port.type);
  AlignedMemory memory;
  if (port.quantization) {
    auto* floats = static_cast<float*>(memory.reserve(count * sizeof(float)));
    dequantize(block.data, count, *port.quantization, port.type, floats);
  } else if (is_last_use && !block.is_input) {
    memory = std::move(memory_[number]);
  } else {
    std::memcpy(memory.reserve(*bytes), block.data, *bytes);
  }
  taken = to_host(port.client_type(), block.dims, std::move(memory));
  return {};
}

}  // namespace tidegate::serving::litert
