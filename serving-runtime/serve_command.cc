#include "serving-runtime/serve_command.h"

#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <charconv>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/log.h"
#include "base/loop.h"
#include "base/status.h"
#include "net/beast_http_server.h"
#include "serving-runtime/backends/backend_loader.h"
#include "serving-runtime/repository/model_repository.h"
#include "serving-runtime/server/grpc_server.h"
#include "serving-runtime/server/rest_router.h"
#include "serving-runtime/server/termination_message.h"

namespace tidegate::serving {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

absl::StatusOr<ModelConfig> model_config(const ServeOptions& options) {
  ModelConfig config{options.model_name, options.model_base_path, options.latest_versions, {}, options.warm_up};
  for (const std::string& text : options.version_labels) {
    size_t equals = text.find('=');
    int64_t version = 0;
    auto end = text.data() + text.size();
    auto begin = equals == std::string::npos ? end : text.data() + equals + 1;
    auto parsed = std::from_chars(begin, end, version);
    if (equals == 0 || begin == end || parsed.ec != std::errc() || parsed.ptr != end) {
      return absl::InvalidArgumentError(base::cat("--version-label=", text, " is not of the form label=version"));
    }
    config.labels[text.substr(0, equals)] = version;
  }
  return config;
}

// Opens each backend on the first model that needs it and keeps it.
class Backends {
 public:
  explicit Backends(const ServeOptions& options) {
    options_["library_dir"] = options.tensorflow_dir;
    options_["intra_op_threads"] = std::to_string(options.intra_op_threads);
    options_["inter_op_threads"] = std::to_string(options.inter_op_threads);
    options_["gpu_allow_growth"] = options.gpu_allow_growth ? "true" : "false";
    options_["gpu_memory_fraction"] = std::to_string(options.gpu_memory_fraction);
    options_["visible_gpus"] = options.visible_gpus;
    std::error_code ignored;
    fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
    folders_ = {program / "backends", program / "../lib/tidegate/backends", "/usr/lib/tidegate/backends"};
    if (!options.backend_dir.empty()) folders_ = {options.backend_dir};
  }

  absl::StatusOr<const Backend*> for_folder(const std::string& folder) {
    TG_ASSIGN_OR_RETURN(model::Format format, model::detect_format(folder));
    auto& backend = open_[format];
    if (backend) return backend.get();
    TG_ASSIGN_OR_RETURN(backend, open_backend(backend_for(format), folders_, options_));
    base::log_info("backend open", {{"backend", backend->name()}, {"library", backend->library_version()}});
    return backend.get();
  }

