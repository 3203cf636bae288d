#include "serving-runtime/repository/warm_up.h"

#include <cstring>

#include "base/status.h"
#include "serving-runtime/repository/recorded_requests.h"

namespace tidegate::serving {
namespace {

// Larger than any honest placeholder; a signature with huge fixed dimensions is not warmed up by guesswork.
constexpr int64_t kMostElements = 64 << 20;

bool can_be_synthetic(const model::Signature& signature) {
  if (signature.inputs.empty() || signature.outputs.empty() || signature.name.starts_with("__")) return false;
  for (const auto& spec : signature.inputs) {
    if (spec.type != model::DataType::kString && model::size_of(spec.type) == 0) return false;
    Shape shape = spec.shape;
    for (int64_t& size : shape) size = size < 0 ? 1 : size;
    auto count = element_count(shape);
    if (!count.ok() || *count > kMostElements) return false;
  }
  return true;
}

bool beyond_mending(absl::StatusCode code) {
  return code == absl::StatusCode::kFailedPrecondition || code == absl::StatusCode::kNotFound ||
         code == absl::StatusCode::kUnimplemented;
}

absl::Status run_on_zeros(const Servable& servable, const model::Signature& signature, WarmUpReport& report) {
  std::vector<NamedTensor> inputs;
  for (const auto& spec : signature.inputs) inputs.push_back({spec.name, zeros(spec)});
  ++report.synthetic;
  absl::Status ran = servable.predict(signature, std::move(inputs), {}).status();
  if (ran.ok()) return ran;
  if (beyond_mending(ran.code())) return base::annotate(ran, base::cat("signature ", signature.name));
  report.refused.push_back(signature.name);
  return absl::OkStatus();
}

absl::Status replay(const Servable& servable, RecordedRequest request) {
  const model::Signature* signature = servable.find_signature(request.signature_name);
  if (!signature) return absl::NotFoundError(base::cat("there is no signature '", request.signature_name, "'"));
  return servable.predict(*signature, std::move(request.inputs), {}).status();
}

// Runs take their inputs over, so the file is read for each.
absl::Status replay_all(const Servable& servable, WarmUpReport& report) {
  TG_ASSIGN_OR_RETURN(std::vector<RecordedRequest> recorded, read_recorded_requests(servable.folder()));
  int record = 0;
  for (RecordedRequest& request : recorded) {
    absl::Status replayed = replay(servable, std::move(request));
    if (!replayed.ok()) return base::annotate(replayed, base::cat("recorded request ", record));
    ++record;
  }
  report.recorded += record;
  return absl::OkStatus();
}

}  // namespace

Tensor zeros(const model::TensorSpec& spec) {
  Shape shape = spec.unknown_rank ? Shape{} : spec.shape;
  for (int64_t& size : shape) size = size < 0 ? 1 : size;
  auto count = static_cast<size_t>(element_count(shape).value_or(0));
  if (spec.type == model::DataType::kString) {
    StringList strings;
    for (size_t i = 0; i < count; ++i) strings.push("");
    return Tensor(std::move(shape), std::move(strings));
  }
  AlignedBuffer data(count * model::size_of(spec.type));
  std::memset(data.data(), 0, data.size());
  return Tensor(spec.type, std::move(shape), std::move(data));
}

absl::Status warm_up(const Servable& servable, WarmUpReport& report, uint32_t iterations) {
  for (uint32_t i = 0; i < iterations; ++i) TG_RETURN_IF_ERROR(replay_all(servable, report));
  if (report.recorded > 0) return absl::OkStatus();
  for (const model::Signature& signature : servable.signatures()) {
    if (!can_be_synthetic(signature)) continue;
    TG_RETURN_IF_ERROR(run_on_zeros(servable, signature, report));
  }
  return absl::OkStatus();
}

}  // namespace tidegate::serving
