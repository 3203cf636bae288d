#pragma once
// observe: one immutable picture of an object and its surroundings, for the planner. Reads stores and observers'
// results only; never the network.
#include <absl/time/time.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/controllers/modeldeployment/traffic_versions.h"
#include "operator/observers/gateways.h"
#include "operator/observers/measurement_ledger.h"
#include "operator/observers/model_resolver.h"
#include "operator/rendering/revision.h"
#include "operator/stores.h"
#include "rollout/observed.h"

namespace tidegate::operator_ {

// Where the gatherer looks. Everything must outlive it.
struct GatherSources {
  const Stores& stores;
  const ModelResolver& resolver;
  const MeasurementLedger& ledger;
  const TrafficVersions& traffic_versions;
  RevisionFinder& revisions;
  std::function<GatewayView(const base::ObjectKey&)> gateways;
  std::function<std::optional<rollout::TrafficError>(const base::ObjectKey&)> traffic_error;
};

// What the planner sees, and what the executor needs to carry out a CreateWorkload of the wanted revision.
struct Gathered {
  std::shared_ptr<const api::ModelDeployment> object;
  rollout::Observed observed;
  std::optional<RevisionInput> wanted_input;  // set with observed.wanted
};

struct GatherOptions {
  absl::Time now;
  int64_t leader_epoch = 0;
  std::optional<absl::Time> status_written;
  std::optional<rollout::CreateError> create_error;  // used if it is about the wanted revision
  std::string cluster_domain = "cluster.local";
};

// nullopt when there is no such object.
std::optional<Gathered> gather(const base::ObjectKey& key, const GatherSources& sources, const GatherOptions& options);

}  // namespace tidegate::operator_
