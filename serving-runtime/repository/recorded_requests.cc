#include "serving-runtime/repository/recorded_requests.h"

#include <cstring>

#include "base/files.h"
#include "base/status.h"
#include "serving-runtime/api/tfs/example_messages.h"
#include "serving-runtime/api/tfs/example_signature.h"
#include "serving-runtime/api/tfs/grpc_messages.h"

namespace tidegate::serving {
namespace {

constexpr size_t kMostRecords = 1000;
constexpr size_t kHeaderBytes = 12;  // length and its checksum
constexpr size_t kFooterBytes = 4;   // the data's checksum; a damaged message does not parse, so it is not looked at

absl::StatusOr<RecordedRequest> from_examples(const std::string& signature_name,
                                              const tensorflow::serving::Input& input,
                                              tfs::RepeatAllowance& allowance) {
  RecordedRequest recorded{signature_name, {}};
  TG_ASSIGN_OR_RETURN(Tensor examples, tfs::decode_examples(input, allowance));
  recorded.inputs.push_back({std::string(tfs::kExamplesInput), std::move(examples)});
  return recorded;
}

absl::StatusOr<RecordedRequest> from_tensors(const tensorflow::serving::PredictRequest& request,
                                             tfs::RepeatAllowance& allowance) {
  RecordedRequest recorded{request.model_spec().signature_name(), {}};
  TG_ASSIGN_OR_RETURN(recorded.inputs, tfs::decode_inputs(request, allowance));
  return recorded;
}

// Adds what one record asks for: a multi-inference is one request for each task.
absl::Status parse(std::string_view record, tfs::RepeatAllowance& allowance, std::vector<RecordedRequest>& requests) {
  tensorflow::serving::PredictionLog log;
  if (!log.ParseFromArray(record.data(), static_cast<int>(record.size()))) {
    return absl::DataLossError("is no PredictionLog");
  }
  auto add = [&](absl::StatusOr<RecordedRequest> request) {
    if (request.ok()) requests.push_back(*std::move(request));
    return request.status();
  };
  switch (log.log_type_case()) {
    case tensorflow::serving::PredictionLog::kPredictLog:
      return add(from_tensors(log.predict_log().request(), allowance));
    case tensorflow::serving::PredictionLog::kClassifyLog: {
      const auto& request = log.classify_log().request();
      return add(from_examples(request.model_spec().signature_name(), request.input(), allowance));
    }
    case tensorflow::serving::PredictionLog::kRegressLog: {
      const auto& request = log.regress_log().request();
      return add(from_examples(request.model_spec().signature_name(), request.input(), allowance));
    }
    case tensorflow::serving::PredictionLog::kMultiInferenceLog: {
      const auto& request = log.multi_inference_log().request();
      for (const auto& task : request.tasks()) {
        TG_RETURN_IF_ERROR(add(from_examples(task.model_spec().signature_name(), request.input(), allowance)));
      }
      return absl::OkStatus();
    }
    default:
      return absl::UnimplementedError(
          "is a request that is not replayed; predict, classify, regress and multi-inference are");
  }
}

}  // namespace

absl::StatusOr<std::vector<RecordedRequest>> read_recorded_requests(const std::string& folder) {
  std::string path = folder + "/assets.extra/tf_serving_warmup_requests";
  const absl::StatusOr<std::string> bytes = base::read_file(path);
  if (absl::IsNotFound(bytes.status())) return std::vector<RecordedRequest>();
  if (!bytes.ok()) return bytes.status();
  return parse_recorded_requests(*bytes, path);
}

absl::StatusOr<std::vector<RecordedRequest>> parse_recorded_requests(std::string_view bytes, std::string_view path) {
  std::vector<RecordedRequest> requests;
  tfs::RepeatAllowance allowance;  // for all, since all are kept
  std::string_view rest = bytes;
  for (size_t record = 0; !rest.empty() && record < kMostRecords; ++record) {
    uint64_t size = 0;
    if (rest.size() >= kHeaderBytes) std::memcpy(&size, rest.data(), sizeof size);
    if (rest.size() < kHeaderBytes + kFooterBytes || size > rest.size() - kHeaderBytes - kFooterBytes) {
      return absl::DataLossError(base::cat(path, " is cut short after ", record, " requests"));
    }
    absl::Status parsed = parse(rest.substr(kHeaderBytes, size), allowance, requests);
    if (!parsed.ok()) return base::annotate(parsed, base::cat(path, ": record ", record));
    rest.remove_prefix(kHeaderBytes + size + kFooterBytes);
  }
  if (!rest.empty()) return absl::InvalidArgumentError(base::cat(path, " holds more than ", kMostRecords, " requests"));
  return requests;
}

}  // namespace tidegate::serving
