#pragma once
// A clock of which each look at the uptime takes a millisecond: every step of a request takes as long as another.
#include "base/clock.h"

namespace tidegate::serving {

class TickingClock : public base::ManualClock {
 public:
  absl::Duration uptime() const override { return absl::Milliseconds(++looks_); }

 private:
  mutable int looks_ = 0;
};

}  // namespace tidegate::serving
