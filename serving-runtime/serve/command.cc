#include "serving-runtime/serve/command.h"

#include <utility>

#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <thread>

#include "base/log.h"
#include "base/loop.h"
#include "base/status.h"
#include "serving-runtime/repository/model_repository.h"
#include "serving-runtime/serve/config_file.h"
#include "serving-runtime/serve/loading.h"
#include "serving-runtime/serve/models.h"
#include "serving-runtime/serve/monitoring_config.h"
#include "serving-runtime/serve/ports.h"
#include "serving-runtime/serve/request_log.h"
#include "serving-runtime/server/polling_threads.h"
#include "serving-runtime/server/request_threads.h"
#include "serving-runtime/server/termination_message.h"

namespace tidegate::serving {
namespace {

namespace asio = boost::asio;

// The exit code.
int fail(const ServeOptions& options, std::string_view reason, const absl::Status& error) {
  base::log_error("cannot serve", {{"error", error}});
  write_termination_message(options.termination_log, reason, base::view(error.message()));
  base::flush_logging();
  return 1;
}

absl::Status check_times(const ServeOptions& options) {
  if (options.drain_seconds <= options.grace_seconds) return absl::OkStatus();
  return absl::InvalidArgumentError(base::cat("--drain-seconds=", options.drain_seconds,
                                              " is more than --grace-seconds=", options.grace_seconds,
                                              ", when the process ends in any case"));
}

// TensorFlow Serving takes them, too.
void warn_of_idle_flags(const ServeOptions& options) {
  if (options.config_poll_seconds > 0 && options.model_config_file.empty()) {
    base::log_warning("--model-config-poll-seconds is without effect: there is no --model-config-file");
  }
  if (options.batching_per_model && !options.batching) {
    base::log_warning("--enable-per-model-batching-parameters is without effect: there is no --enable-batching");
  }
}

// One run of the server, from ports to the end of the drain.
class Server {
 public:
  Server(const ServeOptions& options, FirstModels first, std::optional<BatchingOptions> batching,
         std::string tfs_metrics_path)
      : options_(options),
        clock_(control_.context()),
        backends_(options.backend, post_to_request_threads()),
        cache_(options.response_cache_bytes > 0 ? std::make_unique<ResponseCache>(options.response_cache_bytes)
                                                : nullptr),
        slots_(slot_count(options, batching)),
        residents_(options.max_resident_bytes > 0 ? std::make_unique<ResidentModels>(residency_options(), clock_)
                                                  : nullptr),
        polling_(polling_threads(), what_they_run()),
        threads_(slots_ + 1),
        gate_({slots_, options.queue_limit, options.concurrency_per_model}, post_to_request_threads()),
        context_{directory_, gate_, metrics_, clock_},
        repository_([this](const std::string& folder) { return backends_.for_folder(folder); }, directory_, clock_,
                    repository_options(options, load_options(std::move(batching)), residents_.get())),
        config_file_(options, std::move(first.config_text),
                     [this](std::vector<ModelConfig> changed) { reload(std::move(changed)); }),
        ports_(options, context_, clock_, std::move(tfs_metrics_path)) {
    if (options.model_control) context_.control = &repository_;
    context_.post = post_to_request_threads();
    context_.rules = tfs_rules(options);
    if (residents_) context_.demand = residents_.get(), metrics_.watch(*residents_);
    // In the table from now on, so that the server is not ready before they serve.
    repository_.reload(std::move(first.models),
                       [this](const auto& outcome) { control_.post([this, outcome] { on_first_load(outcome); }); });
  }

  int run() {
    if (absl::Status opened = backends_.open_ahead(); !opened.ok()) give_up("ModelLoadFailed", opened);
    if (absl::Status opened = open_log(); !opened.ok()) give_up("Internal", opened);
    if (absl::Status opened = open_ports(); !opened.ok()) give_up("Internal", opened);
    signals_.emplace(control_.context(), SIGTERM, SIGINT);
    await_signal();
    watch_config_file();
    {
      LoadThreads loaders(repository_, options_.load_threads);
      control_.run();
      if (cut_) leave_at_once(1);
      ports_.close();
      repository_.stop();
      if (!repository_.rests_within(absl::Milliseconds(200))) leave_loading();
    }
    threads_.stop();
    polling_.stop();
    request_log_.reset();
    base::flush_logging();
    return 0;
  }

