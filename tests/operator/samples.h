#pragma once
// Small objects that many tests start from.
#include <string>

#include "api/runtime_types.h"
#include "api/types.h"
#include "operator/rendering/revision.h"

namespace tidegate::operator_ {

inline api::ServingRuntime sample_runtime() {
  api::ServingRuntime runtime;
  runtime.cluster_scoped = true;
  runtime.metadata.name = "tensorflow";
  runtime.spec.supported_formats = {api::SupportedFormat{}};
  runtime.spec.container.image = "tidegate.local/runtime-tensorflow:dev";
  runtime.spec.container.args = {"serve", "--model-name={{model.name}}", "--model-base-path={{model.dir}}"};
  runtime.spec.container.env = {{"TF_CPP_MIN_LOG_LEVEL", "1"}, {"MODEL", "{{model.name}}@{{model.version}}"}};
  runtime.spec.container.resources.requests = {{"cpu", "100m"}, {"memory", "512Mi"}};
  runtime.spec.fetch.image = "tidegate.local/runtime:dev";
  return runtime;
}

inline api::ModelDeployment sample_object() {
  api::ModelDeployment object;
  object.metadata.name = "digits";
  object.metadata.namespace_ = "demo";
  object.metadata.uid = "uid-1";
  object.metadata.resource_version = "7";
  object.metadata.generation = 1;
  object.spec.model.uri = "s3://models/digits";
  object.spec.model.version = "3";
  object.spec.model.credentials = api::Credentials{"minio-credentials"};
  return object;
}

inline ModelSource sample_source(const std::string& version = "3") {
  return {"s3://models/digits", version, std::string(63, 'a') + version.back()};
}

}  // namespace tidegate::operator_
