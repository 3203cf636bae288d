#include "serving-runtime/core/request_record.h"

namespace tidegate::serving {
namespace {

// What a tensor takes: of one without elements, which may claim any number of empty rows, about what it takes as text.
uint64_t bytes_of(const Tensor& tensor) {
  if (tensor.raw_bytes() > 0) return memory_of(tensor);
  constexpr uint64_t kMost = uint64_t{1} << 60;
  uint64_t rows = 3;  // "[],"
  for (const int64_t size : tensor.shape()) {
    if (size == 0) break;
    rows = rows > kMost / static_cast<uint64_t>(size) ? kMost : rows * static_cast<uint64_t>(size);
  }
  return rows;
}

}  // namespace

// Counts them, and forgets all payload when it becomes too much: a part of a request cannot be run again.
bool RequestRecord::has_room_for(const std::vector<NamedTensor>& tensors) {
  if (payload != Payload::kKept) return false;
  for (auto tensor = tensors.begin(); payload_bytes <= max_payload_bytes && tensor != tensors.end(); ++tensor) {
    payload_bytes += bytes_of(tensor->tensor);
  }
  if (payload_bytes <= max_payload_bytes) return true;
  payload = Payload::kTooLarge;
  payload_bytes = 0;
  for (RunRecord& run : runs) run = {std::move(run.signature), {}, {}};
  return false;
}

void RequestRecord::note_inputs(const std::string& signature, const std::vector<NamedTensor>& inputs) {
  runs.push_back({signature, {}, {}});
  if (has_room_for(inputs)) runs.back().inputs = copy_of(inputs);
}

void RequestRecord::note_outputs(const std::vector<NamedTensor>& outputs) {
  if (has_room_for(outputs)) runs.back().outputs = copy_of(outputs);
}

}  // namespace tidegate::serving
