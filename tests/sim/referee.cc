#include "sim/referee.h"

#include <algorithm>

#include "api/fields.h"
#include "api/json.h"
#include "api/json_visitors.h"
#include "base/strings.h"
#include "operator/rendering/names.h"
#include "traffic/applied_version.h"
#include "traffic/shares.h"

namespace tidegate::sim {
namespace {

using base::cat;

constexpr char kShares[] = "I1 shares";
constexpr char kUnready[] = "I2 weight on what does not serve";
constexpr char kTooFew[] = "I3 more weight than replicas carry";
constexpr char kDrain[] = "I4 drain";
constexpr char kReserve[] = "I5 reserve";
constexpr char kQuarantine[] = "I6 quarantine";
constexpr char kWriter[] = "I7 one writer";
constexpr char kMeasured[] = "I8 measurements";
constexpr char kVerified[] = "I9 verified";
constexpr char kRouting[] = "I10 routing";
constexpr char kJudgement[] = "I11 judgement";
constexpr char kBackwards[] = "I13 no way back";
constexpr char kDeadline[] = "I12 deadline";
constexpr char kNamesake[] = "I14 namesake";
constexpr char kLeaving[] = "I15 a deleted object is left alone";
constexpr char kFiles[] = "I16 files";

// Milliseconds are cut off where status is written.
constexpr absl::Duration kRounding = absl::Milliseconds(2);
// A replica that hears nothing for longer than this serves no proxies; until then its endpoints may be as old.
constexpr absl::Duration kStalest = absl::Minutes(4);
// The operator gives a gateway up after five minutes; its own line to it may have been cut before the gateway's was.
constexpr absl::Duration kGivenUp = absl::Minutes(3);
// A version this much worse is never promoted by what was measured.
constexpr double kClearlyWorse = 0.1;

int weight_of(const std::vector<api::TrafficShare>& shares, const std::string& revision) {
  for (const api::TrafficShare& share : shares) {
    if (share.revision == revision) return share.weight;
  }
  return 0;
}

std::string name_of(const api::ObjectMeta& meta) { return cat(meta.namespace_, "/", meta.name); }

std::string shares_text(const std::vector<api::TrafficShare>& shares) {
  std::string text;
  for (const api::TrafficShare& share : shares) {
    text += cat(text.empty() ? "" : " ", share.revision, ":", share.weight);
  }
  return text.empty() ? "nothing" : text;
}

std::string route_text(const AppliedRoute& route) {
  std::string text;
  for (const auto& [cluster, share] : route.clusters) {
    text += cat(text.empty() ? "" : " ", cluster.substr(cluster.rfind('/') + 1), ":", share);
  }
  return text.empty() ? "nothing" : text;
}

// Whether these shares, spread over the revisions that have endpoints, give this route. Which have any is told by the
// route itself.
bool leads_to(const std::vector<api::TrafficShare>& shares, const AppliedRoute& route) {
  std::vector<traffic::Arm> arms;
  int sum = 0;
  for (const auto& [cluster, share] : route.clusters) {
    arms.push_back({weight_of(shares, cluster.substr(cluster.rfind('/') + 1)), share > 0});
    sum += arms.back().weight;
  }
  if (sum != (shares.empty() ? 0 : 100)) return false;
  const std::vector<uint32_t> expected = traffic::effective_shares(arms);
  return std::equal(expected.begin(), expected.end(), route.clusters.begin(), route.clusters.end(),
                    [](uint32_t share, const auto& applied) { return share == applied.second; });
}

std::string who(const Exchange* by) { return by == nullptr ? "person" : by->replica; }

bool gained(const std::vector<api::HistoryEntry>& before, const api::HistoryEntry& entry) {
  return std::find(before.begin(), before.end(), entry) == before.end();
}

// Rule 3's measure.
int needed_to_carry(int weight, int desired) { return std::max(1, (weight * desired + 124) / 125); }

std::string phase_name(api::Phase phase) { return std::string(api::enum_name(phase)); }

}  // namespace

const api::ModelDeployment* Referee::object(const std::string& name) const {
  const auto found = truths_.find(name);
  return found == truths_.end() ? nullptr : &found->second.object;
}

// ---------------------------------------------------------------- what is seen

void Referee::lease_changed(const kube::Json& object) {
  const std::string before = std::exchange(holder_, kube::string_at(object, {"spec", "holderIdentity"}));
  epoch_ = kube::int_at(object, {"spec", "leaseTransitions"});
  if (holder_ == before) return;
  holds_since_ = context_.now();
  context_.note(holder_.empty() ? "nobody" : holder_, "holds the lease");
}

void Referee::pods_changed(const base::ObjectKey& deployment) {
  serving_.try_emplace(deployment.to_string());
  // Whether a pod counts depends on all of its object's.
  const std::string object = cat(deployment.ns, "/", deployment.name.substr(0, deployment.name.rfind('-') + 1));
  for (auto& [revision, history] : serving_) {
    if (!revision.starts_with(object)) continue;
    const int now = kubelet_.serving(revision.substr(deployment.ns.size() + 1));
    if (!history.empty() && history.back().second == now) continue;
    history.emplace_back(context_.now(), now);
    while (history.size() > 2 && history[1].first < context_.now() - absl::Minutes(10)) history.pop_front();
    context_.trace.mix(context_.now(), cat(revision, now));
  }
}

int Referee::most_serving(const std::string& revision, absl::Time since) const {
  const auto found = serving_.find(revision);
  int most = 0;
  if (found == serving_.end()) return most;
  const Serving& history = found->second;
  for (size_t i = 0; i < history.size(); ++i) {
    const bool lasted = i + 1 == history.size() || history[i + 1].first >= since;
    if (lasted) most = std::max(most, history[i].second);
  }
  return most;
}

int Referee::least_serving(const std::string& revision, absl::Time since) const {
  const auto found = serving_.find(revision);
  if (found == serving_.end() || found->second.front().first > since) return 0;
  const Serving& history = found->second;
  int least = history.back().second;
  for (size_t i = 0; i < history.size(); ++i) {
    const bool lasted = i + 1 == history.size() || history[i + 1].first >= since;
    if (lasted) least = std::min(least, history[i].second);
  }
  return least;
}

void Referee::gateways_about_to_change() {
  for (const Envoy* envoy : gateways_.running()) {
    for (const auto& [object, route] : envoy->routes()) {
      for (const auto& [cluster, share] : route.clusters) {
        if (share > 0) last_could_send_[cluster] = context_.now();
      }
    }
  }
}

bool Referee::some_gateway_sends_to(const std::string& cluster) const {
  const auto running = gateways_.running();
  return std::any_of(running.begin(), running.end(), [&](const Envoy* envoy) { return envoy->share(cluster) > 0; });
}

void Referee::gateways_changed() {
  for (const Envoy* envoy : gateways_.running()) {
    const uint64_t now = traffic::parse_applied_version(envoy->applied_version()).resource_version;
    const auto life = gateway_lives_.try_emplace({envoy->pod(), envoy->life()}, GatewayLife{context_.now()}).first;
    uint64_t& before = life->second.routes_version;
    if (now < before) violate(kBackwards, cat(envoy->pod(), " goes back from version ", before, " to ", now));
    before = std::max(before, now);
    check_routes(*envoy, life->second);
  }
  for (auto& [name, truth] : truths_) {
    if (truth.object.status.traffic.empty()) continue;
    for (const Envoy* envoy : gateways_.running()) {
      if (traffic::parse_applied_version(envoy->applied_version()).resource_version < truth.shares_version) continue;
      truth.applied.try_emplace({envoy->pod(), envoy->life()}, Applied{context_.now(), truth.requests});
      const auto route = envoy->routes().find(name);
      if (route == envoy->routes().end()) continue;
      for (const auto& [cluster, share] : route->second.clusters) {
        const std::string revision = cluster.substr(cluster.rfind('/') + 1);
        if (share == 0 || weight_of(truth.object.status.traffic, revision) > 0) continue;
        violate(kVerified, cat(envoy->pod(), " has applied ", envoy->applied_version(), " and sends to ", revision,
                               ", which has had no weight since version ", truth.shares_version));
      }
    }
  }
}

void Referee::check_routes(const Envoy& envoy, GatewayLife& life) {
  for (const auto& [object, written] : written_shares_) check_route(envoy, object, life.routes[object]);
}

// What a process sends by follows the shares in the order in which they were written; it may leave some out. Two shares
// may lead to the same route, so it is also held against those who sent it: none may know less than the one before, nor
// tell of an older object than it did itself.
void Referee::check_route(const Envoy& envoy, const std::string& object, GatewayRoute& before) {
  const auto found = envoy.routes().find(object);
  const AppliedRoute now = found == envoy.routes().end() ? AppliedRoute{} : found->second;
  if (now == before.applied) return;
  const auto& written = written_shares_.at(object);
  const auto reached = written.begin() + static_cast<std::ptrdiff_t>(before.reached);
  const auto fits = [&now](const WrittenShares& known) { return leads_to(known.shares, now); };
  const auto next = std::find_if(reached, written.end(), fits);  // the oldest leaves the most room for what comes
  const XdsSender& sender = envoy.routes_from();
  const auto say = [&](std::string_view why) {
    violate(kBackwards, cat(envoy.pod(), " sends to ", route_text(now), " of ", object, " after ",
                            route_text(before.applied), why));
  };
  if (next == written.end())
    return say(std::any_of(written.begin(), reached, fits) ? ": older" : ": nobody wrote that");
  if (!reached->shares.empty() && sender.models_seen <= reached->at) {
    return say(cat(": by ", sender.replica, ", which has not seen what was written before that"));
  }
  const bool falls = sender.replica == before.replica && now.resource_version < before.applied.resource_version;
  if (falls && now.resource_version > 0) return say(cat(": ", sender.replica, " goes back in time"));
  before = {now, sender.replica, static_cast<size_t>(next - written.begin())};
}

void Referee::requests_went(const Envoy& envoy, const std::string& cluster, RequestFate fate, uint64_t count) {
  const size_t slash = cluster.rfind('/');
  const std::string object = cluster.substr(0, slash);
  const std::string revision = cluster.substr(slash + 1);
  const auto found = truths_.find(object);
  if (found == truths_.end()) return;
  if (fate == RequestFate::kNoRoute) return check_no_route(envoy, found->second, count);
  found->second.requests[revision] += count;
  if (fate != RequestFate::kAnswered) check_unanswered(envoy, cluster, fate, count);
}

// A gateway that has started since then was configured by a replica that hears of the API server.
void Referee::check_no_route(const Envoy& envoy, const Truth& truth, uint64_t count) {
  const auto life = gateway_lives_.find({envoy.pod(), envoy.life()});
  if (!truth.shares_since || life == gateway_lives_.end()) return;
  if (life->second.configured_since < *truth.shares_since + kStalest) return;
  violate(kRouting, cat(count, " requests to ", name_of(truth.object.metadata), ": ", envoy.pod(),
                        " has started since it was given weights and knows none of them"));
}

void Referee::check_unanswered(const Envoy& envoy, const std::string& cluster, RequestFate fate, uint64_t count) {
  const size_t slash = cluster.rfind('/');
  const Truth& truth = truths_.at(cluster.substr(0, slash));
  // Routes of a deleted namesake: they went with it, as soon as the gateway gets to it.
  if (traffic::parse_applied_version(envoy.applied_version()).resource_version < truth.made_version) return;
  const std::string revision = cat(truth.object.metadata.namespace_, cluster.substr(slash));
  const auto deployment = deployments_.find(revision);
  // Of a deleted namesake: the object went, and everything with it.
  if (deployment == deployments_.end() || deployment->second.owner != truth.object.metadata.uid) return;
  if (!truth.given.contains(revision.substr(revision.find('/') + 1))) return;
  const auto say = [&](std::string_view what) {
    violate(kRouting, cat(count, " requests: ", envoy.pod(), " sends to ", revision, ", ", what));
  };
  if (fate == RequestFate::kUnknownCluster) return say("which it does not have");
  if (deployment->second.unwanted) return;
  if (deployment->second.replicas == 0) return say("which was scaled to nothing");
  if (options_.calm && least_serving(revision, context_.now() - absl::Seconds(5)) > 0) {
    return say("and none of the endpoints that it knows answers, in a run where nothing breaks");
  }
  const auto* endpoints = envoy.endpoints(cluster);
  const bool has_none = endpoints == nullptr || endpoints->empty();
  if (has_none && least_serving(revision, context_.now() - kStalest) > 0) {
    say("of which it knows no endpoint, though it has long served");
  }
}

// ---------------------------------------------------------------- ModelDeployments

void Referee::model_changed(const kube::Json& json, const Exchange* by) {
  absl::StatusOr<api::ModelDeployment> parsed = api::parse_model_deployment(json);
  if (!parsed.ok()) return violate("I0 schema", std::string(base::view(parsed.status().message())));
  const api::ModelDeployment& after = *parsed;
  const std::string name = name_of(after.metadata);
  auto known = truths_.find(name);
  if (known == truths_.end() || known->second.object.metadata.uid != after.metadata.uid) {
    Truth fresh;
    fresh.object.metadata = after.metadata;
    fresh.object.spec = after.spec;
    fresh.made_version = kube::resource_version_number(after.metadata.resource_version);
    fresh.ran_until = context_.now();
    known = truths_.insert_or_assign(name, std::move(fresh)).first;
  }
  Truth& truth = known->second;
  note_clock(truth);
  if (by != nullptr) check_status(truth, after, *by);
  tell(truth, after, by);
  const auto& retry = after.metadata.annotations.find(api::kRetryAnnotation);
  if (by == nullptr && retry != after.metadata.annotations.end()) truth.taken_back.erase(retry->second);
  const bool other_shares = truth.object.status.traffic != after.status.traffic;
  const bool other_rollout = !after.status.canary || !truth.object.status.canary ||
                             after.status.canary->started != truth.object.status.canary->started;
  if (other_rollout) truth.ran = absl::ZeroDuration();
  truth.object = after;
  if (after.metadata.deletion_timestamp && !truth.leaving_since) truth.leaving_since = context_.now();
  if (!after.status.traffic.empty() && !truth.shares_since) truth.shares_since = context_.now();
  for (const api::TrafficShare& share : after.status.traffic) truth.given.insert(share.revision);
  if (other_shares) {
    ++shares_written_;
    truth.shares_written = context_.now();
    truth.shares_version = kube::resource_version_number(after.metadata.resource_version);
    truth.applied.clear();
    written_shares_.try_emplace(name, 1).first->second.push_back({context_.now(), after.status.traffic});
  }
}

void Referee::model_deleted(const kube::Json& last) {
  const std::string name =
      cat(kube::string_at(last, {"metadata", "namespace"}), "/", kube::string_at(last, {"metadata", "name"}));
  context_.note(name, "is gone");
  truths_.erase(name);
  if (const auto written = written_shares_.find(name); written != written_shares_.end()) {
    written->second.push_back({context_.now(), {}});
  }
}

void Referee::note_clock(Truth& truth) {
  const bool paused = truth.object.spec.paused || truth.object.status.phase == api::Phase::kPaused;
  if (!paused && truth.object.status.canary) truth.ran += context_.now() - truth.ran_until;
  truth.ran_until = context_.now();
}

void Referee::tell(const Truth& before, const api::ModelDeployment& after, const Exchange* by) {
  const api::ModelDeploymentStatus& was = before.object.status;
  const api::ModelDeploymentStatus& is = after.status;
  const std::string name = name_of(after.metadata);
  if (by != nullptr) ++status_writes_;
  context_.trace.mix(context_.now(), cat(name, after.metadata.resource_version, is.summary));
  if (was.traffic != is.traffic) context_.note(who(by), cat(name, " shares ", shares_text(is.traffic)));
  if (was.phase != is.phase) context_.note(who(by), cat(name, " is ", phase_name(is.phase), ": ", is.summary));
  const int verified_before = was.canary ? was.canary->verified_weight : 0;
  if (is.canary && is.canary->verified_weight != verified_before) {
    context_.note(who(by), cat(name, " verified ", is.canary->revision, ":", is.canary->verified_weight));
  }
  for (const api::HistoryEntry& entry : is.history) {
    if (!gained(was.history, entry)) continue;
    context_.note(who(by), cat(name, " ends ", entry.revision, " (version ", entry.version,
                               "): ", api::enum_name(entry.outcome), " by ", entry.by, ": ", entry.message));
  }
}

void Referee::check_writer(const Exchange& by, const std::string& what) {
  const std::string replica = who(&by);
  if (by.holder_when_sent != replica) {
    violate(kWriter, cat(replica, " writes ", what, " while ",
                         by.holder_when_sent.empty() ? "nobody" : by.holder_when_sent, " holds the lease"));
  }
  const kube::Json body = kube::Json::parse(by.request.body, nullptr, false);
  const bool removes = by.request.method == "DELETE";
  if (by.request.method == "POST") return;  // a name is taken once
  const std::string version = removes ? kube::string_at(body, {"preconditions", "resourceVersion"})
                                      : kube::string_at(body, {"metadata", "resourceVersion"});
  if (version.empty()) violate(kWriter, cat(replica, " writes ", what, " without the resourceVersion that it saw"));
  if (removes && kube::string_at(body, {"preconditions", "uid"}).empty()) {
    violate(kWriter, cat(replica, " deletes ", what, " without its uid"));
  }
}

void Referee::check_status(Truth& truth, const api::ModelDeployment& after, const Exchange& by) {
  check_writer(by, cat("the status of ", name_of(after.metadata)));
  const int64_t epoch_before = truth.object.status.leader_epoch;
  if (after.status.leader_epoch < epoch_before) {
    violate(kWriter, cat("epoch falls from ", epoch_before, " to ", after.status.leader_epoch));
  }
  if (truth.object.status.traffic != after.status.traffic) {
    if (by.epoch_when_sent != after.status.leader_epoch) {
      violate(kWriter, cat("shares are written in epoch ", after.status.leader_epoch, " by the leader of epoch ",
                           by.epoch_when_sent));
    }
    check_shares(truth, after, &by);
    if (truth.leaving_since) violate(kLeaving, cat("shares become ", shares_text(after.status.traffic)));
  }
  check_available(after, by);
  check_verified(truth, after, by);
  check_numbers(truth, after);
  check_endings(truth, after);
  if (after.status.canary && truth.taken_back.contains(after.status.canary->revision)) {
    violate(kQuarantine, cat(after.status.canary->revision, " was taken back and is rolled out again"));
  }
}

void Referee::check_available(const api::ModelDeployment& after, const Exchange& by) {
  const auto check = [&](const auto& role) {
    if (!role) return;
    const int most = most_serving(cat(after.metadata.namespace_, "/", role->revision), by.round.pods);
    if (role->available <= most) return;
    violate(kVerified, cat("status says that ", role->available, " pods of ", role->revision, " serve where ", most,
                           " did at most"));
  };
  check(after.status.stable);
  check(after.status.canary);
}

void Referee::check_shares(const Truth& before, const api::ModelDeployment& after, const Exchange* by) {
  int sum = 0;
  std::set<std::string> seen;
  for (const api::TrafficShare& share : after.status.traffic) {
    sum += share.weight;
    if (share.weight < 0 || share.weight > 100 || !seen.insert(share.revision).second) sum = -1000;
  }
  if (sum != 100) violate(kShares, cat("shares are ", shares_text(after.status.traffic)));
  for (const api::TrafficShare& share : after.status.traffic) {
    if (share.weight <= weight_of(before.object.status.traffic, share.revision)) continue;
    check_given(before, after, share.revision, share.weight, *by);
  }
}

// A revision gets more than it had.
void Referee::check_given(const Truth& before, const api::ModelDeployment& after, const std::string& revision,
                          int weight, const Exchange& by) {
  const std::string ns = after.metadata.namespace_ + "/";
  const auto& status = after.status;
  if (before.taken_back.contains(revision)) {
    violate(kQuarantine, cat(revision, " was taken back and gets ", weight, " %"));
  }
  const auto deployment = deployments_.find(ns + revision);
  if (deployment != deployments_.end() && deployment->second.exists && deployment->second.owner != after.metadata.uid) {
    violate(kNamesake, cat(revision, " gets ", weight, " %, and belongs to a deleted object of this name"));
  }
  const int serving = most_serving(ns + revision, by.round.pods);
  std::string other;
  for (const api::TrafficShare& share : before.object.status.traffic) {
    if (share.revision != revision && share.weight > 0 && least_serving(ns + share.revision, by.round.pods) > 0) {
      other = share.revision;
    }
  }
  if (serving == 0 && !other.empty()) {
    violate(kUnready, cat(revision, " gets ", weight, " % without a pod that serves, while ", other, " has one"));
  }
  const bool is_canary = status.canary && status.canary->revision == revision;
  const bool stable_serves = status.stable && least_serving(ns + status.stable->revision, by.round.pods) > 0;
  const int needed = needed_to_carry(weight, after.spec.replicas);
  if (is_canary && stable_serves && serving < needed) {
    violate(kTooFew, cat(revision, " gets ", weight, " % with ", serving, " of ", needed, " replicas that serve"));
  }
}

// The last of the gateways that the writer could know of to have applied the present shares; null: one has not.
const Referee::Applied* Referee::verified(const Truth& truth, absl::Time gateways_seen, std::string* missing) const {
  const Applied* last = nullptr;
  for (const Envoy* envoy : gateways_.running()) {
    if (gateways_.shown_since(*envoy) > gateways_seen) continue;
    // Without routes it is not Ready, so no user reaches it; one that is out of reach as well is given up.
    if (!envoy->has_routes() && envoy->cut_for() > kGivenUp) continue;
    const auto applied = truth.applied.find({envoy->pod(), envoy->life()});
    if (applied == truth.applied.end()) {
      *missing = envoy->pod();
      return nullptr;
    }
    if (last == nullptr || applied->second.at > last->at) last = &applied->second;
  }
  return last;
}

void Referee::check_verified(Truth& truth, const api::ModelDeployment& after, const Exchange& by) {
  const auto& was = truth.object.status.canary;
  const auto& is = after.status.canary;
  if (!is || truth.object.status.traffic != after.status.traffic) return;
  const bool same = was && was->revision == is->revision;
  const bool says_weight = is->verified_weight > 0 && !(same && was->verified_weight == is->verified_weight);
  const bool says_time = is->measure_from && !(same && was->measure_from == is->measure_from);
  if (!says_weight && !says_time) return;
  std::string missing = "no gateway";
  const Applied* last = verified(truth, by.round.gateways, &missing);
  if (last == nullptr && !gateways_.running().empty()) {
    return violate(kVerified, cat("status says that every gateway has ", is->revision, ":", is->weight, ", but ",
                                  missing, " has not"));
  }
  if (says_weight && is->verified_weight != weight_of(truth.object.status.traffic, is->revision)) {
    violate(kVerified, cat("verifiedWeight is ", is->verified_weight, " where the shares are ",
                           shares_text(truth.object.status.traffic)));
  }
  if (says_time) truth.base_line = last == nullptr ? std::nullopt : std::optional(*last);
  if (says_time && last != nullptr && *is->measure_from < last->at - options_.largest_skew - kRounding) {
    violate(kMeasured, cat("measurements begin ", absl::FormatDuration(last->at - *is->measure_from),
                           " before the last gateway had the weights"));
  }
}

// What a verdict rests on happened, and happened after the weights were everywhere.
void Referee::check_numbers(const Truth& truth, const api::ModelDeployment& after) {
  const auto& canary = truth.object.status.canary;
  const auto& stable = truth.object.status.stable;
  if (!canary || !stable || !canary->measure_from) return;
  if (after.status.analysis == truth.object.status.analysis) return;
  if (!truth.base_line) return;  // said already
  const Applied& last = *truth.base_line;
  const auto happened = [&](const std::string& revision) {
    const auto now = truth.requests.find(revision);
    const auto then = last.requests.find(revision);
    return static_cast<int64_t>((now == truth.requests.end() ? 0 : now->second) -
                                (then == last.requests.end() ? 0 : then->second));
  };
  for (const api::AnalysisResult& check : after.status.analysis) {
    const int64_t of_canary = happened(canary->revision);
    const int64_t of_stable = happened(stable->revision);
    if (check.requests.canary <= of_canary && check.requests.stable <= of_stable) continue;
    return violate(kMeasured, cat("check ", check.check, " counts ", check.requests.canary, " and ",
                                  check.requests.stable, " requests of canary and stable where there were ", of_canary,
                                  " and ", of_stable, " since every gateway had the weights"));
  }
}

void Referee::check_endings(Truth& truth, const api::ModelDeployment& after) {
  for (const api::HistoryEntry& entry : after.status.history) {
    if (gained(truth.object.status.history, entry)) check_ending(truth, entry);
  }
}

void Referee::check_ending(Truth& truth, const api::HistoryEntry& entry) {
  const auto behaviour_of = [&](const std::string& version) {
    const auto found = kubelet_.behaviours.find(version);
    return found == kubelet_.behaviours.end() ? Behaviour{} : found->second;
  };
  const auto& stable = truth.object.status.stable;
  const Behaviour of_it = behaviour_of(entry.version);
  const Behaviour of_stable = stable ? behaviour_of(stable->version) : Behaviour{};
  const bool starts = !of_it.crashes && !of_it.fails_to_load;
  const bool no_worse = starts && of_it.errors <= of_stable.errors && of_it.milliseconds <= of_stable.milliseconds;
  switch (entry.outcome) {
    case api::Outcome::kPromoted:
      ++promoted_;
      truth.taken_back.clear();
      if (entry.by == "Analysis" && of_it.errors - of_stable.errors >= kClearlyWorse) {
        violate(kJudgement,
                cat("version ", entry.version, " fails ", of_it.errors, " of its requests and is promoted"));
      }
      return;
    case api::Outcome::kRolledBack:
    case api::Outcome::kAborted:
      ++rolled_back_;
      truth.taken_back.insert(entry.revision);
      if (entry.by == "Analysis" && no_worse && entry.message.find("no verdict") == std::string::npos) {
        ++false_rollbacks_;
      }
      if (options_.calm && no_worse && (entry.by == "Runtime" || entry.by == "Deadline")) {
        violate(kJudgement, cat("version ", entry.version, " is taken back by ", entry.by,
                                ", and nothing is wrong: ", entry.message));
      }
      break;
    case api::Outcome::kReplaced:
      break;
  }
  const absl::Duration allowed = truth.object.spec.rollout.progress_deadline;
  if (entry.by == "Deadline" && truth.ran + options_.largest_skew + kRounding < allowed) {
    violate(kDeadline, cat(entry.revision, " is past its deadline of ", absl::FormatDuration(allowed), " after ",
                           absl::FormatDuration(truth.ran), " that it was not paused"));
  }
}

// ---------------------------------------------------------------- Deployments

void Referee::deployment_changed(const kube::Json& json, const Exchange* by) {
  const std::string ns = kube::string_at(json, {"metadata", "namespace"});
  const std::string revision = kube::string_at(json, {"metadata", "name"});
  const std::string name = cat(ns, "/", revision);
  const int replicas = static_cast<int>(kube::int_at(json, {"spec", "replicas"}, 1));
  Deployment& known = deployments_[name];
  const bool is_new = !std::exchange(known.exists, true);
  const int before = std::exchange(known.replicas, replicas);
  if (replicas > 0) known.unwanted = false;
  for (const kube::Json& owner : kube::array_at(json, {"metadata", "ownerReferences"})) {
    known.owner = kube::string_at(owner, {"uid"});
  }
  known.version = kube::string_at(json, {"metadata", "annotations", operator_::kVersionAnnotation});
  known.digest = kube::string_at(json, {"metadata", "annotations", operator_::kSourceDigestAnnotation});
  if (by == nullptr || (!is_new && before == replicas)) return;
  check_writer(*by, name);
  check_child(*by, name, known, is_new);
  context_.note(who(by), is_new ? cat("makes ", name, " with ", replicas)
                                : cat("scales ", name, " from ", before, " to ", replicas));
  if (replicas > 0 || before == 0) return;
  const auto truth = truths_.find(by->object);
  known.unwanted = truth != truths_.end() && truth->second.object.spec.replicas == 0;
  check_scaled_to_nothing(by->object, revision, *by);
}

void Referee::deployment_deleted(const kube::Json& last, const Exchange* by) {
  const std::string ns = kube::string_at(last, {"metadata", "namespace"});
  const std::string revision = kube::string_at(last, {"metadata", "name"});
  Deployment& known = deployments_[cat(ns, "/", revision)];
  known.exists = false;
  known.replicas = 0;
  if (by == nullptr) return;
  check_writer(*by, cat(ns, "/", revision));
  check_child(*by, cat(ns, "/", revision), known, false);
  context_.note(who(by), cat("deletes ", ns, "/", revision));
  check_scaled_to_nothing(by->object, revision, *by);
}

// What the operator makes, scales and deletes is its object's own, and only while that is there to stay.
void Referee::check_child(const Exchange& by, const std::string& revision, const Deployment& known, bool is_new) {
  const auto found = truths_.find(by.object);
  if (found == truths_.end()) return;
  const Truth& truth = found->second;
  if (!is_new && known.owner != truth.object.metadata.uid) {
    violate(kNamesake, cat(revision, " belongs to a deleted object of this name, and is changed"));
  }
  if (truth.leaving_since && *truth.leaving_since < by.round.models) {
    violate(kLeaving, cat(revision, " is changed"));
  }
  if (!is_new) return;
  for (const auto& [name, other] : deployments_) {
    if (name == revision || !other.exists || other.owner != known.owner || other.version != known.version) continue;
    if (other.digest == known.digest) continue;
    violate(kFiles, cat(revision, " is made of version ", known.version, " after ", name,
                        " had been made of other files of that version"));
  }
}

void Referee::check_scaled_to_nothing(const std::string& object, const std::string& revision, const Exchange& by) {
  const auto found = truths_.find(object);
  if (found == truths_.end()) return;
  const Truth& truth = found->second;
  const api::ModelDeploymentSpec& spec = truth.object.spec;
  if (spec.replicas == 0) return;
  gateways_about_to_change();  // up to now
  const auto last = last_could_send_.find(cat(object, "/", revision));
  const absl::Duration drain = std::max(spec.rollout.scale_down_delay, spec.traffic.timeout + absl::Seconds(5));
  if (last != last_could_send_.end()) {
    const absl::Duration quiet = context_.now() - last->second;
    if (quiet + options_.largest_skew + kRounding < drain) {
      violate(kDrain, cat(revision, " loses its pods ", absl::FormatDuration(quiet),
                          " after a gateway could last send to it; ", absl::FormatDuration(drain), " are to pass"));
    }
  }
  const auto& stable = truth.object.status.stable;
  if (!stable || stable->revision == revision || truth.taken_back.contains(revision)) return;
  const std::string ns = object.substr(0, object.find('/') + 1);
  const int needed = needed_to_carry(100, spec.replicas);
  const bool was_stable = std::any_of(truth.object.status.history.begin(), truth.object.status.history.end(),
                                      [&](const api::HistoryEntry& entry) {
                                        return entry.revision == revision && entry.outcome == api::Outcome::kPromoted;
                                      });
  const bool no_room = std::any_of(kubelet_.pods().begin(), kubelet_.pods().end(),
                                   [](const auto& known) { return known.second.unschedulable; });
  if (!was_stable || no_room || most_serving(ns + revision, by.round.pods) == 0) return;
  if (most_serving(ns + stable->revision, by.round.pods) < needed) {
    violate(kReserve,
            cat(revision, " loses its pods while ", stable->revision, " has ",
                most_serving(ns + stable->revision, by.round.pods), " of ", needed, " that carry the traffic"));
  }
}

void Referee::evidence_changed(const std::string& name, const Exchange* by) {
  if (by != nullptr) check_writer(*by, name);
  context_.trace.mix(context_.now(), cat(name, by == nullptr ? "" : who(by)));
}

}  // namespace tidegate::sim
