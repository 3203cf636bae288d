#pragma once
// One replica of the operator: the shipped Process on its own loop and clock, with the world's network around it. It
// can be stopped and continued (SIGSTOP, SIGCONT), asked to end (SIGTERM) and killed (SIGKILL), and started again as
// another process.
#include <functional>
#include <memory>
#include <string>

#include "base/loop.h"
#include "base/random.h"
#include "operator/process.h"
#include "sim/api_line.h"
#include "sim/outside.h"
#include "sim/sim_clock.h"
#include "sim/xds_link.h"

namespace tidegate::sim {

class Replica {
 public:
  struct Surroundings {
    ApiLine::Server api;
    OutsideLine::Server outside;
    bool slow_starts = true;  // the API server may be slow or behind when a process starts
  };
  Replica(Context& context, std::string name, absl::Duration skew, Surroundings surroundings);
  ~Replica();

  const std::string& name() const { return name_; }
  absl::Duration skew() const { return skew_; }
  void start();
  void terminate();
  // At once, wherever it is: nothing of what it still wants to do gets out.
  void kill();
  bool exists() const { return life_ != nullptr; }
  int lives() const { return lives_; }

  void stop();
  void resume();
  bool stopped() const { return stopped_; }

  // Runs what is ready; whether anything was.
  bool run_ready();
  // The replica's timers, in the world's time.
  absl::Time next_due() const;
  void advance_to(absl::Time time);

  // Null while it does not exist.
  SimXdsServer* xds() const;
  ApiLine* api() const;
  OutsideLine* outside() const;
  bool is_ready() const;
  std::string page(const std::string& path) const;

 private:
  struct Life;
  static base::Task<void> run(Life& life);
  void slow_down(ApiLine& line);
  void bury();

  Context& context_;
  const std::string name_;
  const absl::Duration skew_;
  Surroundings surroundings_;
  int lives_ = 0;
  bool stopped_ = false;
  std::unique_ptr<Life> life_;
};

}  // namespace tidegate::sim
