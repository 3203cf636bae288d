#include "serving-runtime/core/request_record.h"

namespace tidegate::serving {

// Counts them, and forgets all payload when it becomes too much: a part of a request cannot be run again.
bool RequestRecord::has_room_for(const std::vector<NamedTensor>& tensors) {
  if (payload != Payload::kKept) return false;
  for (const NamedTensor& tensor : tensors) payload_bytes += memory_of(tensor.tensor);
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