 private:
  LoadOptions load_options(std::optional<BatchingOptions> batching) {
    LoadOptions loading;
    loading.batching = std::move(batching);
    loading.on_batch = [this](const std::string& model, const BatchRun& run) { metrics_.count_batch(model, run); };
    loading.on_load_step = [this](const std::string& folder, LoadStep step, const absl::Status& result,
                                  absl::Duration took) {
      step == LoadStep::kLoad ? metrics_.tfs().count_load(folder, result, took)
                              : metrics_.tfs().count_warm_up(folder, result, took);
    };
    loading.cache = cache_.get();
    if (cache_) metrics_.watch(*cache_);
    return loading;
  }

  ResidencyOptions residency_options() {
    ResidencyOptions residency;
    residency.max_bytes = options_.max_resident_bytes;
    residency.max_waiting = options_.queue_limit;
    residency.retry_pause = load_retry_pause(options_);
    residency.post = post_to_request_threads();
    residency.wake_at = [this](absl::Time deadline) { control_.post([this, deadline] { expire_at(deadline); }); };
    return residency;
  }

  // One timer, for the first deadline of those who wait for a model. Deadlines may be centuries away.
  void expire_at(absl::Time deadline) {
    if (deadline >= expiry_) return;
    expiry_ = std::min(deadline, clock_.now() + absl::Hours(1));
    expiry_timer_ = clock_.after(expiry_ - clock_.now(), [this] {
      expiry_ = absl::InfiniteFuture();
      expire_at(residents_->expire());
    });
  }

  static tfs::Rules tfs_rules(const ServeOptions& options) {
    tfs::Rules rules{options.check_method_names, options.grpc_tensor_content};
    if (options.rest_timeout_ms > 0) rules.rest_timeout = absl::Milliseconds(options.rest_timeout_ms);
    return rules;
  }

  // Requests that wait for their batch keep a slot each.
  static size_t slot_count(const ServeOptions& options, const std::optional<BatchingOptions>& batching) {
    const size_t cores = std::max(1u, std::thread::hardware_concurrency());
    if (options.concurrency != 0) return options.concurrency;
    if (!batching) return cores;
    return std::max(cores, static_cast<size_t>(std::min<int64_t>(128, batching->max_batch_size)) * 2);
  }

  // That read and answer requests, of each of the two ports: more than are needed hand requests to and fro.
  static size_t polling_threads() { return std::max(1u, std::thread::hardware_concurrency() / 4); }

  // Requests wait for the others of their batch.
  Cohort::Takes what_they_run() const { return options_.batching ? Cohort::Takes::kNone : Cohort::Takes::kQuickOnes; }

  std::function<void(std::function<void()>)> post_to_request_threads() {
    return [this](std::function<void()> work) { threads_.post(std::move(work)); };
  }

  absl::Status open_log() {
    TG_ASSIGN_OR_RETURN(request_log_, open_request_log(options_.request_log, clock_));
    if (!request_log_) return absl::OkStatus();
    context_.recorder = request_log_.get();
    metrics_.watch(*request_log_);
    return absl::OkStatus();
  }

  absl::Status open_ports() {
    return ports_.open(polling_, what_they_run(),
                       [this](const auto& config, auto done) { reload(config, std::move(done)); });
  }

  void reload(const tensorflow::serving::ModelServerConfig& config, std::function<void(absl::Status)> done) {
    auto models = to_model_configs(config, model_defaults(options_));
    if (!models.ok()) return done(models.status());
    repository_.reload(*std::move(models), [done = std::move(done)](const auto& outcome) {
      if (!outcome.status.ok()) base::log_error("ReloadConfig failed", {{"error", outcome.status}});
      done(outcome.status);
    });
  }

  void reload(std::vector<ModelConfig> models) {
    repository_.reload(std::move(models), [](const auto& outcome) {
      if (!outcome.status.ok())
        base::log_error("the changed model config file has a fault", {{"error", outcome.status}});
    });
  }

  void watch_config_file() {
    if (options_.model_config_file.empty() || options_.config_poll_seconds == 0) return;
    config_timer_ = clock_.after(absl::Seconds(options_.config_poll_seconds), [this] {
      config_file_.look();
      watch_config_file();
    });
  }

  // A version that cannot be loaded at the start ends the process, so that Kubernetes shows why; one that fails later
  // is retried while the old one serves.
  void on_first_load(const ModelRepository::Outcome& outcome) {
    // Some are not wanted any more: an operator or a changed config file was faster.
    const auto failed = std::find_if(outcome.failed.begin(), outcome.failed.end(),
                                     [](const auto& model) { return !absl::IsCancelled(model.second); });
    if (failed == outcome.failed.end()) return;
    give_up("ModelLoadFailed", outcome.failed.size() == 1 ? failed->second : outcome.status);
  }

