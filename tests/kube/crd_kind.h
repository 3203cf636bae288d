#pragma once
// One of our CRDs as the API server applies it to objects: pruning, defaults, structural validation, merge rules. Read
// from the YAML that is installed, so the model cannot disagree with it.
//
// Not modelled: CEL rules (x-kubernetes-validations), formats, conversion, ratcheting of values that were invalid
// before.
#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "kube/json.h"
#include "kube/merge_schema.h"

namespace tidegate::kube {

class CrdKind {
 public:
  // Of the first version. INVALID_ARGUMENT when the text is no CRD.
  static absl::StatusOr<CrdKind> parse(const std::string& yaml);

  // "/apis/<group>/<version>/<plural>".
  const std::string& collection() const { return collection_; }
  const std::string& kind() const { return kind_; }
  bool has_status() const { return has_status_; }
  bool has_scale() const { return has_scale_; }
  const MergeSchema& merge_schema() const { return merge_; }

  // Removes what the schema does not know and sets what has a default; metadata is left alone.
  Json completed(Json object) const;
  // Why this cannot be applied (a field that the schema does not know, or a value of another type), or empty.
  std::string untyped(const Json& configuration) const;
  // "spec.rollout.steps[0].weight: …", one for each violation.
  std::vector<std::string> violations(const Json& object) const;

 private:
  std::string collection_;
  std::string kind_;
  bool has_status_ = false;
  bool has_scale_ = false;
  Json schema_;
  MergeSchema merge_;
};

}  // namespace tidegate::kube
