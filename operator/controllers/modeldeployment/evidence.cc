#include "operator/controllers/modeldeployment/evidence.h"

#include <algorithm>
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

bool belongs_to(const kube::Json& config_map, const std::string& uid) {
  const kube::Json metadata = config_map.value("metadata", kube::Json::object());
  const kube::Json owners = metadata.value("ownerReferences", kube::Json::array());
  return std::any_of(owners.begin(), owners.end(), [&uid](const kube::Json& owner) {
    return owner.value("controller", false) && owner.value("uid", "") == uid;
  });
}

}  // namespace

base::Task<absl::Status> EvidenceKeeper::load(base::ObjectKey object, std::string uid, MeasurementWindow window,
                                              base::Scope& scope) {
  const Known before = known_[object];
  if (before.resource_version && before.opened && *before.opened != window) {
    open(object, window);
    co_return absl::OkStatus();
  }
  absl::StatusOr<kube::Json> saved = co_await read(object, std::move(uid), scope);
  if (!saved.ok()) co_return saved.status();
  open(object, window);
  if (saved->is_null()) co_return absl::OkStatus();
  const absl::Status restored = ledger_.restore(object, kube::string_at(*saved, {"data", kDataKey}));
  // Text that somebody else wrote there must not stop a rollout: measuring starts from nothing.
  if (!restored.ok()) base::log_warning("evidence not used", {{"object", object.to_string()}, {"error", restored}});
  co_return absl::OkStatus();
}

base::Task<absl::StatusOr<kube::Json>> EvidenceKeeper::read(base::ObjectKey object, std::string uid,
                                                            base::Scope& scope) {
  const base::ObjectKey key{object.ns, config_map_name(object.name)};
  absl::StatusOr<kube::Json> json = co_await client_.get(kube::resources::config_maps(), key, scope);
  if (!json.ok() && !absl::IsNotFound(json.status())) co_return json.status();
  std::optional<std::string>& version = known_[object].resource_version;
  version = json.ok() ? kube::resource_version_of(*json) : "";
  if (!json.ok()) co_return kube::Json();
  if (belongs_to(*json, uid)) co_return json;
  version.reset();
  tell_of_foreign(object);
  co_return kube::Json();
}

// It is not ours to change, or a deleted namesake's: what is measured stays in memory until it is gone.
void EvidenceKeeper::tell_of_foreign(const base::ObjectKey& object) {
  if (std::exchange(known_[object].foreign_told, true)) return;
  base::log_warning("evidence is not saved: there is a ConfigMap of its name that this object does not own",
                    {{"object", object.to_string()}, {"configMap", config_map_name(object.name)}});
}

void EvidenceKeeper::open(const base::ObjectKey& object, const MeasurementWindow& window) {
  Known& known = known_[object];
  known.opened = window;
  known.saved_at = clock_.uptime();
  ledger_.open(object, window);
}

base::Task<absl::Status> EvidenceKeeper::save(const api::ObjectMeta& object, bool now_or_never, base::Scope& scope) {
  const base::ObjectKey key{object.namespace_, object.name};
  if (!ledger_.dirty(key)) co_return absl::OkStatus();
  const bool due = clock_.uptime() - known_[key].saved_at >= kPeriod;
  if (!due && !now_or_never) co_return absl::OkStatus();
  if (!known_[key].resource_version) {
    absl::StatusOr<kube::Json> saved = co_await read(key, object.uid, scope);
    if (!saved.ok()) co_return saved.status();
    if (!known_[key].resource_version) {
      known_[key].saved_at = clock_.uptime();
      co_return absl::OkStatus();
    }
    if (!ledger_.dirty(key)) co_return absl::OkStatus();  // the window was closed meanwhile
  }
  if (!may_write_()) co_return absl::CancelledError("this replica no longer holds the lease");
  kube::Json config_map = render(object, ledger_.evidence(key));
  const std::string expected = *known_[key].resource_version;
  absl::StatusOr<kube::Written> written = co_await write(std::move(config_map), expected, scope);
  Known& known = known_[key];
  if (written.ok()) {
    known.resource_version = written->resource_version;
    known.saved_at = clock_.uptime();
    co_return absl::OkStatus();
  }
  ledger_.mark_dirty(key);
  known.resource_version.reset();
  co_return written.status();
}

base::Task<absl::StatusOr<kube::Written>> EvidenceKeeper::write(kube::Json config_map, std::string resource_version,
                                                                base::Scope& scope) {
  if (resource_version.empty()) {
    absl::StatusOr<kube::Written> created =
        co_await client_.create(kube::resources::config_maps(), std::move(config_map), scope);
    co_return created;
  }
  const base::ObjectKey key{kube::string_at(config_map, {"metadata", "namespace"}),
                            kube::string_at(config_map, {"metadata", "name"})};
  config_map["metadata"]["resourceVersion"] = std::move(resource_version);
  absl::StatusOr<kube::Written> patched =
      co_await client_.merge_patch(kube::resources::config_maps(), key, std::move(config_map), kFieldManager, scope);
  co_return patched;
}

}  // namespace tidegate::operator_
