#include "serving-runtime/core/cohort.h"

#include <utility>

namespace tidegate::serving {
namespace {

thread_local Cohort* own = nullptr;

// Works may add others, which follow at once.
void run_all(std::vector<Cohort::Work>& works) {
  for (size_t i = 0; i < works.size(); ++i) {
    Cohort::Work work = std::move(works[i]);
    work();
  }
  works.clear();
}

}  // namespace

Cohort::Cohort(Takes takes, std::function<void()> on_first) : takes_(takes), on_first_(std::move(on_first)) {
  own = this;
}

Cohort::~Cohort() { own = nullptr; }

Cohort* Cohort::of_this_thread() { return own; }

void Cohort::add(absl::Duration expected, Work work) {
  const bool first = members_.empty();
  members_.push_back(std::move(work));
  expected_ += expected;
  if (running_) return;
  if (members_.size() >= kMostMembers || expected_ >= kQuick) return run();
  if (first && on_first_) on_first_();
}

void Cohort::run() {
  if (running_) return;
  running_ = true;
  while (!members_.empty()) {
    run_all(members_);
    expected_ = absl::ZeroDuration();
    run_all(answers_);
  }
  running_ = false;
}

void Cohort::answer(Work send) {
  if (own == nullptr || !own->running_) return send();
  own->answers_.push_back(std::move(send));
}

}  // namespace tidegate::serving
