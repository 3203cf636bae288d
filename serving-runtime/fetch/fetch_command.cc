#include "serving-runtime/fetch/fetch_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <thread>

#include "base/files.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/strings.h"
#include "net/curl_http_client.h"
#include "serving-runtime/command_line.h"
#include "serving-runtime/fetch/fetch_job.h"
#include "storage/s3_object_store.h"
#include "storage/s3_settings.h"

namespace tidegate::serving {
namespace {

using base::cat;

struct FetchArguments {
  std::string uri;
  std::string destination;
  std::string source_digest;
  std::string endpoint;
  std::string region;
  std::string ca_file;
  std::string termination_log = "/dev/termination-log";
  int connections = 8;
  int part_mebibytes = 16;
  double stall_seconds = 30;
  double give_up_seconds = 60;
  double deadline_seconds = 3600;
  std::string log_format = "text";
  std::string log_level = "info";
};

void add_options(CLI::App& app, FetchArguments& arguments) {
  app.add_option("--uri", arguments.uri, "The version's folder, s3://bucket/path/to/model/7")->required();
  app.add_option("--dest", arguments.destination, "Folder to create; an absolute path ending in the version")
      ->required();
  app.add_option("--source-digest", arguments.source_digest,
                 "Fail unless the store still has exactly these files (64 hexadecimal digits)");
  app.add_option("--s3-endpoint", arguments.endpoint,
                 "For example http://minio:9000 (else AWS_ENDPOINT_URL, else AWS)");
  app.add_option("--s3-region", arguments.region, "Else AWS_REGION, else us-east-1");
  app.add_option("--ca-file", arguments.ca_file, "PEM certificates to trust instead of the system's")
      ->check(CLI::ExistingFile);
  app.add_option("--connections", arguments.connections, "Parallel requests")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--part-size", arguments.part_mebibytes, "Largest piece of a file that one request loads, in MiB")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--stall-timeout", arguments.stall_seconds, "Seconds without a byte until a connection is given up")
      ->check(positive_number())
      ->capture_default_str();
  app.add_option("--give-up-after", arguments.give_up_seconds, "Seconds without a byte until the store is given up")
      ->check(positive_number())
      ->capture_default_str();
  app.add_option("--deadline", arguments.deadline_seconds, "Seconds for everything")
      ->check(positive_number())
      ->capture_default_str();
  app.add_option("--termination-log", arguments.termination_log,
                 "File for the result as JSON; the default is written only where Kubernetes has made it")
      ->capture_default_str();
  app.add_option("--log-format", arguments.log_format, "text or json")->capture_default_str();
  app.add_option("--log-level", arguments.log_level, "debug, info, warning or error")->capture_default_str();
  app.footer(
      "Credentials come from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.\n"
      "Without them requests are anonymous.");
}

std::map<std::string, std::string> aws_environment() {
  std::map<std::string, std::string> variables;
  for (const char* name :
       {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION"}) {
    if (const char* value = std::getenv(name)) variables[name] = value;
  }
  return variables;
}

absl::StatusOr<storage::S3Options> s3_options(const FetchArguments& arguments) {
  std::map<std::string, std::string> variables = aws_environment();
  if (!arguments.endpoint.empty()) variables["AWS_ENDPOINT_URL"] = arguments.endpoint;
  if (!arguments.region.empty()) variables["AWS_REGION"] = arguments.region;
  TG_ASSIGN_OR_RETURN(storage::S3Options options, storage::s3_options_from(variables));
  if (!arguments.ca_file.empty()) {
    TG_ASSIGN_OR_RETURN(options.ca_pem, base::read_file(arguments.ca_file));
  }
  return options;
}

absl::StatusOr<FetchPlan> make_plan(const FetchArguments& arguments, const storage::StoreUri& uri) {
  const bool is_digest = arguments.source_digest.size() == 64 &&
                         arguments.source_digest.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!arguments.source_digest.empty() && !is_digest) {
    return absl::InvalidArgumentError("--source-digest is not 64 lower-case hexadecimal digits");
  }
  const std::filesystem::path destination = std::filesystem::path(arguments.destination).lexically_normal();
  const std::string name = arguments.destination.ends_with('/') ? destination.parent_path().filename().string()
                                                                : destination.filename().string();
  if (!destination.is_absolute() || name.empty() || name.starts_with('.')) {
    return absl::InvalidArgumentError(cat("--dest '", arguments.destination, "' is not an absolute path to a folder"));
  }
  FetchPlan plan;
  plan.prefix = uri.prefix;
  plan.destination = destination.string();
  plan.source_digest = arguments.source_digest;
  plan.connections = arguments.connections;
  plan.part_bytes = static_cast<uint64_t>(arguments.part_mebibytes) << 20;
  plan.stall_timeout = absl::Seconds(arguments.stall_seconds);
  plan.give_up_after = absl::Seconds(arguments.give_up_seconds);
  return plan;
}

class PoolBackground : public Background {
 public:
  PoolBackground() : pool_(std::max(2u, std::min(4u, std::thread::hardware_concurrency()))) {}
  ~PoolBackground() override { pool_.join(); }
  void run(std::function<void()> work) override { boost::asio::post(pool_, std::move(work)); }

