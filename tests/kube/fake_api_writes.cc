// What FakeApiServer does with writes.
#include <absl/strings/str_split.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/strings.h"
#include "kube/fake_api_server.h"

namespace tidegate::kube {
namespace {

constexpr const char* kForeground = "foregroundDeletion";
constexpr const char* kOrphan = "orphan";
constexpr const char* kReplicasField = "f:spec/f:replicas/";

net::HttpResponse ok(const Json& body, int code = 200) { return {code, {}, body.dump()}; }

net::HttpResponse not_modelled(std::string_view what) {
  return FakeApiServer::status_answer(501, "NotImplemented", base::cat("the model does not know ", what));
}

std::string version_of(const Json& object) { return string_at(object, {"metadata", "resourceVersion"}); }
std::string uid_of(const Json& object) { return string_at(object, {"metadata", "uid"}); }

net::HttpResponse invalid(const std::string& collection, const std::string& name, const std::string& field,
                          const std::string& message) {
  net::HttpResponse answer = FakeApiServer::status_answer(
      422, "Invalid", base::cat(resource_name(collection), " \"", name, "\" is invalid: ", field, ": ", message));
  Json status = Json::parse(answer.body);
  Json cause = {{"reason", "FieldValueInvalid"}, {"field", field}, {"message", message}};
  status["details"]["causes"].push_back(std::move(cause));
  answer.body = status.dump();
  return answer;
}

net::HttpResponse conflict(const std::string& collection, const std::string& name, std::string_view why) {
  return FakeApiServer::status_answer(
      409, "Conflict",
      base::cat("Operation cannot be fulfilled on ", resource_name(collection), " \"", name, "\": ", why));
}

constexpr const char* kModified =
    "the object has been modified; please apply your changes to the latest version and try again";

net::HttpResponse manager_conflict(const std::vector<FieldConflict>& conflicts) {
  net::HttpResponse answer =
      FakeApiServer::status_answer(409, "Conflict",
                                   base::cat("Apply failed with ", conflicts.size(), " conflict(s): conflict with \"",
                                             conflicts.front().manager, "\": ", conflicts.front().field));
  Json status = Json::parse(answer.body);
  for (const FieldConflict& found : conflicts) {
    Json cause = {{"reason", "FieldManagerConflict"},
                  {"message", base::cat("conflict with \"", found.manager, "\"")},
                  {"field", found.field}};
    status["details"]["causes"].push_back(std::move(cause));
  }
  answer.body = status.dump();
  return answer;
}

std::set<std::string> finalizers_of(const Json& object) {
  std::set<std::string> finalizers;
  for (const Json& finalizer : array_at(object, {"metadata", "finalizers"})) finalizers.insert(finalizer);
  return finalizers;
}

// A policy that is named replaces what an earlier deletion asked for.
Json finalizers_after_deletion(const Json& object, const std::string& policy) {
  Json finalizers = Json::array();
  for (const Json& finalizer : array_at(object, {"metadata", "finalizers"})) {
    const bool of_policy = finalizer == kForeground || finalizer == kOrphan;
    if (policy.empty() || !of_policy) finalizers.push_back(finalizer);
  }
  if (policy == "Foreground") finalizers.push_back(kForeground);
  if (policy == "Orphan") finalizers.push_back(kOrphan);
  return finalizers;
}

bool is_leaving(const Json& object) { return find(object, {"metadata", "deletionTimestamp"}) != nullptr; }

// Of a Deployment: what its users run into when owners of parts of a container come and go.
std::string deployment_violation(const Json& object) {
  if (int_at(object, {"spec", "replicas"}) < 0) return "spec.replicas: must be greater than or equal to 0";
  for (const Json& container : array_at(object, {"spec", "template", "spec", "containers"})) {
    if (string_at(container, {"image"}).empty()) return "spec.template.spec.containers.image: Required value";
    std::set<std::string> names;
    for (const Json& port : array_at(container, {"ports"})) {
      const std::string name = string_at(port, {"name"});
      if (!name.empty() && !names.insert(name).second) {
        return "spec.template.spec.containers.ports.name: Duplicate value";
      }
    }
  }
  return "";
}

// What a generation counts.
Json counted_part(Json object, bool annotations_count) {
  Json annotations = annotations_count && find(object, {"metadata", "annotations"}) != nullptr
                         ? object["metadata"]["annotations"]
                         : Json();
  for (const char* field : {"metadata", "status", "apiVersion", "kind"}) object.erase(field);
  object["annotations"] = std::move(annotations);
  return object;
}

}  // namespace

FieldOwner FakeApiServer::writer_of(const Target& target, bool applies) {
  FieldOwner who{target.option("fieldManager"), applies, target.subresource, {}};
  if (who.manager.empty()) who.manager = target.user_agent.substr(0, target.user_agent.find('/'));
  return who;
}

net::HttpResponse FakeApiServer::write_object(const net::HttpRequest& request, const Target& target, Json body) {
  if (request.method == "POST") return create(target, std::move(body));
  if (target.key.name.empty()) return not_modelled(base::cat(request.method, " of a collection"));
  if (request.method == "PATCH" && target.content_type == "application/apply-patch+yaml") {
    return apply(target, std::move(body));
  }
  const bool exists = find_object(target.collection, target.key) != nullptr;
  if (!exists && request.method == "PUT" && target.subresource.empty() && kind_of(target.collection).create_on_update) {
    return create(target, std::move(body));
  }
  if (!exists) {
    return status_answer(404, "NotFound",
                         base::cat(resource_name(target.collection), " \"", target.key.name, "\" not found"));
  }
  if (request.method == "PUT") return update(target, std::move(body));
  if (request.method == "PATCH" && target.content_type == "application/merge-patch+json") return patch(target, body);
  if (request.method == "DELETE" && target.subresource.empty()) return remove(target, body);
  return not_modelled(base::cat(request.method, " as ", target.content_type));
}

net::HttpResponse FakeApiServer::create(const Target& target, Json object) {
  if (!target.subresource.empty()) return not_modelled("a creation below an object");
  const std::string name = string_at(object, {"metadata", "name"});
  const std::string ns = string_at(object, {"metadata", "namespace"});
  if (!string_at(object, {"metadata", "generateName"}).empty()) return not_modelled("generateName");
  if (name.empty()) return invalid(target.collection, name, "metadata.name", "name or generateName is required");
  if (!ns.empty() && ns != target.key.ns) {
    return status_answer(400, "BadRequest",
                         "the namespace of the provided object does not match the namespace sent on the request");
  }
  Target made = target;
  made.key.name = name;
  if (!target.key.ns.empty()) object["metadata"]["namespace"] = target.key.ns;
  if (kind_of(target.collection).status || kind_of(target.collection).crd == nullptr) object.erase("status");
  object["metadata"].erase("deletionTimestamp");
  object = completed(kind_of(target.collection), std::move(object));
  if (auto refused = check_valid(made, object)) return *std::move(refused);
  if (!version_of(object).empty()) {
    return status_answer(500, "", "resourceVersion should not be set on objects to be created");
  }
  if (find_object(target.collection, made.key)) {
    return status_answer(409, "AlreadyExists",
                         base::cat(resource_name(target.collection), " \"", name, "\" already exists"));
  }
  net::HttpResponse answer = write(made, std::move(object), writer_of(target, false));
  if (answer.status == 200) answer.status = 201;
  return answer;
}

// Why `next` may not replace `current`; nothing when it may.
std::optional<net::HttpResponse> FakeApiServer::refuse(const Target& target, const Json& current,
                                                       const Json& next) const {
  const std::string& name = target.key.name;
  if (!version_of(next).empty() && version_of(next) != version_of(current)) {
    return conflict(target.collection, name, kModified);
  }
  if (!uid_of(next).empty() && uid_of(next) != uid_of(current)) {
    return invalid(target.collection, name, "metadata.uid", "field is immutable");
  }
  if (is_leaving(current) && target.subresource.empty()) {
    const std::set<std::string> before = finalizers_of(current);
    for (const std::string& finalizer : finalizers_of(next)) {
      if (before.contains(finalizer)) continue;
      return invalid(target.collection, name, "metadata.finalizers",
                     "no new finalizers can be added if the object is being deleted");
    }
  }
  return std::nullopt;
}

net::HttpResponse FakeApiServer::update(const Target& target, Json object) {
  const Json current = *find_object(target.collection, target.key);
  if (target.subresource == "scale") return patch_scale(target, current, object);
  if (string_at(object, {"metadata", "name"}) != target.key.name) {
    return status_answer(400, "BadRequest", "the name of the object does not match the name on the URL");
  }
  const Kind kind = kind_of(target.collection);
  if (!uid_of(object).empty() && uid_of(object) != uid_of(current)) {
    return conflict(target.collection, target.key.name, "Precondition failed: UID in precondition");
  }
  if (version_of(object).empty() && !kind.unconditional_update) {
    return invalid(target.collection, target.key.name, "metadata.resourceVersion", "must be specified for an update");
  }
  if (auto refused = refuse(target, current, object)) return *std::move(refused);
  Json next = target.subresource == "status" ? current : object;
  if (target.subresource == "status") {
    next["status"] = object["status"];
  } else if (kind.status) {
    next.erase("status");
    if (current.contains("status")) next["status"] = current["status"];
  }
  if (next.contains("status") && next["status"].is_null()) next.erase("status");
  return write(target, std::move(next), writer_of(target, false));
}

net::HttpResponse FakeApiServer::patch(const Target& target, const Json& patch) {
  const Json current = *find_object(target.collection, target.key);
  if (target.subresource == "scale") return patch_scale(target, current, patch);
  Json next = current;
  next.merge_patch(patch);
  if (auto refused = refuse(target, current, next)) return *std::move(refused);
  if (target.subresource == "status") {
    const Json status = next.value("status", Json());
    next = current;
    next["status"] = status;
  } else if (kind_of(target.collection).status) {
    next.erase("status");
    if (current.contains("status")) next["status"] = current["status"];
  }
  if (next.contains("status") && next["status"].is_null()) next.erase("status");
  return write(target, std::move(next), writer_of(target, false));
}

// `patch`: a merge patch of the Scale, or a whole one.
net::HttpResponse FakeApiServer::patch_scale(const Target& target, const Json& current, const Json& patch) {
  const int64_t replicas = int_at(patch, {"spec", "replicas"}, int_at(current, {"spec", "replicas"}));
  const bool stale = !version_of(patch).empty() && version_of(patch) != version_of(current);
  // The built-in kinds look at the number first, the others at the version.
  if (stale && (replicas >= 0 || kind_of(target.collection).crd != nullptr)) {
    return conflict(target.collection, target.key.name, kModified);
  }
  if (replicas < 0) return invalid(target.collection, target.key.name, "spec.replicas", "must be at least 0");
  Json next = current;
  next["spec"]["replicas"] = replicas;
  FieldOwners owners = owners_[{target.collection, target.key}];
  // A scaler is tracked only where somebody was before.
  const bool tracked = std::any_of(owners.begin(), owners.end(),
                                   [](const FieldOwner& owner) { return owner.fields.contains(kReplicasField); });
  const net::HttpResponse answer = tracked ? write(target, std::move(next), writer_of(target, false))
                                           : admit(target, std::move(next), std::move(owners));
  return answer.status == 200 ? read(target, Json::parse(answer.body)) : answer;
}

net::HttpResponse FakeApiServer::apply(const Target& target, Json object) {
  if (target.subresource == "scale") return not_modelled("server-side apply of a scale");
  const Kind kind = kind_of(target.collection);
  const FieldOwner who = writer_of(target, true);
  if (target.option("fieldManager").empty()) {
    return invalid("/apis/meta.k8s.io/v1/PatchOptions", "", "fieldManager", "is required for apply patch");
  }
  const Object found = find_object(target.collection, target.key);
  const std::string untyped = kind.crd != nullptr ? kind.crd->untyped(object) : "";
  if (!untyped.empty() && (found || target.subresource.empty())) {
    return status_answer(500, "", base::cat("failed to create typed patch object: .", untyped));
  }
  if (!found && !target.subresource.empty()) {
    return status_answer(404, "NotFound",
                         base::cat(resource_name(target.collection), " \"", target.key.name, "\" not found"));
  }
  if (!found && !uid_of(object).empty()) {
    return conflict(target.collection, target.key.name,
                    "uid mismatch: the provided object specified a uid, and no existing object was found");
  }
  const Json live = found ? *found : Json::object();
  // As the real one does: a version is no precondition on an object that is not there.
  if (found && !version_of(object).empty() && version_of(object) != version_of(live)) {
    return conflict(target.collection, target.key.name, kModified);
  }
  const bool other_uid = found && !uid_of(object).empty() && uid_of(object) != uid_of(live);
  for (const char* field : {"resourceVersion", "uid", "creationTimestamp"}) object["metadata"].erase(field);
  Json config = object;
  if (target.subresource == "status") {
    config = {{"status", object.value("status", Json::object())}};
  } else if (kind.status) {
    config.erase("status");
  }
  FieldOwners owners = owners_[{target.collection, target.key}];
  if (found && owners.empty()) {
    Json before = target.subresource == "status" ? Json{{"status", live.value("status", Json::object())}} : live;
    if (target.subresource.empty() && kind.status) before.erase("status");
    owners = owners_after_write(*kind.merge, Json::object(), before, {},
                                {"before-first-apply", false, target.subresource, {}});
    if (is_leaving(live) && !owners.empty()) {
      owners.front().fields.insert({"f:metadata/f:deletionTimestamp/", "f:metadata/f:deletionGracePeriodSeconds/"});
    }
  }
  absl::StatusOr<Applied> applied =
      apply_fields(*kind.merge, live, owners, config, who, target.option("force") == "true");
  if (!applied.ok()) return not_modelled(applied.status().ToString());
  if (!applied->conflicts.empty()) return manager_conflict(applied->conflicts);
  if (other_uid) return invalid(target.collection, target.key.name, "metadata.uid", "field is immutable");
  if (found) {
    if (auto refused = refuse(target, live, applied->object)) return *std::move(refused);
  }
  net::HttpResponse response = admit(target, std::move(applied->object), std::move(applied->owners));
  if (!found && response.status == 200) response.status = 201;
  return response;
}

net::HttpResponse FakeApiServer::remove(const Target& target, const Json& options) {
  const Object found = find_object(target.collection, target.key);
  Json current = *found;
  const std::string uid = string_at(options, {"preconditions", "uid"});
  const std::string version = string_at(options, {"preconditions", "resourceVersion"});
  if ((!uid.empty() && uid != uid_of(current)) || (!version.empty() && version != version_of(current))) {
    return conflict(target.collection, target.key.name, "Precondition failed");
  }
  const Json finalizers = finalizers_after_deletion(current, string_at(options, {"propagationPolicy"}));
  if (finalizers.empty()) {
    // When an earlier deletion had asked for finalizers, the real server no longer knows the version by now.
    const bool had_some = !finalizers_of(current).empty();
    if (had_some && !version.empty()) return conflict(target.collection, target.key.name, "Precondition failed");
    drop(target.collection, target.key);
    return ok({{"kind", "Status"}, {"apiVersion", "v1"}, {"status", "Success"}});
  }
  Json& metadata = current["metadata"];
  metadata["finalizers"] = finalizers;
  if (!is_leaving(current)) {
    metadata["deletionTimestamp"] = format_time(clock_.now());
    metadata["deletionGracePeriodSeconds"] = 0;
    if (metadata.contains("generation")) metadata["generation"] = metadata["generation"].get<int64_t>() + 1;
  }
  FieldOwners owners = owners_[{target.collection, target.key}];
  return ok(store(target.collection, target.key, std::move(current), std::move(owners)));
}

net::HttpResponse FakeApiServer::write(const Target& target, Json next, const FieldOwner& who) {
  const Object found = find_object(target.collection, target.key);
  const Kind kind = kind_of(target.collection);
  next = completed(kind, std::move(next));
  FieldOwners owners = owners_[{target.collection, target.key}];
  // An object that nobody owns anything of stays so until it is applied.
  if (!found || !owners.empty()) {
    owners = owners_after_write(*kind.merge, found ? *found : Json::object(), next, std::move(owners), who);
  }
  return admit(target, std::move(next), std::move(owners));
}

// With the schema's defaults and without what it does not know; empty parts of metadata are as good as none.
Json FakeApiServer::completed(const Kind& kind, Json object) {
  if (kind.crd != nullptr) object = kind.crd->completed(std::move(object));
  if (kind.deployment && object.contains("spec") && !object["spec"].contains("replicas"))
    object["spec"]["replicas"] = 1;
  for (const char* field : {"data", "binaryData"}) {
    if (kind.crd == nullptr && object.contains(field) && object[field].empty()) object.erase(field);
  }
  for (const char* field : {"labels", "annotations", "finalizers", "ownerReferences"}) {
    Json& metadata = object["metadata"];
    if (metadata.contains(field) && metadata[field].empty()) metadata.erase(field);
  }
  return object;
}

std::optional<net::HttpResponse> FakeApiServer::check_valid(const Target& target, const Json& object) const {
  const Kind kind = kind_of(target.collection);
  std::string violation = kind.deployment ? deployment_violation(object) : "";
  if (kind.crd != nullptr) {
    const std::vector<std::string> violations = kind.crd->violations(object);
    if (!violations.empty()) violation = violations.front();
  }
  if (violation.empty()) return std::nullopt;
  const size_t colon = violation.find(':');
  return invalid(target.collection, target.key.name, violation.substr(0, colon), violation.substr(colon + 2));
}

net::HttpResponse FakeApiServer::admit(const Target& target, Json next, FieldOwners owners) {
  next = completed(kind_of(target.collection), std::move(next));
  if (auto refused = check_valid(target, next)) return *std::move(refused);
  const Object found = find_object(target.collection, target.key);
  if (found && is_leaving(*found) && finalizers_of(next).empty()) {
    next = with_system_fields(kind_of(target.collection), *found, std::move(next));
    drop(target.collection, target.key);
    return ok(next);
  }
  return ok(store(target.collection, target.key, std::move(next), std::move(owners)));
}

// `next` with the parts of metadata that only the server writes.
Json FakeApiServer::with_system_fields(const Kind& kind, const Json& before, Json next) const {
  Json& metadata = next["metadata"];
  const Json& known = before["metadata"];
  metadata.erase("managedFields");
  for (const char* field : {"uid", "creationTimestamp", "resourceVersion"}) metadata[field] = known[field];
  // Its deletion counts as one, and has been counted by then.
  const bool deleted_now = is_leaving(next) && !is_leaving(before);
  if (!deleted_now) metadata["generation"] = known.value("generation", Json());
  for (const char* field : {"deletionTimestamp", "deletionGracePeriodSeconds"}) {
    if (known.contains(field)) metadata[field] = known[field];
  }
  if (metadata["generation"].is_null()) {
    metadata.erase("generation");
  } else if (counted_part(before, kind.deployment) != counted_part(next, kind.deployment)) {
    metadata["generation"] = metadata["generation"].get<int64_t>() + 1;
  }
  return next;
}

Json FakeApiServer::store(const std::string& collection, const base::ObjectKey& key, Json next, FieldOwners owners) {
  const Kind kind = kind_of(collection);
  const Object before = find_object(collection, key);
  if (before) {
    next = with_system_fields(kind, *before, std::move(next));
    if (*before == next && owners_[{collection, key}] == owners) return *before;
  }
  Json& metadata = next["metadata"];
  if (!before) {
    metadata.erase("managedFields");
    metadata["uid"] = base::cat("uid-", next_uid_++);
    metadata["creationTimestamp"] = format_time(clock_.now());
    metadata.erase("generation");
    if (kind.generation) metadata["generation"] = 1;
  }
  metadata["resourceVersion"] = base::cat(++version_);
  const auto object = std::make_shared<const Json>(next);
  collections_[collection][key] = object;
  owners_[{collection, key}] = std::move(owners);
  announce({version_, collection, before ? "MODIFIED" : "ADDED", object, before});
  return next;
}

void FakeApiServer::drop(const std::string& collection, const base::ObjectKey& key) {
  const Object before = find_object(collection, key);
  collections_[collection].erase(key);
  owners_.erase({collection, key});
  announce({++version_, collection, "DELETED", before, before});
}

Json FakeApiServer::put(const GroupVersionResource& resource, Json object) {
  if (!object.contains("kind")) object["kind"] = resource.kind;
  if (!object.contains("apiVersion")) object["apiVersion"] = resource.api_version();
  const base::ObjectKey key{string_at(object, {"metadata", "namespace"}), string_at(object, {"metadata", "name"})};
  const std::string collection = resource.path("");
  const Object before = find_object(collection, key);
  const Kind kind = kind_of(collection);
  object = completed(kind, std::move(object));
  FieldOwners owners = owners_after_write(*kind.merge, before ? *before : Json::object(), object,
                                          owners_[{collection, key}], {"somebody", false, "", {}});
  return store(collection, key, std::move(object), std::move(owners));
}

void FakeApiServer::erase(const GroupVersionResource& resource, const base::ObjectKey& key) {
  drop(resource.path(""), key);
}

}  // namespace tidegate::kube
