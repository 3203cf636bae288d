#include "serving-runtime/serve/request_log.h"

#include <unistd.h>

#include <array>
#include <utility>

#include "base/status.h"
#include "net/url.h"
#include "serving-runtime/api/percent.h"
#include "serving-runtime/recording/file_sink.h"
#include "serving-runtime/recording/http_sink.h"

namespace tidegate::serving {
namespace {

constexpr uint32_t kBatchRecords = 100;

bool is_url(const std::string& target) { return target.starts_with("http://") || target.starts_with("https://"); }

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

// Flags that mean nothing for this kind of target are mistakes.
absl::Status check_kind(const RequestLogFlags& flags) {
  const auto refuse = [&flags](std::string_view flag, std::string_view kind) {
    return absl::InvalidArgumentError(
        base::cat(flag, " is for ", kind, ", which --request-log=", flags.target, " is not"));
  };
  if (is_url(flags.target)) {
    if (flags.file_bytes) return refuse("--request-log-file-bytes", "a file");
    return flags.files ? refuse("--request-log-files", "a file") : absl::OkStatus();
  }
  if (flags.target.find("://") != std::string::npos) {
    return absl::InvalidArgumentError(
        base::cat("--request-log=", flags.target, " is neither a path nor an http:// or https:// URL"));
  }
  return flags.batch_records ? refuse("--request-log-batch", "a URL") : absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RecordSink>> open_sink(const RequestLogFlags& flags) {
  TG_RETURN_IF_ERROR(check_kind(flags));
  if (!is_url(flags.target)) {
    FileSinkOptions files{flags.target};
    files.max_file_bytes = flags.file_bytes.value_or(files.max_file_bytes);
    files.max_files = flags.files.value_or(files.max_files);
    return base::annotate(open_file_sink(std::move(files)), "--request-log");
  }
  TG_RETURN_IF_ERROR(base::annotate(net::check_http_url(flags.target), "--request-log"));
  HttpSinkOptions http;
  http.post.url = flags.target;
  http.source = base::cat("/tidegate-runtime/", percent_encode(host_name()));
  http.single = flags.batch_records == 1;
  return make_http_sink(std::move(http));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RequestLog>> open_request_log(const RequestLogFlags& flags, const base::Clock& clock) {
  if (flags.target.empty()) return nullptr;
  TG_ASSIGN_OR_RETURN(auto sink, open_sink(flags));
  RequestLogOptions options;
  options.rate = flags.rate;
  options.payloads = flags.payloads;
  options.max_payload_bytes = flags.max_payload_bytes;
  options.max_queue_bytes = flags.queue_bytes;
  if (is_url(flags.target)) options.max_batch = flags.batch_records.value_or(kBatchRecords);
  const uint64_t seed = static_cast<uint64_t>(absl::ToUnixNanos(clock.now())) ^ static_cast<uint64_t>(::getpid());
  return std::make_unique<RequestLog>(options, seed, std::move(sink));
}

}  // namespace tidegate::serving
