#include "serving-runtime/backends/onnx/onnx_options.h"

#include <charconv>
#include <limits>

namespace tidegate::serving {
namespace {

// What a value has to be, when it is not.
using Complaint = std::string;

template <class Number>
Complaint read_number(const std::string& text, Number smallest, Number& number) {
  Number parsed{};
  auto end = text.data() + text.size();
  auto result = std::from_chars(text.data(), end, parsed);
  if (result.ec != std::errc() || result.ptr != end || parsed < smallest) {
    return "a whole number from " + std::to_string(smallest) + " to " +
           std::to_string(std::numeric_limits<Number>::max());
  }
  number = parsed;
  return {};
}

Complaint read_optimization(const std::string& text, GraphOptimization& level) {
  if (text == "none") {
    level = GraphOptimization::kNone;
  } else if (text == "basic") {
    level = GraphOptimization::kBasic;
  } else if (text == "extended") {
    level = GraphOptimization::kExtended;
  } else if (text == "all") {
    level = GraphOptimization::kAll;
  } else {
    return "none, basic, extended or all";
  }
  return {};
}

Complaint read_gpu(const std::string& text, std::optional<int>& gpu) {
  gpu.reset();
  if (text.empty()) return {};
  int number = 0;
  if (!read_number(text, 0, number).empty()) return "the number of one GPU, which runs the whole model, or empty";
  gpu = number;
  return {};
}

}  // namespace

Failure apply_option(const std::string& key, const std::string& value, OnnxOptions& options) {
  Complaint complaint;
  if (key == "library_dir") {
    options.library_dir = value;
  } else if (key == "intra_op_threads") {
    complaint = read_number(value, 0, options.intra_op_threads);
  } else if (key == "inter_op_threads") {
    complaint = read_number(value, -1, options.inter_op_threads);
  } else if (key == "graph_optimization") {
    complaint = read_optimization(value, options.graph_optimization);
  } else if (key == "visible_gpus") {
    complaint = read_gpu(value, options.gpu);
  } else if (key == "gpu_memory_limit") {
    complaint = read_number(value, uint64_t{0}, options.gpu_memory_limit);
  } else {
    return {kInvalidArgument, "the onnx backend has no option '" + key + "'"};
  }
  if (complaint.empty()) return {};
  return {kInvalidArgument, "option " + key + " of the onnx backend is '" + value + "' and has to be " + complaint};
}

std::vector<std::pair<std::string, std::string>> cuda_provider_options(const OnnxOptions& options) {
  std::vector<std::pair<std::string, std::string>> pairs = {
      {"device_id", std::to_string(options.gpu.value())},
      // Taken as needed: doubling would take half of the limit for nothing.
      {"arena_extend_strategy", "kSameAsRequested"}};
  if (options.gpu_memory_limit > 0) pairs.emplace_back("gpu_mem_limit", std::to_string(options.gpu_memory_limit));
  return pairs;
}

}  // namespace tidegate::serving
