#pragma once
// The bytes of a tensorflow.ConfigProto, written by hand: we set few fields, and the backend carries no protobuf.
// Field numbers: tensorflow/core/protobuf/config.proto.
#include <cstdint>
#include <string>

namespace tidegate::serving {

struct SessionConfig {
  // Threads inside one operation. 1 keeps small models off other cores; 0 lets TensorFlow take all.
  int32_t intra_op_threads = 1;
  // Operations that run at once. -1 runs the graph in the calling thread, which costs a small model a fifth of a hop
  // through TensorFlow's pool.
  int32_t inter_op_threads = -1;
  // Clusters of operations are compiled, for each shape that they meet.
  bool xla = false;
  // GPU: take memory as needed instead of all at the start; the share of it that may be taken (0: no limit); which
  // devices ("0,1"; empty: all).
  bool gpu_allow_growth = true;
  double gpu_memory_fraction = 0;
  std::string visible_gpus;
};

std::string serialize(const SessionConfig& config);

}  // namespace tidegate::serving