 private:
  BackendOptions options_;
  std::vector<std::string> folders_;
  std::map<model::Format, std::unique_ptr<Backend>> open_;
};

// Calls the repository's step() on a thread of its own, at the start and then every so often.
class LoadThread {
 public:
  // `on_start` gets the first step's result; on this thread.
  LoadThread(ModelRepository& repository, absl::Duration interval, std::function<void(absl::Status)> on_start)
      : thread_([this, &repository, interval, on_start = std::move(on_start)] {
          on_start(repository.step());
          while (interval > absl::ZeroDuration() && wait(interval)) repository.step().IgnoreError();  // logged there
        }) {}
  ~LoadThread() {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

 private:
  // False when it is time to stop.
  bool wait(absl::Duration interval) {
    std::unique_lock lock(mutex_);
    return !wake_.wait_for(lock, absl::ToChronoNanoseconds(interval), [this] { return stopped_; });
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;
  std::thread thread_;
};

// The threads that read, run and answer requests.
class RequestThreads {
 public:
  explicit RequestThreads(size_t count) : guard_(asio::make_work_guard(context_)) {
    for (size_t i = 0; i < count; ++i) threads_.emplace_back([this] { context_.run(); });
  }
  ~RequestThreads() { stop(); }
  asio::io_context& context() { return context_; }
  void stop() {
    context_.stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::vector<std::thread> threads_;
};

// A finished port file appears at once, never half written.
absl::Status write_port_file(const std::string& path, uint16_t rest, uint16_t grpc) {
  if (path.empty()) return absl::OkStatus();
  std::string draft = path + ".tmp";
  std::ofstream(draft) << nlohmann::json{{"rest", rest}, {"grpc", grpc}}.dump() << '\n';
  std::error_code error;
  fs::rename(draft, path, error);
  if (error) return absl::InternalError(base::cat("Cannot write --port-file ", path, ": ", error.message()));
  return absl::OkStatus();
}

// One run of the server, from ports to the end of the drain.
class Server {
 public:
  Server(const ServeOptions& options, ModelConfig config)
      : options_(options),
        clock_(control_.context()),
        backends_(options),
        slots_(slot_count(options)),
        threads_(slots_ + 1),
        gate_(slots_, options.queue_limit,
              [this](InferenceGate::Work work) { asio::post(threads_.context(), std::move(work)); }),
        context_{directory_, gate_, metrics_, clock_},
        router_(context_),
        repository_(
            std::move(config), [this](const std::string& folder) { return backends_.for_folder(folder); }, directory_,
            clock_) {}

  int run() {
    if (absl::Status listening = listen(); !listening.ok()) return fail("Internal", listening);
    asio::signal_set signals(control_.context(), SIGTERM, SIGINT);
    signals.async_wait([this](const boost::system::error_code& error, int signal) {
      if (!error) begin_drain(signal);
    });
    {
      LoadThread loader(repository_, absl::Seconds(options_.poll_seconds),
                        [this](absl::Status loaded) { control_.post([this, loaded] { on_first_load(loaded); }); });
      control_.run();
    }
    if (cut_) leave_at_once();
    if (grpc_drain_.joinable()) grpc_drain_.join();
    grpc_.reset();
    rest_.reset();
    threads_.stop();
    base::flush_logging();
    return exit_code_;
  }

 private:
  static size_t slot_count(const ServeOptions& options) {
    return options.concurrency ? options.concurrency : std::max(1u, std::thread::hardware_concurrency());
  }

  absl::Status listen() {
    net::HttpServerOptions http;
    http.address = options_.bind_address;
    http.port = options_.rest_port;
    http.max_body_bytes = options_.max_request_bytes;
    TG_ASSIGN_OR_RETURN(rest_, net::make_beast_http_server(threads_.context(), http, std::nullopt,
                                                           [this](net::ServerRequest request, net::Responder respond) {
                                                             router_.handle(std::move(request), std::move(respond));
                                                           }));
    GrpcServerOptions grpc;
    grpc.address = options_.bind_address;
    grpc.port = options_.grpc_port;
    grpc.max_message_bytes = options_.max_request_bytes;
    grpc.threads = slots_ + 1;
    TG_ASSIGN_OR_RETURN(grpc_, start_grpc_server(grpc, context_, [this] { return router_.ready(); }));
    base::log_info("listening", {{"rest", static_cast<int>(rest_->port())}, {"grpc", static_cast<int>(grpc_->port())}});
    return write_port_file(options_.port_file, rest_->port(), grpc_->port());
  }

  // A version that cannot be loaded at the start ends the process, so that Kubernetes shows why; one that fails later
  // is retried while the old one serves.
  void on_first_load(const absl::Status& loaded) {
    if (loaded.ok() || directory_.read()->ready()) return;
    exit_code_ = fail("ModelLoadFailed", loaded);
    control_.stop();
  }

  int fail(std::string_view reason, const absl::Status& error) {
    base::log_error("cannot serve", {{"error", error}});
    write_termination_message(options_.termination_log, reason, base::view(error.message()));
    base::flush_logging();
    return 1;
  }

  void begin_drain(int signal) {
    base::log_info("draining", {{"signal", signal}, {"seconds", options_.drain_seconds}});
    router_.begin_drain();
    rest_->announce_close();
    drain_timer_ = clock_.after(absl::Seconds(options_.drain_seconds), [this] { finish_in_flight(); });
    grace_timer_ = clock_.after(absl::Seconds(options_.grace_seconds), [this] {
      base::log_warning("grace period is over; requests in flight are cut", {{"running", uint64_t{gate_.running()}}});
      cut_ = true;
      control_.stop();
    });
  }

  // The router has had its time: finish what is in flight on both ports, then end.
  void finish_in_flight() {
    auto drained = [this] { control_.post([this] { on_port_drained(); }); };
    rest_->drain(drained);
    absl::Time deadline = clock_.now() + absl::Seconds(options_.grace_seconds);
    grpc_drain_ = std::thread([this, deadline, drained] {
      grpc_->drain(deadline);
      drained();
    });
  }

  void on_port_drained() {
    if (++ports_drained_ < 2) return;
    base::log_info("drained");
    control_.stop();
  }

  // A model that does not come back cannot be waited for: the process ends under it.
  [[noreturn]] void leave_at_once() {
    base::flush_logging();
    std::_Exit(1);
  }

  const ServeOptions& options_;
  base::Loop control_;
  base::SystemClock clock_;
  Backends backends_;
  ServableDirectory directory_;
  RequestMetrics metrics_;
  const size_t slots_;
  RequestThreads threads_;
  InferenceGate gate_;
  FrontEndContext context_;
  RestRouter router_;
  ModelRepository repository_;
  std::unique_ptr<net::HttpServer> rest_;
  std::unique_ptr<GrpcServer> grpc_;
  std::thread grpc_drain_;
  int ports_drained_ = 0;
  bool cut_ = false;
  std::unique_ptr<base::Clock::Timer> drain_timer_;
  std::unique_ptr<base::Clock::Timer> grace_timer_;
  int exit_code_ = 0;
};

}  // namespace

int serve(const ServeOptions& options) {
  base::LogLevel level = base::LogLevel::kInfo;
  base::LogFormat format = base::LogFormat::kText;
  absl::Status usable = base::parse_log_options(options.log_level, options.log_format, &level, &format);
  auto config = model_config(options);
  if (usable.ok()) usable = config.status();
  if (!usable.ok()) {
    base::log_error("cannot serve", {{"error", usable}});
    base::flush_logging();
    return 1;
  }
  base::init_logging(level, format);
  return Server(options, *std::move(config)).run();
}

}  // namespace tidegate::serving
