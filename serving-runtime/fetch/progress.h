#pragma once
// Tells how a download goes: a bar that is redrawn on a terminal, else a line every few seconds.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace tidegate::serving {

class Progress {
 public:
  using Sink = std::function<void(std::string_view)>;

  // `clock` must outlive it.
  Progress(base::Clock& clock, bool terminal, Sink sink);
  // From here on it reports; `done` bytes of `total` are there already.
  void start(uint64_t total, uint64_t done);
  void add(uint64_t bytes);
  // Takes bytes back that have to be loaded again.
  void subtract(uint64_t bytes);
  // The last report; nothing after it.
  void finish();

  // "1.2 GiB of 4.0 GiB (30 %), 210 MiB/s, 14 s left"
  std::string line() const;

 private:
  void tick();
  void print(bool last);

  base::Clock& clock_;
  bool terminal_;
  Sink sink_;
  std::unique_ptr<base::Clock::Timer> timer_;
  uint64_t total_ = 0;
  uint64_t done_ = 0;
  double rate_ = 0;  // bytes/s, smoothed
  uint64_t done_at_tick_ = 0;
  absl::Duration last_tick_;
};

// "3 B", "1.2 GiB".
std::string format_bytes(double bytes);

}  // namespace tidegate::serving
