#include "operator/controllers/modeldeployment/evidence.h"

#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "kube/types.h"
#include "operator/rendering/names.h"
#include "operator/rendering/workload.h"

namespace tidegate::operator_ {
namespace {

constexpr char kDataKey[] = "evidence.json";

std::string config_map_name(const std::string& object) { return base::cat(object, "-evidence"); }

kube::Json render(const api::ObjectMeta& object, std::string evidence) {
  return {{"metadata",
           {{"name", config_map_name(object.name)},
            {"namespace", object.namespace_},
            {"labels", {{kManagedByLabel, kManagedByValue}, {kDeploymentLabel, object.name}}},
            {"ownerReferences", kube::Json::array({owner_reference(object.name, object.uid)})}}},
          {"data", {{kDataKey, std::move(evidence)}}}};
}

}  // namespace

base::Task<absl::Status> EvidenceKeeper::load(kube::ObjectKey object, MeasurementWindow window, base::Scope& scope) {
  const kube::ObjectKey key{object.ns, config_map_name(object.name)};
  absl::StatusOr<kube::Json> json = co_await client_.get(kube::resources::config_maps(), key, scope);
  if (!json.ok() && !absl::IsNotFound(json.status())) co_return json.status();
  ledger_.open(object, window);
  if (!json.ok()) co_return absl::OkStatus();
  const absl::Status restored = ledger_.restore(object, kube::string_at(*json, {"data", kDataKey}));
  // Text that somebody else wrote there must not stop a rollout: measuring starts from nothing.
  if (!restored.ok()) base::log_warning("evidence not used", {{"object", object.to_string()}, {"error", restored}});
  co_return absl::OkStatus();
}

base::Task<absl::Status> EvidenceKeeper::save(const api::ObjectMeta& object, bool now_or_never, base::Scope& scope) {
  const kube::ObjectKey key{object.namespace_, object.name};
  if (!ledger_.dirty(key)) co_return absl::OkStatus();
  auto saved = saved_at_.find(key);
  const bool due = saved == saved_at_.end() || clock_.uptime() - saved->second >= kPeriod;
  if (!due && !now_or_never) co_return absl::OkStatus();
  saved_at_[key] = clock_.uptime();
  kube::ApplyOptions apply;
  apply.field_manager = kFieldManager;
  absl::StatusOr<kube::Json> written =
      co_await client_.apply(kube::resources::config_maps(), render(object, ledger_.evidence(key)), apply, scope);
  if (!written.ok()) {
    ledger_.mark_dirty(key);
    saved_at_.erase(key);
  }
  co_return written.status();
}

}  // namespace tidegate::operator_
