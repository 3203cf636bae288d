#include "rollout/draft.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace tidegate::rollout {

using base::cat;

Draft::Draft(const Observed& observed_in) : observed(observed_in), status(plan.status) { status = observed_in.status; }

bool Draft::metrics_failing() const {
  const auto& error = observed.measurement_error;
  return error && now() - error->since >= kMeasurementsStaleAfter;
}

const Workload* Draft::workload(std::string_view revision) const {
  for (const Workload& workload : observed.workloads) {
    if (workload.revision == revision && workload.owner_uid == observed.metadata.uid) return &workload;
  }
  return nullptr;
}

int Draft::available(std::string_view revision) const {
  const Workload* found = workload(revision);
  return found == nullptr ? 0 : found->available;
}

int Draft::share(std::string_view revision) const {
  for (const api::TrafficShare& share : status.traffic) {
    if (share.revision == revision) return share.weight;
  }
  return 0;
}

const api::QuarantinedRevision* Draft::quarantined(std::string_view revision) const {
  for (const api::QuarantinedRevision& entry : status.quarantined) {
    if (entry.revision == revision) return &entry;
  }
  return nullptr;
}

const api::QuarantinedRevision* Draft::wanted_quarantine() const {
  if (!observed.wanted) return nullptr;
  const std::string& revision = observed.wanted->revision;
  if (status.stable && status.stable->revision == revision) return nullptr;
  return quarantined(revision);
}

void Draft::event(EventType type, std::string_view reason, std::string message) {
  plan.events.push_back({type, std::string(reason), std::move(message)});
}

void Draft::notify(std::string_view reason, std::string text) {
  plan.notifications.push_back({std::string(reason), std::move(text)});
}

void Draft::look_again_at(absl::Time time) {
  const absl::Duration after = std::max(time - now(), absl::Milliseconds(1));
  if (!plan.requeue_after || after < *plan.requeue_after) plan.requeue_after = after;
}

void Draft::wait_for(Wait wait, std::string message) {
  if (findings.wait != Wait::kNothing) return;
  findings.wait = wait;
  findings.wait_message = std::move(message);
}

void Draft::insist_on_wait(Wait wait, std::string message) {
  findings.wait = wait;
  findings.wait_message = std::move(message);
}

std::string version_name(std::string_view version) { return cat("version ", version); }

}  // namespace tidegate::rollout
