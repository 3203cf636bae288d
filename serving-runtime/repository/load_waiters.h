#pragma once
// Those who wait until models serve, or have gone. Pure bookkeeping: model_repository.h says what becomes of models,
// and calls back those for whom nothing is left to wait for, outside of its lock.
#include <absl/status/status.h>

#include <functional>
#include <list>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace tidegate::serving {

struct LoadOutcome {
  absl::Status status;                         // OK: each of the models serves, or can be loaded on demand, or has gone
  std::map<std::string, absl::Status> failed;  // those that do not, and why
};

class LoadWaiters {
 public:
  using Done = std::function<void(const LoadOutcome&)>;

  // `names`: one at least. `done` gets UNKNOWN, in TensorFlow Serving's words, when one could not be loaded.
  void until_loaded(std::set<std::string> names, Done done);
  void until_gone(const std::string& name, Done done);

  // What has become of a model.
  void serves(const std::string& name);
  void failed(const std::string& name, const absl::Status& why);  // it does not serve
  void gone(const std::string& name);

  // Calls them back.
  class Finished;
  Finished take_finished();
  // All who still wait get that.
  Finished give_up(const absl::Status& why);

 private:
  struct Waiter {
    std::set<std::string> names;
    Done done;
    bool until_gone = false;
    std::map<std::string, absl::Status> failed = {};
  };

  std::list<Waiter> waiters_;
};

class LoadWaiters::Finished {
 public:
  void call() const {
    for (const auto& [done, outcome] : calls_) done(outcome);
  }

 private:
  friend LoadWaiters;
  std::list<std::pair<Done, LoadOutcome>> calls_;
};

}  // namespace tidegate::serving
