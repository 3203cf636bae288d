#pragma once
// A revision as Kubernetes objects. Pure: the same input gives the same bytes, and goldens in tests/operator show them.
#include <nlohmann/json.hpp>

#include <string>

#include "api/types.h"
#include "operator/rendering/revision.h"

namespace tidegate::operator_ {

// The pod template without the revision's own label: what a revision's name is made from.
nlohmann::json render_pod_template(const RevisionInput& input);

// The Deployment of a revision: an init container that fetches the model, the model server, `replicas` of it. Owned by
// the ModelDeployment, and with the annotations of names.h. Created once; later only its replicas change.
nlohmann::json render_deployment(const RevisionInput& input, const std::string& revision, const std::string& owner_uid,
                                 int replicas);

// The stable address of an object: a Service <name> that is another name of the gateway's.
nlohmann::json render_service(const api::ObjectMeta& object, const std::string& gateway_host);

// The controller reference of an object's children.
nlohmann::json owner_reference(const std::string& object, const std::string& uid);

}  // namespace tidegate::operator_
