#include "serving-runtime/backends/tensorflow/session_config.h"

#include <cstring>

namespace tidegate::serving {
namespace {

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void put_tag(std::string& out, uint32_t field, uint32_t wire_type) { put_varint(out, field << 3 | wire_type); }

// Negative numbers are ten bytes: int32 is sign-extended on the wire.
void put_number(std::string& out, uint32_t field, int64_t value) {
  put_tag(out, field, 0);
  put_varint(out, static_cast<uint64_t>(value));
}

void put_bytes(std::string& out, uint32_t field, const std::string& bytes) {
  put_tag(out, field, 2);
  put_varint(out, bytes.size());
  out += bytes;
}

void put_double(std::string& out, uint32_t field, double value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  put_tag(out, field, 1);
  out.append(raw, sizeof raw);
}

}  // namespace

// ConfigProto: intra_op_parallelism_threads = 2, inter_op_parallelism_threads = 5, gpu_options = 6,
// allow_soft_placement = 7, graph_options = 10. GraphOptions: optimizer_options = 3. OptimizerOptions:
// global_jit_level = 5 (ON_1 = 1). GPUOptions: per_process_gpu_memory_fraction = 1, allow_growth = 4,
// visible_device_list = 5.
std::string serialize(const SessionConfig& config) {
  std::string gpu;
  if (config.gpu_memory_fraction > 0) put_double(gpu, 1, config.gpu_memory_fraction);
  if (config.gpu_allow_growth) put_number(gpu, 4, 1);
  if (!config.visible_gpus.empty()) put_bytes(gpu, 5, config.visible_gpus);
  std::string out;
  put_number(out, 2, config.intra_op_threads);
  put_number(out, 5, config.inter_op_threads);
  put_bytes(out, 6, gpu);
  put_number(out, 7, 1);
  if (config.xla) {
    std::string optimizer, graph;
    put_number(optimizer, 5, 1);
    put_bytes(graph, 3, optimizer);
    put_bytes(out, 10, graph);
  }
  return out;
}

}  // namespace tidegate::serving
