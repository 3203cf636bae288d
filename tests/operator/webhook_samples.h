#pragma once
// Reviews as the API server sends them.
#include <nlohmann/json.hpp>

#include <string>

#include "api/json.h"
#include "api/types.h"
#include "samples.h"

namespace tidegate::operator_ {

inline nlohmann::json object_json(const api::ModelDeployment& object) {
  return {{"apiVersion", api::kApiVersion},
          {"kind", api::kModelDeploymentKind},
          {"metadata",
           {{"name", object.metadata.name},
            {"namespace", object.metadata.namespace_},
            {"uid", object.metadata.uid},
            {"annotations", object.metadata.annotations}}},
          {"spec", api::to_json(object.spec)},
          {"status", api::to_json(object.status)}};
}

inline nlohmann::json review_json(const nlohmann::json& object, const nlohmann::json& before = nullptr) {
  return {{"apiVersion", "admission.k8s.io/v1"},
          {"kind", "AdmissionReview"},
          {"request",
           {{"uid", "705ab4f5-6393-11e8-b7cc-42010a800002"},
            {"kind", {{"group", "tidegate.dev"}, {"version", "v1alpha1"}, {"kind", "ModelDeployment"}}},
            {"resource", {{"group", "tidegate.dev"}, {"version", "v1alpha1"}, {"resource", "modeldeployments"}}},
            {"name", "digits"},
            {"namespace", "demo"},
            {"operation", before.is_null() ? "CREATE" : "UPDATE"},
            {"userInfo", {{"username", "somebody"}}},
            {"object", object},
            {"oldObject", before},
            {"dryRun", false}}}};
}

inline std::string good_review() { return review_json(object_json(sample_object())).dump(); }

}  // namespace tidegate::operator_