  // Who types Ctrl-C once more does not want to wait for the end of the drain.
  void await_signal() {
    signals_->async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (!drain_timer_) {
        begin_drain(signal);
      } else if (signal == SIGINT) {
        base::log_warning("interrupted while draining; requests in flight are cut", {{"running", gate_.running()}});
        leave_at_once(1);
      }
      await_signal();
    });
  }

  void begin_drain(int signal) {
    base::log_info("draining", {{"signal", signal}, {"seconds", options_.drain_seconds}});
    ports_.begin_drain();
    config_timer_.reset();
    if (!residents_) repository_.stop();  // else requests that still come may need a model
    drain_timer_ = clock_.after(absl::Seconds(options_.drain_seconds), [this] { finish_in_flight(); });
    grace_timer_ = clock_.after(absl::Seconds(options_.grace_seconds), [this] {
      base::log_warning("grace period is over; requests in flight are cut", {{"running", gate_.running()}});
      cut_ = true;
      control_.stop();
    });
  }

  // The router has had its time: finish what is in flight on both ports, then end.
  void finish_in_flight() {
    repository_.stop();
    ports_.drain([this] {
      control_.post([this] {
        base::log_info("drained");
        control_.stop();
      });
    });
  }

  // At once: requests that are on their way need not be answered by a server that cannot start.
  [[noreturn]] void give_up(std::string_view reason, const absl::Status& error) {
    leave_at_once(fail(options_, reason, error));
  }

  // A model that does not come back cannot be waited for: the process ends under it.
  [[noreturn]] void leave_at_once(int code) {
    base::flush_logging();
    std::_Exit(code);
  }

  // Nor can a load of which nobody is served: it may take minutes.
  [[noreturn]] void leave_loading() {
    base::log_info("a model that is still being loaded is given up");
    if (ports_.is_drained()) request_log_.reset();  // writes what waits
    leave_at_once(0);
  }

  const ServeOptions& options_;
  base::Loop control_;
  base::SystemClock clock_;
  std::optional<asio::signal_set> signals_;
  ServingBackends backends_;
  ServableDirectory directory_;
  RequestMetrics metrics_;
  const std::unique_ptr<ResponseCache> cache_;
  std::unique_ptr<RequestLog> request_log_;
  const size_t slots_;
  const std::unique_ptr<ResidentModels> residents_;  // null: all models are loaded
  PollingThreads polling_;                           // of REST
  RequestThreads threads_;
  InferenceGate gate_;
  FrontEndContext context_;
  ModelRepository repository_;
  ConfigFileWatch config_file_;
  Ports ports_;
  std::unique_ptr<base::Clock::Timer> config_timer_;
  absl::Time expiry_ = absl::InfiniteFuture();
  std::unique_ptr<base::Clock::Timer> expiry_timer_;
  bool cut_ = false;
  std::unique_ptr<base::Clock::Timer> drain_timer_;
  std::unique_ptr<base::Clock::Timer> grace_timer_;
};

}  // namespace

int serve(const ServeOptions& options) {
  base::LogLevel level = base::LogLevel::kInfo;
  base::LogFormat format = base::LogFormat::kText;
  absl::Status usable = base::parse_log_options(options.log_level, options.log_format, &level, &format);
  base::init_logging(level, format);
  std::signal(SIGPIPE, SIG_IGN);  // a request log may be a pipe
  if (usable.ok()) usable = check_times(options);
  auto first = first_models(options);
  if (usable.ok()) usable = first.status();
  auto batching = batching_options(options);
  if (usable.ok()) usable = batching.status();
  auto metrics_path = options.monitoring_config_file.empty() ? absl::StatusOr<std::string>("")
                                                             : read_monitoring_path(options.monitoring_config_file);
  if (usable.ok()) usable = metrics_path.status();
  if (usable.ok()) usable = check(options.foreign);
  if (!usable.ok()) return fail(options, "Internal", usable);
  for (const std::string& note : notes(options.foreign)) base::log_warning(note);
  warn_of_idle_flags(options);
  return Server(options, *std::move(first), *std::move(batching), *std::move(metrics_path)).run();
}

}  // namespace tidegate::serving
