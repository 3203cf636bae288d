#pragma once
// A revision: one version of a model together with everything in spec and runtime that changes a pod, and its name.
// Pure; called by the gatherer.
//
// The name is <object>-<8 hex of SHA-256 over the pod template>, and the template carries the source digest: equal
// content gives an equal name, so going back to an earlier version finds its revision again, and whatever a later
// renderer changes about a pod changes the name by itself.
//
// So that a newer operator or an edited runtime does not roll a running model, the Deployment of a revision also
// records what the object asked for when it was made (request hash). While that is unchanged the recorded revision is
// the wanted one, unless the object follows its runtime and that has changed.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/runtime_types.h"
#include "api/types.h"
#include "base/object_key.h"

namespace tidegate::operator_ {

// Where a version's bytes are.
struct ModelSource {
  std::string uri;            // of the version's folder's parent, as spec.model.uri says
  std::string version;        // the folder's name
  std::string source_digest;  // hex

  friend bool operator==(const ModelSource&, const ModelSource&) = default;
};

// Everything a pod is made from.
struct RevisionInput {
  std::string namespace_;
  std::string object;  // the ModelDeployment's name
  api::RuntimeSpec runtime_overrides;
  api::AcceleratorSpec accelerator;
  std::string credentials_secret;  // empty: anonymous
  ModelSource source;
  std::shared_ptr<const api::ServingRuntime> runtime;  // never null

  friend bool operator==(const RevisionInput&, const RevisionInput&) = default;
};

RevisionInput revision_input(const api::ModelDeployment& object, const ModelSource& source,
                             std::shared_ptr<const api::ServingRuntime> runtime);

std::string revision_name(const RevisionInput& input);
// 16 hex digits each.
std::string request_hash(const RevisionInput& input);
std::string runtime_hash(const api::ServingRuntime& runtime);

// A revision that exists, as recorded on its Deployment.
struct RecordedRevision {
  std::string name;
  std::string request_hash;
  std::string runtime_hash;
};

// Says which revision an object wants. It remembers what it has hashed: an object is looked at some forty times a
// rollout, and asks for the same each time.
class RevisionFinder {
 public:
  // The name of the revision that the object wants now. `recorded` holds those that it has, the preferred ones first.
  std::string wanted(const RevisionInput& input, bool follow_runtime, const std::vector<RecordedRevision>& recorded);
  void forget(const base::ObjectKey& object);

 private:
  struct Hashed {
    RevisionInput input;
    std::string request_hash;
    std::string runtime_hash;
    std::string name;  // empty: nobody asked yet
  };
  Hashed& hashed(const RevisionInput& input);

  std::map<base::ObjectKey, Hashed> by_object_;
};

}  // namespace tidegate::operator_
