#include "serving-runtime/serve/options.h"

#include <CLI/CLI.hpp>

#include "base/strings.h"
#include "serving-runtime/command_line.h"
#include "serving-runtime/serve/session_config.h"

namespace tidegate::serving {
namespace {

// "key=value" each.
void take_arguments(const std::vector<std::string>& texts,
                    std::vector<std::pair<std::string, std::string>>& arguments) {
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
      throw CLI::ValidationError("--grpc-channel-arguments", text + " is not of the form key=value");
    }
    arguments.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
}

// What a file says of backends. Added before their own options, which therefore count where they are given as well.
void add_session_config_option(CLI::App& app, BackendFlags& o) {
  const OptionGroup group(app, "Backend");
  const char* const name = "--tensorflow-session-config-file,--tensorflow_session_config_file";
  app.add_option_function<std::string>(
      name,
      [&o](const std::string& path) {
        const absl::Status applied = apply_session_config(path, o);
        if (!applied.ok()) {
          throw CLI::ValidationError("--tensorflow-session-config-file", std::string(base::view(applied.message())));
        }
      },
      "A ConfigProto of TensorFlow as text: threads, GPUs, global_jit_level; the flags of the group Backend count "
      "more");
}

// Switches also take a value, as TensorFlow Serving's do: --warm-up=false.
void add_model_options(CLI::App& app, ServeOptions& o) {
  const OptionGroup group(app, "Model");
  app.add_option("--model-name,--model_name", o.model_name, "Name under which the model is served")
      ->envname("MODEL_NAME")
      ->default_val("default");
  app.add_option("--model-base-path,--model_base_path", o.model_base_path,
                 "Folder that holds one folder a version, named by its number (default: $MODEL_BASE_PATH/<name>)");
  CLI::Option* config = app.add_option("--model-config-file,--model_config_file", o.model_config_file,
                                       "Several models: a ModelServerConfig of TensorFlow Serving as text; name and "
                                       "base path do not count then");
  app.add_option("--model-config-poll-seconds,--model_config_file_poll_wait_seconds", o.config_poll_seconds,
                 "How often that file is read again; 0: only at the start")
      ->check(non_negative_number())
      ->capture_default_str();
  app.add_option("--version-label", o.version_labels, "A label for a version, e.g. stable=3; may be repeated")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->excludes(config);
  app.add_flag("--allow-labels-for-unavailable-models,--allow_version_labels_for_unavailable_models",
               o.labels_for_unavailable, "A new label may be given to a version that does not serve yet")
      ->capture_default_str();
  app.add_option("--latest-versions", o.latest_versions, "How many of the newest versions serve")
      ->check(positive_number())
      ->excludes(config)
      ->capture_default_str();
  app.add_option("--poll-seconds,--file_system_poll_wait_seconds", o.poll_seconds,
                 "How often base paths are looked at for new versions; 0: only at the start")
      ->check(non_negative_number())
      ->capture_default_str();
}

void add_loading_options(CLI::App& app, ServeOptions& o) {
  const OptionGroup group(app, "Model");
  app.add_option("--load-threads,--num_load_threads", o.load_threads,
                 "Models that are loaded at once; 0 is 1, as with TensorFlow Serving")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  app.add_option("--load-retries,--max_num_load_retries", o.load_retries, "How often a load that failed is tried again")
      ->check(non_negative_number())
      ->capture_default_str();
  app.add_option("--load-retry-microseconds,--load_retry_interval_micros", o.load_retry_microseconds,
                 "The pause before that; below 0: none")
      ->capture_default_str();
  app.add_flag("--warm-up,--enable_model_warmup", o.warm_up, "Run the model before it is ready (default: true)")
      ->capture_default_str();
  app.add_option("--warm-up-iterations,--num_request_iterations_for_warmup", o.warm_up_iterations,
                 "How often each recorded request is run for that; 0: once")
      ->capture_default_str();
}

void add_run_options(CLI::App& app, ServeOptions& o) {
  const OptionGroup group(app, "Model");
  app.add_flag("--enable-batching,--enable_batching", o.batching, "Run requests together that arrive at the same time")
      ->capture_default_str();
  app.add_flag("--allow-model-control", o.model_control,
               "Let clients load and unload the configured models (Open Inference Protocol's repository API)");
  app.add_option("--response-cache-bytes", o.response_cache_bytes,
                 "Keep so many bytes of answers for questions that come again; for models that always answer alike")
      ->transform(size_in_bytes())
      ->capture_default_str();
  app.add_option(
         "--max-resident", o.max_resident_bytes,
         "Load models when they are asked for, and keep so many bytes of them: those used longest ago make room; "
         "0: all models are loaded at the start and stay")
      ->transform(size_in_bytes())
      ->capture_default_str();
  app.add_option("--batching-parameters-file,--batching_parameters_file", o.batching_parameters_file,
                 "TensorFlow Serving's BatchingParameters as text");
  app.add_flag("--enable-per-model-batching-parameters,--enable_per_model_batching_parameters", o.batching_per_model,
               "Batch only versions whose folder has a batching_params.pbtxt, as it says; of the file above the number "
               "of threads counts")
      ->capture_default_str();
  app.add_flag("--check-signature-method-names,--enable_signature_method_name_check", o.check_method_names,
               "Classify and regress only signatures of that method, which TensorFlow 2 does not write by itself")
      ->capture_default_str();
}

void add_grpc_options(CLI::App& app, ServeOptions& o) {
  const OptionGroup group(app, "Network");
  app.add_option("--bind-address", o.bind_address, "IPv4 or IPv6 address to listen on; with :: both kinds")
      ->capture_default_str();
  app.add_option("--grpc-port,--port", o.grpc_port, "Port of gRPC; 0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--grpc-socket-path,--grpc_socket_path", o.grpc_socket_path, "UNIX socket to listen on for gRPC, too");
  app.add_option_function<std::vector<std::string>>(
         "--grpc-channel-arguments,--grpc_channel_arguments",
         [&o](const std::vector<std::string>& texts) { take_arguments(texts, o.grpc_channel_arguments); },
         "gRPC's own settings of the server, e.g. grpc.max_connection_age_ms=2000,grpc.max_concurrent_streams=100")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--grpc-tensor-content,--enable_serialization_as_tensor_content", o.grpc_tensor_content,
               "Put numbers into answers of TensorFlow Serving's Predict over gRPC as raw bytes")
      ->capture_default_str();
}

