#pragma once
// How numbers are written in status, events and notifications. Used inside rollout.
#include <absl/time/time.h>

#include <cstdint>
#include <string>

namespace tidegate::rollout {

std::string percent(double share);         // 0.0042 -> "0.42 %"
std::string signed_percent(double share);  // 0.0042 -> "+0.42 %"
std::string grouped(int64_t number);       // 1204 -> "1,204"
std::string times(double factor);          // 1.5 -> "1.5 times"
std::string milliseconds(double ms);       // "12.3 ms"
std::string duration(absl::Duration d);    // "2m5s", whole seconds
std::string replicas(int n);               // "1 replica", "3 replicas"

}  // namespace tidegate::rollout
