#include "sim/scenario.h"

#include <algorithm>
#include <utility>

#include "api/fields.h"
#include "api/json_visitors.h"
#include "base/strings.h"
#include "operator/stores.h"

namespace tidegate::sim {
namespace {

using base::cat;
using kube::Json;

WorldOptions draw_world(base::Random& random) {
  WorldOptions options;
  options.replicas = 2 + static_cast<int>(random.next() % 2);
  options.gateways = 2 + static_cast<int>(random.next() % 2);
  options.largest_skew = random.next() % 2 == 0 ? absl::ZeroDuration() : absl::Seconds(2);
  options.watch_list = random.next() % 4 != 0;
  return options;
}

FaultLevel draw_level(base::Random& random) {
  const double draw = random.uniform();
  return draw < 0.15 ? FaultLevel::kNone : draw < 0.5 ? FaultLevel::kSome : FaultLevel::kMany;
}

Json step(int weight) { return {{"weight", weight}}; }

std::string condition_reason(const api::ModelDeployment& model, const char* type) {
  for (const api::Condition& condition : model.status.conditions) {
    if (condition.type == type) return condition.reason;
  }
  return "";
}

}  // namespace

Scenario::Scenario(uint64_t seed) {
  base::SeededRandom draw(seed * 2 + 1);
  level_ = draw_level(draw);
  WorldOptions options = draw_world(draw);
  options.calm = level_ == FaultLevel::kNone;
  world_ = std::make_unique<World>(seed, options);
  make_versions();
  make_object("digits");
  if (world_->context.chance(0.4)) make_object("letters");
}

void Scenario::make_versions() {
  world_->kubelet->behaviours = {{"1", {}},
                                 {"2", {}},
                                 {"3", {.errors = 0.3}},
                                 {"4", {.milliseconds = 40}},
                                 {"5", {.fails_to_load = true}},
                                 {"6", {.crashes = true}},
                                 {"7", {.milliseconds = 6}},
                                 {"8", {.load = absl::Seconds(40)}}};
}

void Scenario::make_object(const std::string& name) {
  Object object;
  object.key = {"demo", name};
  for (const auto& [version, behaviour] : world_->kubelet->behaviours) world_->bucket.put_version(name, version, "e");
  object.spec = first_spec(name);
  object.asked = {"1"};
  objects_.push_back(std::move(object));
  world_->users->requests_per_second[cat("demo/", name)] = 40 + world_->context.pick(260);
  const size_t at = objects_.size() - 1;
  world_->context.schedule.after(world_->context.between(absl::Seconds(1), absl::Seconds(20)),
                                 [this, at] { apply(objects_[at]); });
}

Json Scenario::first_spec(const std::string& name) {
  Context& context = world_->context;
  Json steps = Json::array();
  switch (context.pick(4)) {
    case 0:
      steps = {step(10), step(50)};
      break;
    case 1:
      steps = {step(5), step(25), step(50)};
      break;
    case 2:
      steps = {step(25)};
      break;
    default:
      steps = {step(20), step(60)};
      steps[0]["hold"] = "20s";
  }
  if (context.chance(0.15)) steps[0]["pause"] = Json::object();
  const char* inconclusive[] = {"Hold", "Promote", "Rollback"};
  Json rollout = {{"steps", steps},
                  {"scaleDownDelay", context.chance(0.5) ? "5s" : "40s"},
                  {"progressDeadline", context.chance(0.5) ? "3m" : "6m"},
                  {"analysis", {{"maxDuration", "6m"}, {"onInconclusive", inconclusive[context.pick(3)]}}}};
  if (context.chance(0.1)) rollout["onFailure"] = "Pause";
  Json spec = {{"model",
                {{"uri", cat("s3://models/", name)},
                 {"version", "1"},
                 {"pollInterval", "20s"},
                 {"credentials", {{"secretName", "minio-credentials"}}}}},
               {"replicas", 1 + context.pick(4)},
               {"traffic", {{"timeout", context.chance(0.5) ? "2s" : "20s"}}},
               {"rollout", rollout}};
  if (context.chance(0.2)) spec["accelerator"] = {{"type", "gpu"}};
  return spec;
}

void Scenario::apply(Object& object) {
  if (object.deleted) return;
  world_->apply(object.key, object.spec);
}

// ---------------------------------------------------------------- people

void Scenario::plan_people(absl::Duration busy) {
  Context& context = world_->context;
  const int count = 3 + context.pick(5);
  for (int i = 0; i < count; ++i) {
    context.schedule.after(context.between(absl::Minutes(1), busy), [this] {
      act(objects_[static_cast<size_t>(world_->context.pick(static_cast<int>(objects_.size())))]);
    });
  }
}

void Scenario::act(Object& object) {
  Context& context = world_->context;
  const int draw = context.pick(21);
  if (draw < 10) {
    const std::string versions[] = {"2", "2", "7", "7", "1", "3", "4", "5", "6", "8"};
    return ask_for_version(object, versions[context.pick(10)]);
  }
  if (draw < 12) {
    const size_t count = object.asked.size();
    return ask_for_version(object, object.asked[count < 2 ? 0 : count - 2]);
  }
  if (draw < 14) {
    object.spec["replicas"] = context.chance(0.1) ? 0 : 1 + context.pick(5);
    context.note("person", cat("wants ", object.spec["replicas"].get<int>(), " replicas of ", object.key.name));
    return apply(object);
  }
  if (draw < 16) {
    object.spec["paused"] = true;
    context.note("person", cat("pauses ", object.key.name));
    apply(object);
    const size_t at = static_cast<size_t>(&object - objects_.data());
    return context.schedule.after(context.between(absl::Seconds(20), absl::Minutes(9)), [this, at] {
      objects_[at].spec["paused"] = false;
      world_->context.note("person", cat("resumes ", objects_[at].key.name));
      apply(objects_[at]);
    });
  }
  if (draw < 19) return command(object);
  recreate(object);
}

void Scenario::ask_for_version(Object& object, std::string version) {
  object.spec["model"]["version"] = version;
  object.asked.push_back(version);
  world_->context.note("person", cat("wants version ", version, " of ", object.key.name));
  apply(object);
}

void Scenario::command(Object& object) {
  Context& context = world_->context;
  const api::ModelDeployment* model = world_->referee->object(object.key.to_string());
  if (model == nullptr) return;
  const auto say = [&](const char* annotation, const std::string& argument) {
    context.note("person", cat("says ", annotation, "=", argument, " on ", object.key.name));
    world_->annotate(object.key, annotation, argument);
  };
  if (model->status.canary) {
    return say(context.chance(0.5) ? api::kAbortAnnotation : api::kPromoteAnnotation, model->status.canary->revision);
  }
  if (!model->status.quarantined.empty()) say(api::kRetryAnnotation, model->status.quarantined.back().revision);
}

void Scenario::recreate(Object& object) {
  Context& context = world_->context;
  context.note("person", cat("deletes ", object.key.name));
  object.deleted = true;
  const size_t at = static_cast<size_t>(&object - objects_.data());
  if (context.chance(0.6)) {
    world_->erase(object.key);
    return make_again(at);
  }
  context.note("world", cat("a finalizer keeps ", object.key.name));
  world_->mark_deleted(object.key);
  // Its spec can still be changed.
  context.schedule.after(context.between(absl::Seconds(1), absl::Seconds(4)), [this, at] {
    objects_[at].spec["replicas"] = 1 + world_->context.pick(5);
    world_->apply(objects_[at].key, objects_[at].spec);
  });
  context.schedule.after(context.between(absl::Seconds(5), absl::Minutes(2)), [this, at] {
    world_->erase(objects_[at].key);
    make_again(at);
  });
}

// Often before the last of its namesake is gone.
void Scenario::make_again(size_t at) {
  Context& context = world_->context;
  const absl::Duration latest = context.chance(0.5) ? absl::Seconds(4) : absl::Seconds(60);
  context.schedule.after(context.between(absl::Milliseconds(100), latest), [this, at] {
    objects_[at].deleted = false;
    world_->context.note("person", cat("makes ", objects_[at].key.name, " again"));
    apply(objects_[at]);
  });
}

// ---------------------------------------------------------------- faults

void Scenario::plan_faults(absl::Duration busy) {
  Context& context = world_->context;
  if (level_ == FaultLevel::kNone) return;
  const int count = level_ == FaultLevel::kSome ? 3 + context.pick(5) : 10 + context.pick(20);
  for (int i = 0; i < count; ++i) {
    const absl::Duration at = context.between(absl::Seconds(5), busy);
    context.schedule.after(at, [this, left = busy - at] { break_something(left); });
  }
}

void Scenario::until(absl::Duration left, absl::Duration low, absl::Duration high, std::function<void()> undo) {
  world_->context.schedule.after(std::min(left, world_->context.between(low, high)), std::move(undo));
}

void Scenario::break_something(absl::Duration left) {
  const int draw = world_->context.pick(22);
  if (draw < 5) return break_replica(left);
  if (draw < 10) return break_line(left);
  if (draw < 12) return break_api(left);
  if (draw < 16) return break_gateway(left);
  if (draw < 19) return break_pods(left);
  break_store(left);
}

void Scenario::break_replica(absl::Duration left) {
  Context& context = world_->context;
  Replica& replica = world_->pick_replica();
  const absl::Duration down = std::min(left, context.between(absl::Seconds(1), absl::Seconds(45)));
  switch (context.pick(6)) {
    case 5:
      return fail_over_to_the_blind(left);
    case 0:
      return world_->kill(replica, down);
    case 1:
      return world_->terminate(replica, absl::Seconds(1));
    case 2:
      return world_->stop(replica, std::min(left, context.between(absl::Seconds(3), absl::Seconds(90))));
    case 3:
      if (replica.api() != nullptr) replica.api()->crash_at_next_write = CrashPoint::kBeforeWrite;
      return;
    default:
      if (replica.api() != nullptr) replica.api()->crash_at_next_write = CrashPoint::kAfterWrite;
  }
}

// All standbys' watches stand still for as long as it returns.
absl::Duration Scenario::blind_standbys(absl::Duration left) {
  Context& context = world_->context;
  const absl::Duration blind = std::min(left, context.between(absl::Seconds(30), absl::Seconds(80)));
  for (const auto& replica : world_->replicas) {
    if (replica.get() == world_->leader() || replica->api() == nullptr) continue;
    context.note("fault", cat(replica->api()->replica(), " sees nothing new for ",
                              absl::FormatDuration(absl::Trunc(blind, absl::Seconds(1)))));
    replica->api()->faults.frozen.clear();
    replica->api()->faults.frozen_until = context.now() + blind;
  }
  return blind;
}

// The leader dies while the standbys see nothing, and pods with it.
void Scenario::fail_over_to_the_blind(absl::Duration left) {
  blind_standbys(left);
  const absl::Duration soon = world_->context.between(absl::Seconds(1), absl::Seconds(10));
  world_->context.schedule.after(std::min(left, soon), [this, left] {
    world_->kubelet->evict_one();
    world_->kubelet->evict_one();
    Replica* leader = world_->leader();
    if (leader != nullptr) world_->kill(*leader, std::min(left, absl::Seconds(40)));
  });
}

// In the middle of a rollout the proxies have just got shares that the standbys have not seen, and connect anew: half
// the time because the leader dies.
void Scenario::go_over_to_the_blind(absl::Duration left) {
  const absl::Time end = world_->context.now() + left;
  const auto rolls_out = [this](const Object& object) {
    const api::ModelDeployment* model = world_->referee->object(object.key.to_string());
    return model != nullptr && model->status.canary.has_value();
  };
  const auto any_rolls_out = [this, rolls_out] { return std::any_of(objects_.begin(), objects_.end(), rolls_out); };
  when(any_rolls_out, std::min(end, world_->context.now() + absl::Minutes(5)), [this, end] {
    const absl::Time sees_again = world_->context.now() + blind_standbys(end - world_->context.now());
    const auto changed = [this, before = world_->referee->shares_written()] {
      return world_->referee->shares_written() != before;
    };
    const absl::Duration way = world_->context.between(absl::Milliseconds(200), absl::Seconds(5));
    when(changed, sees_again - way,
         [this, way, end] { world_->context.schedule.after(way, [this, end] { move_gateways(end); }); });
  });
}

void Scenario::move_gateways(absl::Time end) {
  Context& context = world_->context;
  Replica* leader = world_->leader();
  if (leader != nullptr && context.chance(0.5)) {
    return world_->kill(*leader, std::clamp(end - context.now(), absl::ZeroDuration(), absl::Seconds(40)));
  }
  context.note("fault", "all gateways lose their connections");
  for (Envoy* envoy : world_->gateways->running()) envoy->reconnect();
  // One that knows nothing believes whatever it is told.
  Envoy* envoy = world_->gateways->pick();
  if (envoy != nullptr && context.chance(0.5)) world_->gateways->restart(*envoy);
}

// As soon as `condition` holds, at the latest at `deadline`.
void Scenario::when(std::function<bool()> condition, absl::Time deadline, std::function<void()> what) {
  Context& context = world_->context;
  if (context.now() >= deadline || condition()) return what();
  context.schedule.after(absl::Milliseconds(500),
                         [this, deadline, condition, what] { when(condition, deadline, what); });
}

// To an API server that lags behind: half the time just after shares have changed, which it then has not seen.
void Scenario::travel_back(Replica& replica, absl::Duration left) {
  Context& context = world_->context;
  const absl::Duration behind = context.between(absl::Seconds(5), absl::Minutes(2));
  const absl::Duration lasts = std::min(left, context.between(absl::Seconds(2), absl::Seconds(60)));
  const absl::Time end = context.now() + left;
  const auto go = [this, &replica, life = replica.lives(), behind, lasts, end] {
    Context& context = world_->context;
    if (!replica.exists() || replica.lives() != life || context.now() >= end) return;
    ApiLine* line = replica.api();
    context.note("fault", cat(line->replica(), " goes over to an API server that is ",
                              absl::FormatDuration(absl::Trunc(behind, absl::Seconds(1))), " behind"));
    line->travel_to(context.now() - behind, std::min(end, context.now() + lasts));
  };
  if (context.chance(0.5)) return go();
  const auto changed = [this, before = world_->referee->shares_written()] {
    return world_->referee->shares_written() != before;
  };
  when(changed, std::min(end, context.now() + absl::Minutes(2)), go);
}

// Half the time what happens meanwhile is history when it comes back, so that only a list can tell it; to bite, pods go
// in that time, and the replica soon leads.
void Scenario::cut_off(Replica& replica, absl::Duration left) {
  Context& context = world_->context;
  const absl::Time end = context.now() + left;
  const absl::Duration away = std::min(left, context.between(absl::Seconds(3), absl::Minutes(2)));
  const bool forgets = context.chance(0.5);
  context.note("fault", cat(replica.api()->replica(), " is cut off from the API server"));
  replica.api()->cut(true);
  for (int i = 0; forgets && i < 2; ++i) {
    context.schedule.after(context.between(absl::ZeroDuration(), away), [this] { world_->kubelet->delete_one(); });
  }
  context.schedule.after(away, [this, &replica, life = replica.lives(), forgets, end] {
    if (!replica.exists() || replica.lives() != life) return;
    Context& context = world_->context;
    if (forgets) world_->api().compact();
    replica.api()->cut(false);
    context.note("world", cat(replica.api()->replica(), " reaches the API server again",
                              forgets ? ", which has forgotten its history" : ""));
    Replica* leader = world_->leader();
    if (forgets && leader != nullptr && leader != &replica && context.chance(0.5)) {
      world_->kill(*leader, std::min(end - context.now(), absl::Seconds(40)));
    }
  });
}

void Scenario::break_line(absl::Duration left) {
  Context& context = world_->context;
  Replica& replica = world_->pick_replica();
  ApiLine* line = replica.api();
  if (line == nullptr) return;
  const int life = replica.lives();
  const auto same = [&replica, life] { return replica.exists() && replica.lives() == life; };
  switch (context.pick(6)) {
    case 5:
      return travel_back(replica, left);
    case 0:
      return cut_off(replica, left);
    case 1: {
      context.note("fault", cat(line->replica(), " has a bad connection to the API server"));
      line->faults.lose_request = 0.05;
      line->faults.lose_answer = 0.1;
      line->faults.delay_long = 0.05;
      return until(left, absl::Seconds(20), absl::Minutes(3), [&replica, same] {
        if (same()) replica.api()->faults = {};
      });
    }
    case 2: {
      const absl::Duration frozen = std::min(left, context.between(absl::Seconds(2), absl::Seconds(80)));
      const std::string models = operator_::model_deployments().path("");
      const std::string collections[] = {
          "", "", kube::resources::pods().path(""), kube::resources::pods().path("tidegate-system"), models, models};
      const std::string& collection = collections[context.pick(6)];
      context.note("fault", cat(line->replica(), " sees nothing new ", collection.empty() ? "" : "of ", collection,
                                " for ", absl::FormatDuration(absl::Trunc(frozen, absl::Seconds(1)))));
      line->faults.frozen = collection;
      line->faults.frozen_until = context.now() + frozen;
      return;
    }
    case 3:
      context.note("fault", cat("the watches of ", line->replica(), " break"));
      return line->break_watches();
    default:
      context.note("fault", cat(line->replica(), " reaches no gateway and no store"));
      replica.outside()->cut = true;
      until(left, absl::Seconds(5), absl::Seconds(90), [&replica, same] {
        if (same()) replica.outside()->cut = false;
      });
  }
}

void Scenario::for_each_line(const std::function<void(ApiLine&)>& what) {
  for (const auto& replica : world_->replicas) {
    if (replica->api() != nullptr) what(*replica->api());
  }
}

void Scenario::break_api(absl::Duration left) {
  Context& context = world_->context;
  switch (context.pick(5)) {
    case 4:
      context.note("fault", "somebody labels objects all the time");
      world_->meddling = 0.3;
      return until(left, absl::Seconds(20), absl::Minutes(3), [this] { world_->meddling = 0; });
    case 0:
      context.note("fault", "the API server forgets its history, and all watches end");
      world_->api().compact();
      return for_each_line([](ApiLine& line) { line.break_watches(); });
    case 1:
      context.note("fault", "the API server fails many requests");
      world_->api_errors = 0.3;
      return until(left, absl::Seconds(5), absl::Seconds(90), [this] { world_->api_errors = 0; });
    case 2:
      context.note("fault", "every watch ends with 410");
      return for_each_line([](ApiLine& line) { line.fail_watches(410, "Expired"); });
    default:
      context.note("fault", "the API server is down");
      world_->api_errors = 1;
      for_each_line([](ApiLine& line) { line.break_watches(); });
      until(left, absl::Seconds(10), absl::Minutes(5), [this] {
        world_->api_errors = 0;
        world_->context.note("world", "the API server is back");
      });
  }
}

void Scenario::break_gateway(absl::Duration left) {
  Context& context = world_->context;
  Envoy* envoy = world_->gateways->pick();
  if (envoy == nullptr) return;
  switch (context.pick(7)) {
    case 6:
      return go_over_to_the_blind(left);
    case 0:
      return world_->gateways->restart(*envoy);
    case 1:
      return world_->gateways->replace(*envoy);
    case 2:
      context.note("fault", cat(envoy->pod(), " is slow"));
      envoy->slowness = context.between(absl::Milliseconds(500), absl::Seconds(12));
      return until(left, absl::Seconds(10), absl::Minutes(2), [envoy] { envoy->slowness = absl::ZeroDuration(); });
    case 3:
      context.note("fault", cat(envoy->pod(), " rejects what it is sent"));
      envoy->rejects = true;
      return until(left, absl::Seconds(5), absl::Seconds(90), [envoy] {
        envoy->rejects = false;
        envoy->reconnect();
      });
    case 4:
      context.note("fault", cat(envoy->pod(), " loses its connection"));
      return envoy->reconnect();
    default: {
      context.note("fault", cat(envoy->pod(), " is cut off from the operator"));
      envoy->set_reachable(false);
      envoy->reconnect();
      // Longer than the operator waits for one that nobody sends to: this one is Ready unless it restarts.
      const bool long_cut = context.chance(0.3);
      until(left, long_cut ? absl::Minutes(5) : absl::Seconds(5), long_cut ? absl::Minutes(12) : absl::Minutes(3),
            [envoy] { envoy->set_reachable(true); });
    }
  }
}

void Scenario::break_pods(absl::Duration left) {
  Context& context = world_->context;
  switch (context.pick(5)) {
    case 4:
      return lose_node_after_promotion(left);
    case 0:
      return context.chance(0.5) ? world_->kubelet->evict_one() : world_->kubelet->delete_one();
    case 1:
      return world_->kubelet->crash_one();
    case 2:
      return world_->kubelet->lose_node(std::min(left, context.between(absl::Seconds(20), absl::Minutes(6))));
    default:
      context.note("fault", "there is no room for another pod");
      world_->kubelet->pods_per_node = 1;
      until(left, absl::Seconds(30), absl::Minutes(6), [this] {
        world_->context.note("world", "there is room for pods again");
        world_->kubelet->pods_per_node = 100;
      });
  }
}

// A successor loses pods, and does not get others for minutes, while its predecessor drains.
void Scenario::lose_node_after_promotion(absl::Duration left) {
  const absl::Time now = world_->context.now();
  const absl::Time end = now + left;
  const auto promoted = [this, before = world_->referee->promoted()] { return world_->referee->promoted() != before; };
  when(promoted, std::min(end, now + absl::Minutes(10)), [this, end] {
    const absl::Duration lasts = world_->context.between(absl::Seconds(20), absl::Minutes(6));
    world_->kubelet->lose_node(std::min(end - world_->context.now(), lasts));
  });
}

void Scenario::break_store(absl::Duration left) {
  Context& context = world_->context;
  Object& object = objects_[static_cast<size_t>(context.pick(static_cast<int>(objects_.size())))];
  switch (context.pick(4)) {
    case 3: {
      const std::string version = context.chance(0.7) ? object.asked.back() : "2";
      context.note("fault", cat("the files of version ", version, " of ", object.key.name, " are replaced"));
      world_->bucket.put_version(object.key.name, version, "other");
      object.replaced.insert(version);
      return until(left, absl::Seconds(10), absl::Minutes(6),
                   [this, name = object.key.name, version] { world_->bucket.put_version(name, version, "e"); });
    }
    case 0:
      context.note("fault", "the store answers 503");
      world_->bucket.fault = {503, "SlowDown"};
      return until(left, absl::Seconds(10), absl::Minutes(3), [this] { world_->bucket.fault.reset(); });
    case 1:
      context.note("fault", "the store is slow");
      world_->bucket.slowness = context.between(absl::Seconds(1), absl::Seconds(20));
      return until(left, absl::Seconds(10), absl::Minutes(3), [this] { world_->bucket.slowness = {}; });
    default: {
      const std::string version = context.chance(0.5) ? "2" : "7";
      context.note("fault", cat("version ", version, " of ", object.key.name, " is not in the store"));
      world_->bucket.remove_version(object.key.name, version);
      until(left, absl::Seconds(10), absl::Minutes(4),
            [this, name = object.key.name, version] { world_->bucket.put_version(name, version, "e"); });
    }
  }
}

void Scenario::mend_all() {
  Context& context = world_->context;
  context.note("world", "is left alone from now on");
  for (const auto& replica : world_->replicas) {
    if (replica->api() != nullptr) replica->api()->crash_at_next_write = CrashPoint::kNone;
  }
  for (Object& object : objects_) {
    if (!object.spec.value("paused", false)) continue;
    object.spec["paused"] = false;
    apply(object);
  }
}

// ---------------------------------------------------------------- coming to rest

void Scenario::run(const ScenarioOptions& options) {
  plan_people(options.busy);
  plan_faults(options.busy);
  world_->run(options.busy);
  if (world_->context.trace.failed()) return;
  mend_all();
  constexpr absl::Duration kAtRest = absl::Minutes(16);  // longer than a resync
  world_->run(options.quiet - kAtRest);
  if (world_->context.trace.failed()) return;
  check_rest();
  const uint64_t writes = world_->referee->status_writes();
  const bool all_settled = std::all_of(objects_.begin(), objects_.end(), [&](const Object& object) {
    const api::ModelDeployment* model = world_->referee->object(object.key.to_string());
    return model != nullptr && !model->status.canary && model->status.draining.empty();
  });
  world_->run(kAtRest);
  if (world_->context.trace.failed()) return;
  const uint64_t more = world_->referee->status_writes() - writes;
  if (all_settled && more > 0) {
    world_->context.trace.violate(world_->context.now(), "L2 fixed point",
                                  cat(more, " status writes while nothing happened"));
    return;
  }
  check_promptness();
}

// What a person writes is seen at once, also if somebody else's write comes between.
void Scenario::check_promptness() {
  for (Object& object : objects_) {
    object.spec["rollout"]["progressDeadline"] = "7m";
    world_->meddle_once(object.key);
    apply(object);
    world_->run(absl::Seconds(10));
    const api::ModelDeployment* model = world_->referee->object(object.key.to_string());
    if (world_->context.trace.failed() || model == nullptr) return;
    if (model->status.observed_generation == model->metadata.generation) continue;
    world_->context.trace.violate(world_->context.now(), "L5 promptness",
                                  cat(object.key.name, ": what a person wrote was not looked at for 10 s"));
  }
}

void Scenario::check_rest() {
  for (const Object& object : objects_) check_object(object);
}

void Scenario::check_object(const Object& object) {
  const api::ModelDeployment* model = world_->referee->object(object.key.to_string());
  Context& context = world_->context;
  if (object.deleted) return;
  const std::string why = model == nullptr ? "the object is gone" : why_not_at_rest(object, *model);
  if (!why.empty()) context.trace.violate(context.now(), "L1 coming to rest", cat(object.key.name, ": ", why));
}

std::string Scenario::why_not_at_rest(const Object& object, const api::ModelDeployment& model) {
  const auto& status = model.status;
  const std::string text = cat(api::enum_name(status.phase), ": ", status.summary);
  const Behaviour& wanted = world_->kubelet->behaviours.at(object.asked.back());
  switch (status.phase) {
    case api::Phase::kHealthy:
      return why_not_healthy(object, model);
    case api::Phase::kRolledBack:
      return "";
    case api::Phase::kPaused: {
      const bool step_pause = object.spec["rollout"]["steps"][0].contains("pause");
      return step_pause || object.spec["rollout"].contains("onFailure") ? "" : text;
    }
    case api::Phase::kDegraded:
      // Never anything that runs, or nothing that can be gone back to.
      return wanted.crashes || wanted.fails_to_load || model.spec.replicas == 0 ? "" : text;
    case api::Phase::kProgressing:
    case api::Phase::kPending: {
      // A revision was made of the other files: only a person can say which are meant.
      const bool refused = condition_reason(model, api::kModelResolved) == "DigestChanged";
      if (refused && object.replaced.contains(object.asked.back())) return "";
      const bool holds = condition_reason(model, api::kAnalysisPassing) == "Inconclusive";
      return holds || model.spec.replicas == 0 ? "" : text;
    }
  }
  return text;
}

std::string Scenario::why_not_healthy(const Object& object, const api::ModelDeployment& model) {
  const auto& stable = *model.status.stable;
  if (stable.version != object.asked.back()) return cat("Healthy with version ", stable.version);
  const int serving = world_->kubelet->serving(stable.revision);
  if (serving < model.spec.replicas) return cat("Healthy with ", serving, " pods that serve");
  for (const Envoy* envoy : world_->gateways->running()) {
    const uint32_t share = envoy->share(cat(object.key.to_string(), "/", stable.revision));
    if (model.spec.replicas > 0 && share != 10'000) {
      return cat("Healthy, and ", envoy->pod(), " sends ", share, " of 10,000 to ", stable.revision);
    }
  }
  return "";
}

}  // namespace tidegate::sim