void add_rest_options(CLI::App& app, ServeOptions& o) {
  const OptionGroup group(app, "Network");
  app.add_option("--rest-api-port,--rest_api_port", o.rest_port, "Port of REST, health and metrics; 0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--rest-api-timeout-ms,--rest_api_timeout_in_ms", o.rest_timeout_ms,
                 "Do not run predictions of TensorFlow Serving's REST API that have waited longer for their turn, but "
                 "answer 504; 0: no limit")
      ->check(non_negative_number())
      ->capture_default_str();
  app.add_flag("--enable-cors,--rest_api_enable_cors_support", o.cors,
               "Let web pages of any origin use the REST port (CORS headers in answers)")
      ->capture_default_str();
  app.add_option("--port-file", o.port_file, "File to write the chosen ports to, as JSON, once listening");
  app.add_option("--monitoring-config-file,--monitoring_config_file", o.monitoring_config_file,
                 "TensorFlow Serving's MonitoringConfig as text: a page with its metrics too");
}

void add_security_options(CLI::App& app, ServeOptions& o) {
  const OptionGroup group(app, "Network");
  app.add_option("--tls-cert-file", o.security.certificate, "PEM certificate chain, for both ports");
  app.add_option("--tls-key-file", o.security.key, "Its PEM private key");
  app.add_option("--tls-client-ca-file", o.security.client_ca,
                 "PEM authorities; clients must have a certificate of one of them");
  app.add_option("--ssl-config-file,--ssl_config_file", o.security.ssl_config,
                 "TensorFlow Serving's SSLConfig as text, for the gRPC port");
  app.add_option("--token-file", o.security.tokens,
                 "Tokens, one a line; requests must carry one as Authorization: Bearer");
  app.add_option("--security-poll-seconds", o.security_poll_seconds, "How often these files are read again")
      ->check(positive_number())
      ->capture_default_str();
  app.add_option("--compress-responses-from", o.compress_from,
                 "REST answers of at least so many bytes are compressed for clients that accept gzip or deflate, which "
                 "many do without need; 0: none")
      ->transform(size_in_bytes())
      ->capture_default_str();
}

