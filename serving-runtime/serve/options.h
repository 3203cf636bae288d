#pragma once
// What `tidegate-runtime serve` was told, and the reading of it from the command line. TensorFlow Serving's names are
// accepted where they mean the same.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "serving-runtime/backend_flags.h"
#include "serving-runtime/serve/foreign_flags.h"
#include "serving-runtime/server/security.h"

namespace CLI {
class App;
}

namespace tidegate::serving {

// Which predictions are written down, and where.
struct RequestLogFlags {
  std::string target;  // a path or a URL; empty: none are
  double rate = 0.01;  // share of the requests
  bool payloads = true;
  uint64_t max_payload_bytes = 1 << 20;  // of one request
  uint64_t queue_bytes = 16 << 20;       // of what waits to be written
  // Of files: 64 MiB, 8.
  std::optional<uint64_t> file_bytes;
  std::optional<uint32_t> files;
  // Of URLs: records in one POST, 100.
  std::optional<uint32_t> batch_records;
};

struct ServeOptions {
  std::string model_name;
  std::string model_base_path;    // empty: $MODEL_BASE_PATH/<model_name>
  std::string model_config_file;  // several models; then none of the above
  double config_poll_seconds = 0;
  std::vector<std::string> version_labels;  // "stable=3"
  bool labels_for_unavailable = false;
  uint32_t latest_versions = 1;
  double poll_seconds = 1;
  uint32_t load_threads = 1;
  int32_t load_retries = 5;
  int64_t load_retry_microseconds = 60'000'000;
  bool warm_up = true;
  int32_t warm_up_iterations = 1;  // of each recorded request; below 1: one
  bool model_control = false;
  bool batching = false;
  std::string batching_parameters_file;
  bool batching_per_model = false;    // by a file in the version's folder
  bool check_method_names = false;    // of signatures, for classify and regress
  uint64_t response_cache_bytes = 0;  // 0: none
  uint64_t max_resident_bytes = 0;    // 0: all models are loaded

  std::string bind_address = "0.0.0.0";
  uint16_t grpc_port = 8500;
  std::string grpc_socket_path;                                             // empty: none
  std::vector<std::pair<std::string, std::string>> grpc_channel_arguments;  // by key
  bool grpc_tensor_content = false;                                         // in answers of Predict
  uint16_t rest_port = 8501;
  int64_t rest_timeout_ms = 0;  // of a prediction's wait; 0: none
  bool cors = false;
  std::string port_file;
  std::string monitoring_config_file;
  SecurityFiles security;
  double security_poll_seconds = 10;
  uint64_t max_request_bytes = 64ull << 20;
  uint64_t compress_from = 0;          // bytes of an answer; 0: none is compressed
  uint32_t concurrency = 0;            // 0: one a core, with batching as many as fill two batches
  uint32_t concurrency_per_model = 0;  // 0: no limit of its own
  uint32_t queue_limit = 1000;

  BackendFlags backend;
  RequestLogFlags request_log;

  double drain_seconds = 5;
  double grace_seconds = 25;
  std::string termination_log = "/dev/termination-log";
  std::string log_level = "info";
  std::string log_format = "text";

  ForeignFlags foreign;
};

void add_serve_options(CLI::App& app, ServeOptions& options);

}  // namespace tidegate::serving