 private:
  boost::asio::thread_pool pool_;
};

// What a fetch runs on; the order is that of dependence.
struct FetchProcess {
  base::Scope scope;
  base::Loop loop;
  base::SystemClock clock{loop.context()};
  // Spreads retries only; two pods do not start in the same nanosecond as the same process.
  base::SeededRandom random{static_cast<uint64_t>(absl::ToUnixNanos(clock.now())) ^ static_cast<uint64_t>(getpid())};
  // Parallel parts want parallel connections.
  net::CurlHttpClient http{loop.context(), clock, {.http2 = false, .use_environment_proxy = true}};
  Progress progress{clock, isatty(STDERR_FILENO) == 1, [](std::string_view text) { std::cerr << text << std::flush; }};
  PoolBackground background;
  absl::Status interrupted;  // why the scope was cancelled from outside
  absl::StatusOr<FetchReport> result = absl::InternalError("the fetch did not end");

  void interrupt(absl::Status why) {
    if (interrupted.ok()) interrupted = std::move(why);
    scope.cancel();
  }
};

base::Task<void> run_job(FetchProcess* process, FetchJob* job) {
  absl::StatusOr<FetchReport> result = co_await job->run();
  process->result = std::move(result);
  process->loop.stop();
}

absl::StatusOr<FetchReport> fetch(const FetchArguments& arguments) {
  TG_ASSIGN_OR_RETURN(const storage::StoreUri uri, storage::parse_store_uri(arguments.uri));
  TG_ASSIGN_OR_RETURN(FetchPlan plan, make_plan(arguments, uri));
  TG_ASSIGN_OR_RETURN(storage::S3Options options, s3_options(arguments));
  FetchProcess process;
  TG_ASSIGN_OR_RETURN(std::unique_ptr<storage::ObjectStore> store,
                      storage::make_s3_object_store(options, uri.bucket, process.http, process.clock, process.random));
  FetchJob job(plan,
               {.store = *store,
                .loop = process.loop,
                .clock = process.clock,
                .random = process.random,
                .background = process.background,
                .progress = process.progress},
               process.scope);
  boost::asio::signal_set signals(process.loop.context(), SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (!error) process.interrupt(absl::CancelledError("interrupted by a signal; the next attempt goes on from here"));
  });
  const auto deadline = process.clock.after(absl::Seconds(arguments.deadline_seconds), [&] {
    process.interrupt(absl::DeadlineExceededError(
        cat("not finished within ", arguments.deadline_seconds, " s; the next attempt goes on from here")));
  });
  process.loop.spawn(run_job(&process, &job));
  process.loop.run();
  if (absl::IsCancelled(process.result.status()) && !process.interrupted.ok()) return process.interrupted;
  return std::move(process.result);
}

std::string result_json(const absl::StatusOr<FetchReport>& result) {
  constexpr size_t kMaxMessage = 3000;  // Kubernetes keeps 4,096 bytes
  if (result.ok()) {
    const nlohmann::ordered_json json = {
        {"digest", cat("sha256:", result->content_digest)}, {"bytes", result->bytes}, {"files", result->files}};
    return json.dump();
  }
  const nlohmann::ordered_json json = {{"error", fetch_failure_reason(result.status())},
                                       {"message", base::view(result.status().message()).substr(0, kMaxMessage)}};
  // Escapes make a text up to six times as long.
  const std::string text = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  if (text.size() <= 4000) return text;
  return nlohmann::ordered_json({{"error", fetch_failure_reason(result.status())},
                                 {"message", "the error's text is too long; see the container's log"}})
      .dump();
}

void write_termination_log(const std::string& path, const std::string& text) {
  std::error_code error;
  if (path == FetchArguments().termination_log && !std::filesystem::exists(path, error)) return;
  std::ofstream file(path, std::ios::trunc);
  if (!(file << text << std::flush)) std::cerr << "fetch: cannot write " << path << "\n";
}

std::string summary(const FetchReport& report, const FetchArguments& arguments) {
  if (report.was_there) return cat(arguments.destination, " was already complete");
  std::string text = cat(report.files, " files, ", format_bytes(static_cast<double>(report.bytes)), " in ",
                         arguments.destination, ", sha256:", report.content_digest);
  if (report.resumed_bytes > 0) {
    text += cat(" (", format_bytes(static_cast<double>(report.resumed_bytes)), " from an earlier attempt)");
  }
  return text;
}

}  // namespace

int fetch_main(int argc, char** argv) {
  FetchArguments arguments;
  CLI::App app("Downloads one version of a model from object storage, verifies it and puts it in place",
               "tidegate-runtime fetch");
  add_options(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return tell(app, error);
  }
  base::LogLevel level = base::LogLevel::kInfo;
  base::LogFormat format = base::LogFormat::kText;
  if (absl::Status status = base::parse_log_options(arguments.log_level, arguments.log_format, &level, &format);
      !status.ok()) {
    std::cerr << "fetch: " << status.message() << "\n";
    return 2;
  }
  base::init_logging(level, format);
  std::signal(SIGPIPE, SIG_IGN);
  const absl::StatusOr<FetchReport> result = fetch(arguments);
  base::flush_logging();
  write_termination_log(arguments.termination_log, result_json(result));
  if (result.ok()) {
    std::cerr << "fetch: " << summary(*result, arguments) << "\n";
    return 0;
  }
  std::cerr << "fetch: " << fetch_failure_reason(result.status()) << ": " << result.status().message() << "\n";
  return absl::IsInvalidArgument(result.status()) ? 2 : 1;
}

}  // namespace tidegate::serving
