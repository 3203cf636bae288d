// The shares of this instant. A weight is written here first, is true when the proxies have it, and is measured from
// then on.

#include <algorithm>
#include <string>
#include <vector>

#include "base/strings.h"
#include "rollout/planners.h"
#include "rollout/stage.h"
#include "rollout/text.h"
#include "rollout/transitions.h"
#include "rollout/verification.h"

namespace tidegate::rollout {
namespace {

using base::cat;

constexpr int kAll = 100;
using Shares = std::vector<api::TrafficShare>;

// Stable and canary both serve: the canary's share.
int canary_weight(const Draft& draft) {
  const api::CanaryStatus& canary = *draft.status.canary;
  const Stage stage = stage_of(draft);
  if (!canary.step && !canary.promoted) return 0;
  const bool frozen = !canary.failure.empty();
  const bool enough = canary.available >= stage.required;
  const bool rises = stage.weight > canary.weight;
  // Waits that say "not further" are found before this planner runs; those below the weight itself do not matter here.
  const bool allowed = !rises || (!frozen && draft.findings.wait == Wait::kNothing);
  if (enough && allowed) return stage.weight;
  const int base = frozen ? canary.weight : stage.former_weight;
  const bool base_fits = canary.available >= required_for(draft, base);
  const int carried = base_fits ? base : std::min(base, weight_carried_by(canary.available, draft.desired()));
  return std::min(carried, stage.weight);
}

// Neither stable nor canary serves: whoever on its way out still can, the youngest first; nothing that is quarantined
// (rule 6).
std::string last_resort(const Draft& draft) {
  const auto& draining = draft.status.draining;
  for (auto entry = draining.rbegin(); entry != draining.rend(); ++entry) {
    if (draft.available(entry->revision) > 0 && draft.quarantined(entry->revision) == nullptr) return entry->revision;
  }
  return "";
}

Shares shares_of_this_instant(Draft& draft) {
  const api::ModelDeploymentStatus& status = draft.status;
  if (!status.stable) return status.traffic;
  const std::string& stable = status.stable->revision;
  const int canary_available = status.canary ? status.canary->available : 0;
  if (status.stable->available > 0) {
    const int weight = canary_available > 0 ? canary_weight(draft) : 0;
    Shares shares;
    if (weight < kAll) shares.push_back({stable, kAll - weight});
    if (weight > 0) shares.push_back({status.canary->revision, weight});
    return shares;
  }
  // Rule 2: to the one that serves, at once.
  const std::string other = canary_available > 0 ? status.canary->revision : last_resort(draft);
  if (!other.empty()) {
    draft.findings.served_by_fallback = true;
    return {{other, kAll}};
  }
  return status.traffic.empty() ? Shares{{stable, kAll}} : status.traffic;
}

int share_in(const Shares& shares, const std::string& revision) {
  for (const api::TrafficShare& share : shares) {
    if (share.revision == revision) return share.weight;
  }
  return 0;
}

// A revision that loses its last share starts to drain now; one that gets a share is not draining while it has it.
void restart_drains(Draft& draft, const Shares& before) {
  for (api::DrainingStatus& draining : draft.status.draining) {
    const int now_share = draft.share(draining.revision);
    const int former_share = share_in(before, draining.revision);
    if (now_share == former_share) continue;
    draining.verified_at.reset();
    draining.verified_resource_version.clear();
    if (now_share == 0) draining.since = draft.now();
  }
}

// What was just written no proxy can have.
void unverify(Draft& draft) {
  Verification& verification = draft.findings.verification;
  verification.complete = false;
  verification.behind.clear();
  for (const Proxy& proxy : draft.observed.proxies) {
    if (!proxy.excluded) verification.behind.push_back(proxy.name);
  }
}

void write_shares(Draft& draft, Shares shares) {
  const Shares before = std::exchange(draft.status.traffic, std::move(shares));
  draft.status.leader_epoch = draft.observed.leader_epoch;
  unverify(draft);
  restart_drains(draft, before);
  if (!draft.status.canary) return;
  api::CanaryStatus& canary = *draft.status.canary;
  canary.weight = draft.share(canary.revision);
  canary.since = draft.now();
  canary.measure_from.reset();
  draft.findings.verdict.reset();
  if (canary.weight > 0) draft.wait_for(Wait::kProxies);
  const int former = share_in(before, canary.revision);
  if (former == canary.weight) return;
  canary.last_progress = draft.now();  // the proxies get their time for each weight
  draft.event(EventType::kNormal, "WeightChanged",
              cat(version_name(canary.version), ": ", former, " % to ", canary.weight, " %"));
}

// A share left on a revision that has no role any more (everything was unavailable when it ended).
Shares without_strangers(const Draft& draft, Shares shares) {
  const auto has_role = [&](const std::string& revision) {
    const auto& status = draft.status;
    return (status.stable && status.stable->revision == revision) ||
           (status.canary && status.canary->revision == revision) || draft.available(revision) > 0;
  };
  const bool all_have =
      std::all_of(shares.begin(), shares.end(), [&](const auto& share) { return has_role(share.revision); });
  if (all_have || !draft.status.stable) return shares;
  return {{draft.status.stable->revision, kAll}};
}

// The canary's weight is where its stage wants it: measure from here.
void note_verified_weight(Draft& draft) {
  if (!draft.status.canary || !draft.findings.verification.complete) return;
  api::CanaryStatus& canary = *draft.status.canary;
  canary.verified_weight = canary.weight;
  if (canary.weight == 0 || canary.measure_from) return;
  // At 100 nothing is measured, but for a step that asks for it: its limits are absolute.
  const Stage stage = stage_of(draft);
  if (canary.weight == kAll && (stage.final || stage.weight != kAll)) return;
  canary.measure_from = draft.now();
  draft.status.analysis.clear();  // it was the former step's
  draft.look_again_at(draft.now() + kAnalysisPeriod);
  // Without checks nothing but its hold keeps the step.
  const auto step = static_cast<size_t>(stage.index);
  const auto& rollout = draft.rollout();
  if (rollout.analysis.checks.empty() && step < rollout.steps.size()) {
    draft.look_again_at(draft.now() + rollout.steps[step].hold);
  }
}

std::string numbers_of_the_analysis(const Draft& draft) {
  if (draft.status.analysis.empty()) return "no analysis";
  std::string text;
  for (const api::AnalysisResult& check : draft.status.analysis) {
    text += cat(text.empty() ? "" : "; ", check.message);
  }
  return text;
}

// All traffic is on the canary, the proxies say so, and it is all there (rule 5).
void finish_promotion(Draft& draft) {
  if (!draft.status.canary || !draft.status.stable || !draft.findings.verification.complete) return;
  const api::CanaryStatus& canary = *draft.status.canary;
  const Stage stage = stage_of(draft);
  const bool settled = canary.weight == kAll && stage.final && (canary.step || canary.promoted) &&
                       canary.available >= stage.required && canary.failure.empty();
  if (!settled || draft.observed.spec.paused) return;
  const bool by_person = canary.promoted;
  const absl::Time weight_written = canary.since.value_or(draft.now());
  promote_canary(draft, by_person ? "Person" : "Analysis",
                 by_person ? "a person asked for it" : numbers_of_the_analysis(draft));
  // The former stable's last share ended with the write that gave everything to the canary.
  draft.status.draining.back().since = weight_written;
  confirm_zero(draft, draft.status.draining.back());
  draft.findings.verdict.reset();
  draft.findings.wait = Wait::kNothing;
}

}  // namespace

void plan_traffic(Draft& draft) {
  Shares shares = without_strangers(draft, shares_of_this_instant(draft));
  if (shares != draft.status.traffic) {
    write_shares(draft, std::move(shares));
    return;
  }
  note_verified_weight(draft);
  finish_promotion(draft);
}

}  // namespace tidegate::rollout
