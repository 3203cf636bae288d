#include "operator/rendering/revision.h"

#include <nlohmann/json.hpp>

#include <utility>

#include "api/json.h"
#include "base/digest.h"
#include "base/strings.h"
#include "operator/rendering/workload.h"

namespace tidegate::operator_ {
namespace {

// Keys of a nlohmann object are sorted, so equal values give equal text.
std::string hash(const nlohmann::json& value, size_t digits) {
  const std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return base::sha256_hex(text).substr(0, digits);
}

}  // namespace

RevisionInput revision_input(const api::ModelDeployment& object, const ModelSource& source,
                             std::shared_ptr<const api::ServingRuntime> runtime) {
  RevisionInput input;
  input.namespace_ = object.metadata.namespace_;
  input.object = object.metadata.name;
  input.runtime_overrides = object.spec.runtime;
  input.accelerator = object.spec.accelerator;
  if (object.spec.model.credentials) input.credentials_secret = object.spec.model.credentials->secret_name;
  input.source = source;
  input.runtime = std::move(runtime);
  return input;
}

std::string revision_name(const RevisionInput& input) {
  return base::cat(input.object, "-", hash(render_pod_template(input), 8));
}

std::string request_hash(const RevisionInput& input) {
  api::ModelDeploymentSpec asked;
  asked.model.uri = input.source.uri;
  asked.model.version = input.source.version;
  if (!input.credentials_secret.empty()) asked.model.credentials = api::Credentials{input.credentials_secret};
  asked.runtime = input.runtime_overrides;
  asked.accelerator = input.accelerator;
  nlohmann::json all = api::to_json(asked);
  // Only what changes a pod. `follow` says how to treat a later edit; the rest of spec was never filled in.
  const nlohmann::json relevant = {{"model", all["model"]},
                                   {"runtime", all["runtime"]},
                                   {"accelerator", all["accelerator"]},
                                   {"sourceDigest", input.source.source_digest}};
  nlohmann::json pruned = relevant;
  pruned["runtime"].erase("follow");
  pruned["model"].erase("pollInterval");
  return hash(pruned, 16);
}

std::string runtime_hash(const api::ServingRuntime& runtime) { return hash(api::to_json(runtime.spec), 16); }

RevisionFinder::Hashed& RevisionFinder::hashed(const RevisionInput& input) {
  Hashed& known = by_object_[{input.namespace_, input.object}];
  if (known.input == input) return known;
  known = {input, request_hash(input), runtime_hash(*input.runtime), ""};
  return known;
}

std::string RevisionFinder::wanted(const RevisionInput& input, bool follow_runtime,
                                   const std::vector<RecordedRevision>& recorded) {
  Hashed& asked = hashed(input);
  for (const RecordedRevision& revision : recorded) {
    if (revision.request_hash != asked.request_hash) continue;
    if (!follow_runtime || revision.runtime_hash == asked.runtime_hash) return revision.name;
  }
  if (asked.name.empty()) asked.name = revision_name(input);
  return asked.name;
}

void RevisionFinder::forget(const base::ObjectKey& object) { by_object_.erase(object); }

}  // namespace tidegate::operator_
