#include "serving-runtime/repository/load_waiters.h"

#include <utility>

#include "base/strings.h"

namespace tidegate::serving {
namespace {

absl::Status not_available(const std::map<std::string, absl::Status>& failed) {
  if (failed.empty()) return absl::OkStatus();
  std::string message = base::cat(failed.size(), " model(s) did not become available: {");
  for (const auto& [name, why] : failed) {
    base::append(message, base::cat("{name: ", name, " due to error: ", absl::StatusCodeToString(why.code()), ": ",
                                    why.message(), "}, "));
  }
  return absl::UnknownError(message + "}");
}

}  // namespace

void LoadWaiters::until_loaded(std::set<std::string> names, Done done) {
  waiters_.push_back({std::move(names), std::move(done)});
}

void LoadWaiters::until_gone(const std::string& name, Done done) {
  waiters_.push_back({{name}, std::move(done), true});
}

void LoadWaiters::serves(const std::string& name) {
  for (Waiter& waiter : waiters_) {
    if (!waiter.until_gone) waiter.names.erase(name);
  }
}

void LoadWaiters::failed(const std::string& name, const absl::Status& why) {
  for (Waiter& waiter : waiters_) {
    if (!waiter.until_gone && waiter.names.erase(name) > 0) waiter.failed[name] = why;
  }
}

void LoadWaiters::gone(const std::string& name) {
  for (Waiter& waiter : waiters_) {
    if (waiter.until_gone) waiter.names.erase(name);
  }
}

LoadWaiters::Finished LoadWaiters::take_finished() {
  Finished finished;
  for (auto waiter = waiters_.begin(); waiter != waiters_.end();) {
    if (!waiter->names.empty()) {
      ++waiter;
      continue;
    }
    const absl::Status status = not_available(waiter->failed);
    finished.calls_.emplace_back(std::move(waiter->done), LoadOutcome{status, std::move(waiter->failed)});
    waiter = waiters_.erase(waiter);
  }
  return finished;
}

LoadWaiters::Finished LoadWaiters::give_up(const absl::Status& why) {
  Finished finished;
  for (Waiter& waiter : waiters_) finished.calls_.emplace_back(std::move(waiter.done), LoadOutcome{why, {}});
  waiters_.clear();
  return finished;
}

}  // namespace tidegate::serving
