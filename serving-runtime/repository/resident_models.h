#pragma once
// Which of the configured models are loaded: those that were asked for last, as many as fit into --max-resident bytes.
//
//   request ─► need() ─► loaded? ── yes ─► runs at once, and the model stays while the request holds its ModelUse
//                          │ no
//                          └► waits ─► residency_planner ─► next_work() ─► ModelRepository loads or unloads ─► report
//
// A model that has never been loaded is expected to take more than its files as other models have turned out to.
//
// Requests and load threads meet here, behind one lock that nobody holds for long. It decides; ModelRepository acts,
// and tells what came of it.
#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "serving-runtime/core/model_demand.h"
#include "serving-runtime/repository/memory_guess.h"
#include "serving-runtime/repository/residency_planner.h"
#include "serving-runtime/repository/version_memory.h"

namespace tidegate::serving {

struct ResidencyOptions {
  uint64_t max_bytes = 0;
  size_t max_waiting = 1000;                       // requests; more are refused
  absl::Duration retry_pause = absl::Seconds(60);  // until a load that failed may be tried again
  // Runs something on a thread that answers requests, never before it returns.
  std::function<void(std::function<void()>)> post;
  // Asks for expire() to be called at that time of the wall clock, or soon after. Any thread.
  std::function<void(absl::Time)> wake_at = [](absl::Time) {};
};

class ResidentModels : public ModelDemand {
 public:
  // `clock` outlives it, and it the uses that it gives.
  ResidentModels(ResidencyOptions options, const base::Clock& clock) : options_(std::move(options)), clock_(clock) {}

  // ModelDemand. Any thread.
  void need(std::string_view model, absl::Time deadline, Then then) override;
  Counts counts() const override;

  // Ends the waiting of those whose deadline has passed. When to call it again; InfiniteFuture: nobody has one.
  absl::Time expire();

  // What follows is for ModelRepository, which calls next_work() after each of them. A model that was not added is
  // nothing to it.

  // `work`: there may be something for next_work(). Called by threads that answer requests, without a lock.
  void on_work(std::function<void()> work) { on_work_ = std::move(work); }
  // What to carry out next, kLoad or kUnload.
  std::optional<ResidencyAction> next_work();

  void add(const std::string& model);
  // Somebody wants it expressly: what failed may be tried again at once.
  void forget_failure(const std::string& model);
  // Whoever waits for it goes on, to find that it is gone.
  void remove(const std::string& model);
  // It is not loaded. How much it would take, or why it cannot be loaded. `gone`: nothing of it is in memory any more.
  void at_rest(const std::string& model, const absl::StatusOr<MemoryNeed>& need, bool gone);
  // It serves and takes so much.
  void loaded(const std::string& model, uint64_t bytes);
  // It was to be loaded and does not serve.
  void failed(const std::string& model, const absl::Status& why);
  // Nothing is loaded any more: whoever waits, or comes to wait, is refused.
  void stop();

 private:
  struct Waiter {
    absl::Time deadline;
    Then then;
  };
  // Of a model, beside what the planner knows.
  struct Details {
    uint64_t incarnation = 0;  // models come back under their names
    std::list<Waiter> waiters;
    uint64_t file_bytes = 0;  // 0: not known
    bool measured = false;    // else what it takes is a guess
    absl::Status unusable;    // nothing to load: why
    absl::Status failure;     // of the last load
    absl::Time retry_at = absl::InfinitePast();
    uint64_t loads = 0;
    uint64_t evictions = 0;
  };
  class Use;
  using Answers = std::vector<std::pair<Then, absl::StatusOr<ModelUse>>>;

  void release(const std::string& model, uint64_t incarnation);

  // With the lock held.
  ModelUse hold(const std::string& model, ModelResidence& residence);
  absl::Status why_not_wait(const Details& details, absl::Time deadline) const;
  void plan();
  bool loads_any() const;
  void carry_out(const ResidencyAction& action);
  // To all who wait for it; `answer` is asked for each of them.
  void answer_all(const std::string& model, absl::FunctionRef<absl::StatusOr<ModelUse>()> answer);
  void refuse_all(const std::string& model, const absl::Status& why);
  void begin_unload(const std::string& model);
  void learn(const std::string& model, Details& details, uint64_t bytes);
  uint64_t expected_bytes(const Details& details) const;
  // Lets go of it, and sends what there is to answer.
  void send_answers(std::unique_lock<std::mutex>& lock);

  const ResidencyOptions options_;
  const base::Clock& clock_;
  std::function<void()> on_work_ = [] {};

  mutable std::mutex mutex_;
  ModelResidences residences_;
  std::map<std::string, Details, std::less<>> details_;  // of the same models
  std::deque<ResidencyAction> work_;
  Answers answers_;       // that are sent when the lock is let go of
  uint64_t count_ = 0;    // of uses and of models that were asked for
  uint64_t waiting_ = 0;  // requests
  uint64_t added_ = 0;
  MemoryGuess guess_;
  bool stopped_ = false;
};

}  // namespace tidegate::serving
