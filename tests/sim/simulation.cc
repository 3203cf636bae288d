#include "sim/simulation.h"

#include <cstdio>

#include "base/log.h"
#include "sim/scenario.h"

namespace tidegate::sim {
namespace {

constexpr size_t kTraceLines = 80;

}  // namespace

Outcome& Outcome::operator+=(const Outcome& other) {
  simulated += other.simulated;
  promoted += other.promoted;
  rolled_back += other.rolled_back;
  false_rollbacks += other.false_rollbacks;
  requests += other.requests;
  unanswered += other.unanswered;
  return *this;
}

Outcome run_seed(uint64_t seed, const SimulationOptions& options) {
  Scenario scenario(seed);
  scenario.run({});
  World& world = scenario.world();
  const Trace& trace = world.context.trace;
  Outcome outcome;
  outcome.seed = seed;
  outcome.violations = trace.violations();
  if (options.whole_trace) {
    outcome.trace = trace.text(0);
  } else if (trace.failed()) {
    outcome.trace = trace.text(kTraceLines);
  }
  outcome.hash = trace.hash();
  outcome.simulated = world.context.now() - Context::start();
  outcome.promoted = world.referee->promoted();
  outcome.rolled_back = world.referee->rolled_back();
  outcome.false_rollbacks = world.referee->false_rollbacks();
  outcome.requests = world.users->requests();
  outcome.unanswered = world.users->unanswered();
  return outcome;
}

bool init_log(const std::string& level) {
  base::LogLevel parsed = base::LogLevel::kError;
  base::LogFormat format = base::LogFormat::kText;
  const std::string known = level == "none" ? "error" : level;
  if (!base::parse_log_options(known, "text", &parsed, &format).ok()) return false;
  base::init_logging(parsed, format);
  return level != "none" || std::freopen("/dev/null", "w", stderr) != nullptr;
}

}  // namespace tidegate::sim
