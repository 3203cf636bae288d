// The file of recorded requests that a version is warmed up with.
#include "fuzz/tensor_checks.h"
#include "serving-runtime/repository/recorded_requests.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate;
  auto requests = serving::parse_recorded_requests(fuzz::as_text(data, size), "file");
  if (!requests.ok()) {
    fuzz::require(requests.status().message().find("file") != absl::string_view::npos, "an error names the file");
    return 0;
  }
  for (const serving::RecordedRequest& request : *requests) {
    for (const serving::NamedTensor& input : request.inputs) fuzz::require_whole(input.tensor);
  }
  return 0;
}
