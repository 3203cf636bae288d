#include "serving-runtime/repository/recorded_requests.h"

#include <cstring>
#include <fstream>
#include <iterator>

#include "base/status.h"
#include "serving-runtime/api/tfs/grpc_messages.h"

namespace tidegate::serving {
namespace {

constexpr size_t kMostRequests = 1000;
constexpr size_t kHeaderBytes = 12;  // length and its checksum
constexpr size_t kFooterBytes = 4;   // the data's checksum; a damaged message does not parse, so it is not looked at

absl::StatusOr<RecordedRequest> parse(std::string_view record) {
  tensorflow::serving::PredictionLog log;
  if (!log.ParseFromArray(record.data(), static_cast<int>(record.size()))) {
    return absl::DataLossError("is no PredictionLog");
  }
  if (!log.has_predict_log()) return absl::UnimplementedError("is not a predict request; only these are replayed");
  const auto& request = log.predict_log().request();
  RecordedRequest recorded{request.model_spec().signature_name(), {}};
  TG_ASSIGN_OR_RETURN(recorded.inputs, tfs::decode_inputs(request));
  return recorded;
}

}  // namespace

absl::StatusOr<std::vector<RecordedRequest>> read_recorded_requests(const std::string& folder) {
  std::string path = folder + "/assets.extra/tf_serving_warmup_requests";
  std::ifstream file(path, std::ios::binary);
  std::vector<RecordedRequest> requests;
  if (!file) return requests;
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::string_view rest = bytes;
  while (!rest.empty() && requests.size() < kMostRequests) {
    uint64_t size = 0;
    if (rest.size() >= kHeaderBytes) std::memcpy(&size, rest.data(), sizeof size);
    if (rest.size() < kHeaderBytes + kFooterBytes || size > rest.size() - kHeaderBytes - kFooterBytes) {
      return absl::DataLossError(base::cat(path, " is cut short after ", requests.size(), " requests"));
    }
    auto request = parse(rest.substr(kHeaderBytes, size));
    if (!request.ok()) return base::annotate(request.status(), base::cat(path, ": record ", requests.size()));
    requests.push_back(*std::move(request));
    rest.remove_prefix(kHeaderBytes + size + kFooterBytes);
  }
  return requests;
}

}  // namespace tidegate::serving
