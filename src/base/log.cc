#include "base/log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace tidegate::base {
namespace {

constexpr size_t kQueueLines = 2048;  // 430 bytes each, taken at the start

std::atomic<LogFormat> g_format{LogFormat::kText};

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = spdlog::stderr_logger_st("early");
  return instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

bool needs_quotes(std::string_view value) {
  return value.empty() || value.find_first_of(" \"=\n\t") != std::string_view::npos;
}

std::string json_string(std::string_view value) {
  // dump() with replacement: a value may hold bytes that are not UTF-8.
  return nlohmann::json(std::string(value)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string as_text(std::string_view message, std::initializer_list<LogField> fields) {
  std::string line(message);
  for (const LogField& field : fields) {
    line += cat(" ", field.key, "=", needs_quotes(field.value) ? json_string(field.value) : field.value);
  }
  return line;
}

std::string as_json(std::string_view message, std::initializer_list<LogField> fields) {
  std::string line = cat("\"message\":", json_string(message));
  for (const LogField& field : fields) line += cat(",", json_string(field.key), ":", json_string(field.value));
  return line;
}

}  // namespace

void init_logging(LogLevel level, LogFormat format) {
  g_format = format;
  spdlog::init_thread_pool(kQueueLines, 1);
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  logger() = std::make_shared<spdlog::async_logger>("tidegate", sink, spdlog::thread_pool(),
                                                    spdlog::async_overflow_policy::overrun_oldest);
  logger()->set_level(to_spdlog(level));
  logger()->flush_on(spdlog::level::warn);
  logger()->set_pattern(format == LogFormat::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
                                                   : "%Y-%m-%dT%H:%M:%S.%eZ %l %v",
                        spdlog::pattern_time_type::utc);
}

absl::Status parse_log_options(std::string_view level, std::string_view format, LogLevel* out_level,
                               LogFormat* out_format) {
  if (level == "debug")
    *out_level = LogLevel::kDebug;
  else if (level == "info")
    *out_level = LogLevel::kInfo;
  else if (level == "warning")
    *out_level = LogLevel::kWarning;
  else if (level == "error")
    *out_level = LogLevel::kError;
  else
    return absl::InvalidArgumentError(cat("log level '", level, "' is not debug, info, warning or error"));
  if (format == "text")
    *out_format = LogFormat::kText;
  else if (format == "json")
    *out_format = LogFormat::kJson;
  else
    return absl::InvalidArgumentError(cat("log format '", format, "' is not text or json"));
  return absl::OkStatus();
}

void flush_logging() {
  logger()->flush();
  if (spdlog::thread_pool() == nullptr) return;
  // The flush above is itself queued; dropping the logger and its pool waits for it.
  logger() = std::make_shared<spdlog::logger>("late", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  spdlog::shutdown();
}

uint64_t dropped_log_lines() {
  auto pool = spdlog::thread_pool();
  return pool ? pool->overrun_counter() : 0;
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  auto& target = logger();
  if (!target->should_log(to_spdlog(level))) return;
  target->log(to_spdlog(level), "{}",
              g_format.load(std::memory_order_relaxed) == LogFormat::kJson ? as_json(message, fields)
                                                                           : as_text(message, fields));
}

}  // namespace tidegate::base