void add_limit_options(CLI::App& app, ServeOptions& o) {
  const OptionGroup group(app, "Network");
  app.add_option("--max-request-bytes", o.max_request_bytes,
                 "Largest body of a request, decompressed, and largest message of gRPC (there 2 GiB at most)")
      ->transform(size_in_bytes(1))
      ->capture_default_str();
  app.add_option("--concurrency,--rest_api_num_threads", o.concurrency,
                 "Requests that are worked on at once; 0: one a core, with batching enough for two batches, "
                 "at most 256")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_option("--max-concurrency-per-model", o.concurrency_per_model,
                 "How many of those one model may have, so that none keeps the others waiting; 0: all")
      ->capture_default_str();
  app.add_option("--queue-limit", o.queue_limit, "Requests that wait beyond those; more are answered 429")
      ->capture_default_str();
  app.add_option(
         "--drain-seconds", o.drain_seconds,
         "After SIGTERM: how long requests are still taken (not ready, Connection: close), so that routers notice")
      ->check(non_negative_number())
      ->capture_default_str();
  app.add_option("--grace-seconds", o.grace_seconds, "After SIGTERM: when to give up on what is in flight")
      ->check(non_negative_number())
      ->capture_default_str();
}

void add_request_log_options(CLI::App& app, RequestLogFlags& o) {
  const OptionGroup group(app, "Request log");
  CLI::Option* target = app.add_option("--request-log", o.target,
                                       "Write some predictions down, with inputs and outputs: to this file, a line "
                                       "each, or as CloudEvents to this http:// or https:// URL");
  const auto about_it = [target](CLI::Option* option) { return option->needs(target); };
  about_it(app.add_option("--request-log-sample", o.rate, "The share of the predictions, chosen at random; 1: all"))
      ->check(share())
      ->capture_default_str();
  about_it(app.add_flag("--request-log-payloads", o.payloads, "Also their inputs and outputs (default: true)"))
      ->capture_default_str();
  about_it(app.add_option("--request-log-payload-bytes", o.max_payload_bytes,
                          "The most that inputs and outputs of one prediction may take in memory; larger ones are "
                          "written without"))
      ->transform(size_in_bytes())
      ->capture_default_str();
  about_it(app.add_option("--request-log-queue-bytes", o.queue_bytes,
                          "The most that may wait to be written; what comes beyond is dropped, and counted"))
      ->transform(size_in_bytes(1))
      ->capture_default_str();
  about_it(app.add_option("--request-log-file-bytes", o.file_bytes,
                          "Size at which the file is put aside, as <file>.1, and a new one begun"))
      ->transform(size_in_bytes(1))
      ->default_str("67108864");
  about_it(app.add_option("--request-log-files", o.files, "Files that are kept, the current one included"))
      ->check(CLI::Range(1, 10'000))
      ->default_str("8");
  about_it(app.add_option("--request-log-batch", o.batch_records,
                          "Events in one POST; 1: each in structured mode, for receivers that take no batches"))
      ->check(CLI::Range(1, 10'000))
      ->default_str("100");
}

void add_process_options(CLI::App& app, ServeOptions& o) {
  const OptionGroup group(app, "Process");
  app.add_option("--termination-log", o.termination_log,
                 "Where the reason for a failed start is written, if that file exists")
      ->capture_default_str();
  app.add_option("--log-level", o.log_level, "debug, info, warning or error")->capture_default_str();
  app.add_option("--log-format", o.log_format, "text or json")->capture_default_str();
}

}  // namespace

void add_serve_options(CLI::App& app, ServeOptions& o) {
  // A flag that is there twice counts as it stands last, so that arguments can be added to those of an image.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  add_model_options(app, o);
  add_loading_options(app, o);
  add_run_options(app, o);
  add_grpc_options(app, o);
  add_rest_options(app, o);
  add_security_options(app, o);
  add_limit_options(app, o);
  add_session_config_option(app, o.backend);
  add_backend_options(app, o.backend);
  add_request_log_options(app, o.request_log);
  add_process_options(app, o);
  add_foreign_flags(app, o.foreign);
}

}  // namespace tidegate::serving
