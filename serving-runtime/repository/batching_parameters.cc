#include "serving-runtime/repository/batching_parameters.h"

#include "base/files.h"
#include "base/status.h"
#include "serving-runtime/api/text_format.h"
#include "tensorflow_serving.pb.h"

namespace tidegate::serving {
namespace {

constexpr std::string_view kWhat = "Batching parameters file";

}  // namespace

absl::Status read_batching_parameters(const std::string& path, BatchingOptions& options) {
  TG_ASSIGN_OR_RETURN(const std::string text, base::annotate(base::read_file(path), kWhat));
  return parse_batching_parameters(text, path, options);
}

absl::Status parse_batching_parameters(std::string_view text, std::string_view path, BatchingOptions& options) {
  tensorflow::serving::BatchingParameters from;
  TG_RETURN_IF_ERROR(parse_text_file(text, kWhat, path, from));
  const auto take = [](bool given, const google::protobuf::Int64Value& value, int64_t& to) {
    if (given) to = value.value();
  };
  take(from.has_max_batch_size(), from.max_batch_size(), options.max_batch_size);
  take(from.has_max_enqueued_batches(), from.max_enqueued_batches(), options.max_enqueued_batches);
  take(from.has_num_batch_threads(), from.num_batch_threads(), options.num_batch_threads);
  if (from.has_batch_timeout_micros()) {
    options.batch_timeout = absl::Microseconds(from.batch_timeout_micros().value());
  }
  options.allowed_batch_sizes = {from.allowed_batch_sizes().begin(), from.allowed_batch_sizes().end()};
  if (from.has_enable_large_batch_splitting()) {
    options.enable_large_batch_splitting = from.enable_large_batch_splitting().value();
  }
  // The rows of a run when larger requests are split; max_batch_size is the largest request's then, for which there is
  // no need to be bounded here.
  if (options.enable_large_batch_splitting) {
    take(from.has_max_execution_batch_size(), from.max_execution_batch_size(), options.max_batch_size);
  }
  options.pad_variable_length_inputs = from.pad_variable_length_inputs();
  return base::annotate(check(options), base::cat(kWhat, " ", path));
}

}  // namespace tidegate::serving
