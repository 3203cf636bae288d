#include "serving-runtime/fetch/progress.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace tidegate::serving {
namespace {

constexpr absl::Duration kTerminalInterval = absl::Milliseconds(250);
constexpr absl::Duration kLineInterval = absl::Seconds(10);
// Weight of the newest interval in the smoothed rate.
constexpr double kNewest = 0.3;
constexpr int kBarWidth = 30;

std::string bar(double fraction) {
  const int full = static_cast<int>(fraction * kBarWidth);
  return base::cat("[", std::string(full, '#'), std::string(kBarWidth - full, '.'), "] ");
}

}  // namespace

std::string format_bytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? absl::StrFormat("%.0f B", bytes) : absl::StrFormat("%.1f %s", bytes, kUnits[unit]);
}

Progress::Progress(base::Clock& clock, bool terminal, Sink sink)
    : clock_(clock), terminal_(terminal), sink_(std::move(sink)) {}

void Progress::start(uint64_t total, uint64_t done) {
  total_ = total;
  done_ = done_at_tick_ = done;
  last_tick_ = clock_.uptime();
  tick();
}

void Progress::add(uint64_t bytes) { done_ += bytes; }
void Progress::subtract(uint64_t bytes) { done_ -= std::min(done_, bytes); }

void Progress::tick() {
  const double seconds = absl::ToDoubleSeconds(clock_.uptime() - last_tick_);
  if (seconds > 0) {
    const double newest = static_cast<double>(done_ - std::min(done_, done_at_tick_)) / seconds;
    rate_ = rate_ == 0 ? newest : kNewest * newest + (1 - kNewest) * rate_;
    done_at_tick_ = done_;
    last_tick_ = clock_.uptime();
    print(false);
  }
  timer_ = clock_.after(terminal_ ? kTerminalInterval : kLineInterval, [this] { tick(); });
}

void Progress::finish() {
  if (!timer_) return;
  timer_.reset();
  if (terminal_) print(true);
}

std::string Progress::line() const {
  const double fraction = total_ == 0 ? 1 : static_cast<double>(done_) / static_cast<double>(total_);
  std::string text = absl::StrFormat("%s of %s (%.0f %%), %s/s", format_bytes(static_cast<double>(done_)),
                                     format_bytes(static_cast<double>(total_)), 100 * fraction, format_bytes(rate_));
  if (rate_ > 0 && done_ < total_) {
    text += absl::StrFormat(", %.0f s left", static_cast<double>(total_ - done_) / rate_);
  }
  return text;
}

void Progress::print(bool last) {
  if (!terminal_) return sink_(base::cat("fetch: ", line(), "\n"));
  const double fraction = total_ == 0 ? 1 : std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  // Return to the line's beginning, write over it, clear the rest.
  sink_(base::cat("\r", bar(fraction), line(), "\x1b[K", last ? "\n" : ""));
}

}  // namespace tidegate::serving
