#include "conformance/model_requests.h"

#include "base/strings.h"

namespace tidegate::conformance {
namespace {

using kube::GroupVersionResource;
using kube::Json;

constexpr const char* kJson = "application/json";
constexpr const char* kMergePatch = "application/merge-patch+json";
constexpr const char* kApplyPatch = "application/apply-patch+yaml";
constexpr const char* kFinalizer = "tidegate.dev/test";

const GroupVersionResource& config_maps() { return kube::resources::config_maps(); }
const GroupVersionResource& deployments() { return kube::resources::deployments(); }
const GroupVersionResource& models() {
  static const GroupVersionResource resource{"tidegate.dev", "v1alpha1", "modeldeployments", "ModelDeployment"};
  return resource;
}

bool is(const ModelRequest& request, const GroupVersionResource& resource) { return *request.resource == resource; }

}  // namespace

const std::vector<const GroupVersionResource*>& modelled_resources() {
  static const std::vector<const GroupVersionResource*> all{&config_maps(), &deployments(), &models()};
  return all;
}

Reference RequestGenerator::any_reference() {
  if (chance(50)) return Reference::kNone;
  return chance(70) ? Reference::kCurrent : Reference::kOther;
}

std::string RequestGenerator::word() {
  static const char* const kWords[] = {"red", "green", "blue"};
  return kWords[pick(3)];
}

ModelRequest RequestGenerator::of_object(std::string method) {
  ModelRequest request;
  request.method = std::move(method);
  request.resource = modelled_resources()[pick(3)];
  request.name = base::cat("object-", pick(3));
  return request;
}

Json RequestGenerator::metadata(const ModelRequest& request) {
  Json metadata = {{"name", request.name}, {"namespace", ns_}};
  if (chance(60)) metadata["labels"]["color"] = word();
  if (chance(30)) metadata["labels"]["size"] = word();
  if (chance(30)) metadata["annotations"]["note"] = word();
  if (chance(10)) metadata["finalizers"] = {kFinalizer};
  return metadata;
}

Json RequestGenerator::deployment_spec(const ModelRequest& request) {
  Json spec;
  // An HPA's owner would leave it out.
  if (chance(60)) spec["replicas"] = pick(4);
  if (chance(30)) spec["minReadySeconds"] = 1 + pick(3);
  const Json labels = {{"app", request.name}};
  spec["selector"]["matchLabels"] = labels;
  spec["template"]["metadata"]["labels"] = labels;
  Json& containers = spec["template"]["spec"]["containers"];
  containers.push_back({{"name", "main"}, {"image", base::cat("main:", word())}});
  if (chance(40)) containers.push_back({{"name", "side"}, {"image", base::cat("side:", word())}});
  if (chance(40)) containers[0]["env"].push_back({{"name", "A"}, {"value", word()}});
  if (chance(40)) containers[0]["env"].push_back({{"name", "B"}, {"value", word()}});
  if (chance(30)) containers[0]["args"] = {word(), word()};
  if (chance(30)) {
    Json port = {{"containerPort", 8000 + pick(2)}, {"protocol", "TCP"}};
    if (chance(50)) port["name"] = "http";
    containers[0]["ports"].push_back(std::move(port));
  }
  return spec;
}

Json RequestGenerator::model_spec() {
  Json spec;
  spec["model"] = {{"uri", "s3://models/digits"}, {"version", base::cat(1 + pick(3))}};
  if (chance(50)) spec["replicas"] = pick(4);
  if (chance(30)) spec["paused"] = chance(50);
  if (chance(30)) spec["traffic"]["hosts"] = {word() + ".example"};
  if (chance(30)) spec["traffic"]["retries"] = pick(3);
  if (chance(30)) spec["runtime"]["env"].push_back({{"name", "A"}, {"value", word()}});
  if (chance(30)) spec["runtime"]["env"].push_back({{"name", "B"}, {"value", word()}});
  if (chance(20)) spec["rollout"]["steps"].push_back({{"weight", 1 + pick(90)}});
  if (chance(20)) spec["rollout"]["historyLimit"] = 1 + pick(5);
  if (chance(20)) spec["unknown"] = word();
  // What the schema refuses.
  if (chance(5)) spec["replicas"] = -1;
  if (chance(5)) spec["rollout"]["strategy"] = "Sideways";
  if (chance(5)) spec["model"].erase("version");
  if (chance(5)) spec["traffic"]["timeout"] = 7;
  return spec;
}

// What an object holds beside apiVersion, kind and metadata.
Json RequestGenerator::configuration(const ModelRequest& request) {
  Json content = Json::object();
  if (is(request, deployments())) {
    content["spec"] = deployment_spec(request);
  } else if (is(request, models())) {
    content["spec"] = model_spec();
  } else {
    for (const char* key : {"a", "b", "c"}) {
      if (chance(50)) content["data"][key] = word();
    }
  }
  return content;
}

Json RequestGenerator::object(const ModelRequest& request) {
  Json object = configuration(request);
  object["apiVersion"] = request.resource->api_version();
  object["kind"] = request.resource->kind;
  object["metadata"] = metadata(request);
  return object;
}

Json RequestGenerator::status_of(const ModelRequest& request) {
  if (!is(request, models())) {
    // Not 0, which the built-in kinds write as nothing.
    Json status = {{"observedGeneration", 1 + pick(3)}};
    if (chance(50)) status["replicas"] = 1 + pick(3);
    return status;
  }
  Json status = {{"phase", chance(50) ? "Healthy" : "Progressing"}};
  if (chance(50)) status["observedGeneration"] = pick(3);
  if (chance(50)) status["traffic"].push_back({{"revision", word()}, {"weight", 100}});
  for (const char* type : {"Ready", "Stalled"}) {
    if (chance(50)) continue;
    status["conditions"].push_back({{"type", type},
                                    {"status", chance(50) ? "True" : "False"},
                                    {"reason", "Because"},
                                    {"message", word()},
                                    {"lastTransitionTime", "2026-01-01T00:00:00Z"}});
  }
  if (chance(5)) status["phase"] = "Confused";
  return status;
}

ModelRequest RequestGenerator::create() {
  ModelRequest request = of_object("POST");
  request.content_type = kJson;
  request.body = object(request);
  if (chance(5)) request.version = Reference::kOther;
  if (chance(30)) request.body["status"] = status_of(request);
  request.name.clear();
  return request;
}

ModelRequest RequestGenerator::update() {
  ModelRequest request = of_object("PUT");
  request.content_type = kJson;
  request.body = object(request);
  request.version = any_reference();
  if (chance(20)) request.uid = any_reference();
  return request;
}

ModelRequest RequestGenerator::patch() {
  ModelRequest request = of_object("PATCH");
  request.content_type = kMergePatch;
  request.query = base::cat("?fieldManager=", word());
  Json& body = request.body;
  if (chance(50)) body["metadata"]["labels"]["color"] = chance(30) ? Json() : Json(word());
  if (is(request, config_maps())) body["data"]["a"] = chance(30) ? Json() : Json(word());
  if (is(request, deployments())) body["spec"]["replicas"] = pick(4);
  if (is(request, models())) body["spec"]["paused"] = chance(50);
  request.version = any_reference();
  if (chance(10)) request.uid = any_reference();
  return request;
}

ModelRequest RequestGenerator::apply() {
  ModelRequest request = of_object("PATCH");
  request.content_type = kApplyPatch;
  request.query =
      base::cat("?fieldManager=", chance(60) ? "tidegate" : "other", "&force=", chance(60) ? "true" : "false");
  request.body = object(request);
  if (chance(25)) request.version = any_reference();
  if (chance(25)) request.uid = any_reference();
  return request;
}

ModelRequest RequestGenerator::write_status() {
  ModelRequest request = of_object("PATCH");
  request.resource = modelled_resources()[1 + pick(2)];
  request.subresource = "status";
  request.body["status"] = status_of(request);
  request.version = any_reference();
  if (chance(70)) {
    request.content_type = kApplyPatch;
    request.query =
        base::cat("?fieldManager=", chance(70) ? "tidegate" : "other", "&force=", chance(70) ? "true" : "false");
    request.body["apiVersion"] = request.resource->api_version();
    request.body["kind"] = request.resource->kind;
    request.body["metadata"] = {{"name", request.name}, {"namespace", ns_}};
  } else {
    request.content_type = kMergePatch;
    request.query = "?fieldManager=merger";
  }
  return request;
}

ModelRequest RequestGenerator::scale() {
  ModelRequest request = of_object(chance(30) ? "GET" : "PATCH");
  request.resource = modelled_resources()[1 + pick(2)];
  request.subresource = "scale";
  if (request.method == "GET") return request;
  request.content_type = kMergePatch;
  request.query = "?fieldManager=scaler";
  // Never what it is already: see the model's header.
  request.body["spec"]["replicas"] = chance(10) ? -1 : 10 + ++scales_;
  request.version = any_reference();
  return request;
}

ModelRequest RequestGenerator::remove() {
  static const char* const kPolicies[] = {"Background", "Background", "Background", "Foreground", "Orphan"};
  ModelRequest request = of_object("DELETE");
  request.content_type = kJson;
  request.body = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", kPolicies[pick(5)]}};
  request.version = any_reference();
  request.uid = any_reference();
  return request;
}

// Takes the finalizers off, as their owners would.
ModelRequest RequestGenerator::release() {
  ModelRequest request = of_object("PATCH");
  request.content_type = kMergePatch;
  request.query = "?fieldManager=finalizer";
  request.body["metadata"]["finalizers"] = nullptr;
  return request;
}

ModelRequest RequestGenerator::list() {
  static const char* const kSelectors[] = {"color%3Dred",
                                           "color%21%3Dred",
                                           "color",
                                           "%21color",
                                           "color%20in%20%28red%2Cblue%29",
                                           "color%20notin%20%28green%29%2Csize"};
  ModelRequest request = of_object("GET");
  if (chance(40)) return request;
  if (chance(30)) request.query = base::cat("?fieldSelector=metadata.name%3D", request.name);
  request.name.clear();
  if (request.query.empty() && chance(50)) request.query = base::cat("?labelSelector=", kSelectors[pick(6)]);
  if (chance(50)) {
    request.query += base::cat(request.query.empty() ? "?" : "&", "limit=", 1 + pick(2));
    request.follow_pages = true;
  }
  return request;
}

ModelRequest RequestGenerator::next() {
  switch (pick(20)) {
    case 0:
    case 1:
    case 2:
      return create();
    case 3:
    case 4:
      return update();
    case 5:
    case 6:
      return patch();
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
      return apply();
    case 13:
    case 14:
      return write_status();
    case 15:
      return scale();
    case 16:
      return remove();
    case 17:
      return release();
    default:
      return list();
  }
}

}  // namespace tidegate::conformance
