#pragma once
// Structured logging: a constant message and fields. spdlog behind it, asynchronous, the oldest line dropped (and
// counted) when the sink is slower than we are. Pure folders do not log.
#include <absl/status/status.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace tidegate::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

// Called once by main.cc; before it, text goes to stderr at info. Also spawns the log's own thread.
void init_logging(LogLevel level, LogFormat format);
// "debug" | "info" | "warning" | "error"; "text" | "json". INVALID_ARGUMENT names what is allowed.
absl::Status parse_log_options(std::string_view level, std::string_view format, LogLevel* out_level,
                               LogFormat* out_format);
// Writes out what is queued; call before the process ends.
void flush_logging();
// Lines dropped since the start because the sink was too slow.
uint64_t dropped_log_lines();

// One `key=value` of a line. Values are copied.
struct LogField {
  std::string_view key;
  std::string value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  LogField(std::string_view k, int64_t v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, int v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, uint64_t v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, double v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  LogField(std::string_view k, const absl::Status& v) : key(k), value(v.ToString()) {}
};

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
inline void log_debug(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::kDebug, m, f); }
inline void log_info(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::kInfo, m, f); }
inline void log_warning(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::kWarning, m, f); }
inline void log_error(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::kError, m, f); }

}  // namespace tidegate::base
