#include "kube/fake_api_server.h"

#include <absl/strings/str_split.h>

#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <set>

#include "base/strings.h"

namespace tidegate::kube {
namespace {

// Lists whose pages may be read at the same time.
constexpr size_t kMaxSnapshots = 16;

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    const std::string_view part = text.substr(0, end);
    if (!part.empty()) parts.emplace_back(part);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

std::string header(const net::HttpRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return "";
}

net::HttpResponse ok(const Json& body, int code = 200) { return {code, {}, body.dump()}; }

net::HttpResponse not_modelled(std::string_view what) {
  return FakeApiServer::status_answer(501, "NotImplemented", base::cat("the model does not know ", what));
}

std::optional<std::string> unknown_option(const std::map<std::string, std::string>& query) {
  static const std::set<std::string> kKnown{"watch",          "allowWatchBookmarks", "labelSelector",
                                            "fieldSelector",  "resourceVersion",     "resourceVersionMatch",
                                            "timeoutSeconds", "sendInitialEvents",   "limit",
                                            "continue",       "fieldManager",        "force"};
  for (const auto& [name, value] : query) {
    if (!kKnown.contains(name)) return base::cat("the option ", name);
  }
  return std::nullopt;
}

Json metadata_of(const Json& object) {
  return {{"kind", "PartialObjectMetadata"}, {"apiVersion", "meta.k8s.io/v1"}, {"metadata", object["metadata"]}};
}

// The answer to a write of which only the metadata was asked for. A Status stays what it is.
net::HttpResponse without_rest(net::HttpResponse answer) {
  const Json object = Json::parse(answer.body);
  if (string_at(object, {"kind"}) != "Status") answer.body = metadata_of(object).dump();
  return answer;
}

net::HttpResponse too_large_a_version() {
  Json status = Json::parse(FakeApiServer::status_answer(504, "Timeout", "Too large resource version").body);
  status["details"]["causes"] = {{{"reason", "ResourceVersionTooLarge"}}};
  return {504, {}, status.dump()};
}

Json scale_of(const Json& object) {
  Json scale = {{"kind", "Scale"}, {"apiVersion", "autoscaling/v1"}, {"spec", Json::object()}};
  for (const char* field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (const Json* value = find(object, {"metadata", field})) scale["metadata"][field] = *value;
  }
  if (const int64_t replicas = int_at(object, {"spec", "replicas"}); replicas != 0)
    scale["spec"]["replicas"] = replicas;
  scale["status"]["replicas"] = int_at(object, {"status", "replicas"});
  return scale;
}

}  // namespace

std::string resource_name(const std::string& collection) {
  const std::vector<std::string> parts = split(collection, '/');
  return parts[0] == "api" ? parts.back() : base::cat(parts.back(), ".", parts[1]);
}

std::string FakeApiServer::Target::option(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

// As if ns and name stood in one string with '/' between them.
bool FakeApiServer::StoreOrder::operator()(const base::ObjectKey& a, const base::ObjectKey& b) const {
  if (a.ns == b.ns) return a.name < b.name;
  const size_t common = std::min(a.ns.size(), b.ns.size());
  if (const int order = a.ns.compare(0, common, b.ns, 0, common); order != 0) return order < 0;
  return a.ns.size() < b.ns.size() ? '/' < b.ns[common] : a.ns[common] < '/';
}

net::HttpResponse FakeApiServer::status_answer(int code, const std::string& reason, const std::string& message) {
  const Json status = {{"kind", "Status"},   {"apiVersion", "v1"}, {"status", "Failure"},
                       {"message", message}, {"reason", reason},   {"code", code}};
  return {code, {}, status.dump()};
}

FakeApiServer::Target FakeApiServer::parse(const net::HttpRequest& request) {
  Target target;
  std::string_view rest = request.url;
  rest.remove_prefix(rest.find('/', rest.find("://") + 3));
  const size_t question = rest.find('?');
  if (question != std::string_view::npos) {
    for (const std::string& pair : split(rest.substr(question + 1), '&')) {
      const size_t equals = pair.find('=');
      target.query[pair.substr(0, equals)] = unescape(std::string_view(pair).substr(equals + 1));
    }
    rest = rest.substr(0, question);
  }
  target.content_type = header(request, "content-type");
  target.user_agent = header(request, "user-agent");
  target.metadata_only = header(request, "accept").find("as=PartialObjectMetadata") != std::string::npos;
  std::vector<std::string> parts = split(rest, '/');
  const size_t prefix = parts.size() > 0 && parts[0] == "api" ? 2 : 3;
  if (parts.size() <= prefix) return target;
  for (size_t i = 0; i < prefix; ++i) target.collection += "/" + parts[i];
  parts.erase(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(prefix));
  if (parts[0] == "namespaces" && parts.size() > 2) {
    target.key.ns = unescape(parts[1]);
    parts.erase(parts.begin(), parts.begin() + 2);
  }
  target.collection += "/" + parts[0];
  if (parts.size() > 1) target.key.name = unescape(parts[1]);
  if (parts.size() > 2) target.subresource = parts[2];
  return target;
}

FakeApiServer::Kind FakeApiServer::kind_of(const std::string& collection) const {
  static const MergeSchema kBuiltIn = MergeSchema::built_in();
  static const std::set<std::string> kPlain{"configmaps", "secrets", "serviceaccounts", "leases", "events"};
  static const std::set<std::string> kWithoutGeneration{"services", "namespaces", "nodes"};
  static const std::set<std::string> kBuiltInGroups{"apps", "coordination.k8s.io", "events.k8s.io", "discovery.k8s.io",
                                                    "policy"};
  const std::vector<std::string> parts = split(collection, '/');
  Kind kind;
  kind.merge = &kBuiltIn;
  if (const auto crd = crds_.find(collection); crd != crds_.end()) {
    kind.crd = &crd->second;
    kind.merge = &crd->second.merge_schema();
    kind.status = crd->second.has_status();
    kind.scale = crd->second.has_scale();
  }
  const bool built_in = parts[0] == "api" || kBuiltInGroups.contains(parts[1]);
  if (!built_in) {
    kind.unconditional_update = false;
    return kind;
  }
  const std::string& name = parts.back();
  kind.status = !kPlain.contains(name);
  kind.generation = kind.status && !kWithoutGeneration.contains(name);
  kind.scale = name == "deployments" || name == "replicasets" || name == "statefulsets";
  kind.deployment = name == "deployments";
  kind.unconditional_update = name != "leases";
  kind.create_on_update = name == "leases" || name == "events";
  return kind;
}

absl::Status FakeApiServer::install_crd(const std::string& yaml) {
  absl::StatusOr<CrdKind> kind = CrdKind::parse(yaml);
  if (!kind.ok()) return kind.status();
  std::string collection = kind->collection();
  crds_.insert_or_assign(std::move(collection), *std::move(kind));
  return absl::OkStatus();
}

bool FakeApiServer::Selection::matches(const Json& object) const {
  if (!ns.empty() && string_at(object, {"metadata", "namespace"}) != ns) return false;
  for (const auto& [path, value] : fields) {
    const size_t dot = path.find('.');
    const std::string first = path.substr(0, dot);
    if (string_at(object, {first, path.substr(dot + 1)}) != value) return false;
  }
  return labels.matches(strings_at(object, {"metadata", "labels"}));
}

// INVALID_ARGUMENT: a bad request; UNIMPLEMENTED: a field that is not modelled.
absl::StatusOr<FakeApiServer::Selection> FakeApiServer::selection_of(const Target& target) {
  absl::StatusOr<LabelSelector> labels = LabelSelector::parse(target.option("labelSelector"));
  if (!labels.ok()) return labels.status();
  Selection selection{target.key.ns, *std::move(labels), {}};
  for (const std::string& term : split(target.option("fieldSelector"), ',')) {
    const size_t equals = term.find('=');
    const std::string path = term.substr(0, equals);
    const bool of_pods = target.collection.ends_with("/pods") && (path == "spec.nodeName" || path == "status.phase");
    if (path != "metadata.name" && path != "metadata.namespace" && !of_pods) {
      return absl::UnimplementedError(base::cat("the field selector '", term, "'"));
    }
    selection.fields.emplace_back(path, term.substr(term.find_first_not_of('=', equals)));
  }
  return selection;
}

base::Task<FakeApiServer::Answer> FakeApiServer::request(net::HttpRequest request, base::Scope& scope) {
  auto executor = co_await boost::asio::this_coro::executor;
  co_await boost::asio::post(executor, boost::asio::use_awaitable);
  if (scope.cancelled()) co_return absl::CancelledError("scope ended");
  const std::string path = request.url.substr(request.url.find('/', request.url.find("://") + 3));
  log.push_back(request.method + " " + path);
  last_request = request;
  if (intercept) {
    std::optional<Answer> other = intercept(request);
    if (other) co_return *std::move(other);
  }
  const Target target = parse(request);
  if (target.option("watch") == "true") {
    Answer ended = co_await watch(std::move(request), target, scope);
    co_return ended;
  }
  net::HttpResponse response = answer(request, target);
  co_await boost::asio::post(executor, boost::asio::use_awaitable);
  if (scope.cancelled()) co_return absl::CancelledError("scope ended");
  if (lose_answers) co_return absl::UnavailableError("connection reset by peer");
  co_return response;
}

net::HttpResponse FakeApiServer::answer(const net::HttpRequest& request, const Target& target) {
  if (request.url.ends_with("/version")) return ok({{"major", "1"}, {"minor", "34+"}, {"gitVersion", "v1.34.2"}});
  if (target.collection.empty()) return not_modelled(request.url);
  if (const auto unknown = unknown_option(target.query)) return not_modelled(*unknown);
  const Kind kind = kind_of(target.collection);
  const bool known = target.subresource.empty() || (target.subresource == "status" && kind.status) ||
                     (target.subresource == "scale" && kind.scale);
  if (!known && (target.subresource == "status" || target.subresource == "scale")) {
    return status_answer(404, "NotFound", "the server could not find the requested resource");
  }
  if (!known) return not_modelled(base::cat("the subresource ", target.subresource));
  if (request.method != "GET") {
    Json body = request.body.empty() ? Json::object() : Json::parse(request.body, nullptr, false);
    if (!body.is_object()) return status_answer(400, "BadRequest", "the body of the request is no object");
    net::HttpResponse written = write_object(request, target, std::move(body));
    return target.metadata_only ? without_rest(std::move(written)) : written;
  }
  if (target.key.name.empty()) return list(target);
  const Object object = find_object(target.collection, target.key);
  if (!object) {
    return status_answer(404, "NotFound",
                         base::cat(resource_name(target.collection), " \"", target.key.name, "\" not found"));
  }
  return read(target, *object);
}

net::HttpResponse FakeApiServer::read(const Target& target, const Json& object) const {
  if (target.subresource == "scale") {
    if (kind_of(target.collection).crd != nullptr && find(object, {"spec", "replicas"}) == nullptr) {
      return status_answer(500, "InternalError", "the spec replicas field \".spec.replicas\" does not exist");
    }
    return ok(scale_of(object));
  }
  return ok(target.metadata_only ? metadata_of(object) : object);
}

net::HttpResponse FakeApiServer::list(const Target& target) {
  const absl::StatusOr<Selection> selection = selection_of(target);
  if (absl::IsUnimplemented(selection.status())) return not_modelled(selection.status().ToString());
  if (!selection.ok()) return status_answer(400, "BadRequest", selection.status().ToString());
  const std::string from = target.option("continue");
  if (!from.empty()) {
    const uint64_t version = std::stoull(from.substr(0, from.find('|')));
    const auto snapshot = snapshots_.find({version, target.collection});
    if (version < oldest_ || snapshot == snapshots_.end()) {
      return status_answer(410, "Expired", "the provided continue parameter is too old");
    }
    return page(target, *selection, snapshot->second, version, from.substr(from.find('|') + 1));
  }
  const uint64_t asked = resource_version_number(target.option("resourceVersion"));
  if (asked > version_) return too_large_a_version();
  const std::string match = target.option("resourceVersionMatch");
  // A version and a limit without a match mean exactly that version.
  const bool exact = asked != 0 && (match == "Exact" || (match.empty() && !target.option("limit").empty()));
  if (exact && asked < oldest_) {
    return status_answer(410, "Expired", "the resourceVersion for the provided list is too old");
  }
  if (exact && asked < version_) return not_modelled("a list at a version of the past");
  const bool cached = target.option("resourceVersion") == "0" && cached_version;
  const uint64_t version = cached ? std::max(cached_version(), oldest_) : version_;
  return page(target, *selection, as_of(target.collection, version), version, "");
}

FakeApiServer::Collection FakeApiServer::as_of(const std::string& collection, uint64_t version) const {
  const auto present = collections_.find(collection);
  Collection objects = present == collections_.end() ? Collection{} : present->second;
  for (auto change = history_.rbegin(); change != history_.rend() && change->version > version; ++change) {
    if (change->collection != collection) continue;
    const Json& object = *(change->before ? change->before : change->object);
    const base::ObjectKey key{string_at(object, {"metadata", "namespace"}), string_at(object, {"metadata", "name"})};
    if (change->before) {
      objects[key] = change->before;
    } else {
      objects.erase(key);
    }
  }
  return objects;
}

net::HttpResponse FakeApiServer::page(const Target& target, const Selection& selection, const Collection& objects,
                                      uint64_t version, const std::string& after) {
  const std::string limit_text = target.option("limit");
  // What is served from the cache is served whole.
  const bool whole = limit_text.empty() || target.option("resourceVersion") == "0";
  const size_t limit = whole ? SIZE_MAX : std::stoul(limit_text);
  const size_t slash = after.find('/');
  const base::ObjectKey last = slash == std::string::npos
                                   ? base::ObjectKey{"", after}
                                   : base::ObjectKey{after.substr(0, slash), after.substr(slash + 1)};
  Json items = Json::array();
  Json metadata = {{"resourceVersion", base::cat(version)}};
  std::string seen;
  for (auto at = after.empty() ? objects.begin() : objects.upper_bound(last); at != objects.end(); ++at) {
    const Json& object = *at->second;
    // A full page ends at the next key, whether it would match or not.
    const bool one = std::any_of(selection.fields.begin(), selection.fields.end(),
                                 [](const auto& field) { return field.first == "metadata.name"; });
    const bool in_range = !one && (selection.ns.empty() || at->first.ns == selection.ns);
    if (in_range && items.size() == limit) {
      metadata["continue"] = base::cat(version, "|", seen);
      snapshots_.try_emplace({version, target.collection}, objects);
      while (snapshots_.size() > kMaxSnapshots) snapshots_.erase(snapshots_.begin());
      break;
    }
    if (!selection.matches(object)) continue;
    items.push_back(target.metadata_only ? metadata_of(object) : object);
    seen = at->first.to_string();
  }
  const char* kind = target.metadata_only ? "PartialObjectMetadataList" : "List";
  return ok({{"kind", kind}, {"apiVersion", "v1"}, {"metadata", metadata}, {"items", items}});
}

FakeApiServer::Object FakeApiServer::find_object(const std::string& collection, const base::ObjectKey& key) const {
  const auto objects = collections_.find(collection);
  if (objects == collections_.end()) return nullptr;
  const auto found = objects->second.find(key);
  return found == objects->second.end() ? nullptr : found->second;
}

std::optional<Json> FakeApiServer::get(const GroupVersionResource& resource, const base::ObjectKey& key) const {
  const Object object = find_object(resource.path(""), key);
  return object ? std::optional<Json>(*object) : std::nullopt;
}

size_t FakeApiServer::count(const GroupVersionResource& resource) const {
  const auto collection = collections_.find(resource.path(""));
  return collection == collections_.end() ? 0 : collection->second.size();
}

std::vector<Json> FakeApiServer::all(const GroupVersionResource& resource) const {
  std::vector<Json> objects;
  const auto found = collections_.find(resource.path(""));
  if (found == collections_.end()) return objects;
  for (const auto& [key, object] : found->second) objects.push_back(*object);
  return objects;
}

FieldOwners FakeApiServer::owners(const GroupVersionResource& resource, const base::ObjectKey& key) const {
  const auto found = owners_.find({resource.path(""), key});
  return found == owners_.end() ? FieldOwners{} : found->second;
}

void FakeApiServer::compact() {
  oldest_ = version_;
  std::erase_if(history_, [this](const Change& change) { return change.version <= oldest_; });
  std::erase_if(snapshots_, [this](const auto& snapshot) { return snapshot.first.first < oldest_; });
}

uint64_t FakeApiServer::open_watch(net::HttpRequest& request, const Target& target, Selection selection) {
  auto watch = std::make_shared<Watch>();
  watch->id = next_watch_++;
  watch->collection = target.collection;
  watch->selection = std::move(selection);
  watch->metadata_only = target.metadata_only;
  watch->bookmarks = target.option("allowWatchBookmarks") == "true";
  watch->on_chunk = std::move(request.on_chunk);
  watches_.push_back(watch);
  const bool initial = target.option("sendInitialEvents") == "true";
  const uint64_t since = resource_version_number(target.option("resourceVersion"));
  if (initial || since == 0) {
    for (const auto& [key, object] : collections_[target.collection]) {
      if (watch->selection.matches(*object)) send(*watch, "ADDED", *object);
    }
  } else {
    for (const Change& change : history_) {
      if (change.version > since && change.collection == target.collection) deliver(*watch, change);
    }
  }
  if (initial) send_bookmark(*watch, true);
  const std::string seconds = target.option("timeoutSeconds");
  if (!seconds.empty()) {
    watch->timeout = clock_.after(absl::Seconds(std::stoll(seconds)),
                                  [this, id = watch->id] { end(id, Answer(net::HttpResponse{200, {}, ""})); });
  }
  return watch->id;
}

base::Task<FakeApiServer::Answer> FakeApiServer::watch(net::HttpRequest request, Target target, base::Scope& scope) {
  const bool initial = target.option("sendInitialEvents") == "true";
  if (initial && (!supports_watch_list || target.option("resourceVersionMatch") != "NotOlderThan")) {
    co_return status_answer(422, "Invalid", "sendInitialEvents is forbidden for watch");
  }
  absl::StatusOr<Selection> selection = selection_of(target);
  if (absl::IsUnimplemented(selection.status())) co_return not_modelled(selection.status().ToString());
  if (!selection.ok()) co_return status_answer(400, "BadRequest", selection.status().ToString());
  const uint64_t since = resource_version_number(target.option("resourceVersion"));
  if (!initial && since != 0 && since < oldest_) {
    // Not an answer's status: the watch has begun by then.
    const Json status = Json::parse(status_answer(410, "Expired", "too old resource version").body);
    request.on_chunk(Json({{"type", "ERROR"}, {"object", status}}).dump() + "\n");
    co_return net::HttpResponse{200, {}, ""};
  }
  const uint64_t id = open_watch(request, target, *std::move(selection));
  const auto found = std::find_if(watches_.begin(), watches_.end(), [id](const auto& w) { return w->id == id; });
  if (found == watches_.end()) co_return absl::CancelledError("the receiver refused");
  base::Promise<Answer> ended = (*found)->ended;
  auto registration = scope.on_cancel([this, id] { end(id, absl::CancelledError("scope ended")); });
  Answer answer = co_await ended.wait();
  co_return answer;
}

void FakeApiServer::announce(Change change) {
  history_.push_back(std::move(change));
  const Change latest = history_.back();
  const auto open = watches_;
  for (const auto& watch : open) {
    if (watch->collection == latest.collection) deliver(*watch, latest);
  }
}

// An object that begins or ceases to match is added or deleted for this watch.
void FakeApiServer::deliver(Watch& watch, const Change& change) {
  const bool was_in = change.before && watch.selection.matches(*change.before);
  const bool is_in = change.type != "DELETED" && watch.selection.matches(*change.object);
  if (is_in) {
    send(watch, was_in ? "MODIFIED" : "ADDED", *change.object);
  } else if (was_in) {
    Json last = *change.before;
    last["metadata"]["resourceVersion"] = base::cat(change.version);
    send(watch, "DELETED", last);
  }
}

void FakeApiServer::send(Watch& watch, const std::string& type, const Json& object) {
  if (watch.ended.is_set()) return;
  const std::string line =
      Json({{"type", type}, {"object", watch.metadata_only ? metadata_of(object) : object}}).dump() + "\n";
  // In two pieces, as a network would.
  const size_t half = line.size() / 2;
  const bool taken = watch.on_chunk(line.substr(0, half));
  if (!taken || !watch.on_chunk(line.substr(half))) end(watch.id, absl::CancelledError("the receiver refused"));
}

void FakeApiServer::send_bookmark(Watch& watch, bool ends_initial_events) {
  if (!watch.bookmarks || watch.ended.is_set()) return;
  Json mark = {{"metadata", {{"resourceVersion", base::cat(version_)}}}};
  if (ends_initial_events) mark["metadata"]["annotations"]["k8s.io/initial-events-end"] = "true";
  watch.on_chunk(Json({{"type", "BOOKMARK"}, {"object", mark}}).dump() + "\n");
}

void FakeApiServer::end(uint64_t id, Answer answer) {
  const auto found = std::find_if(watches_.begin(), watches_.end(), [id](const auto& w) { return w->id == id; });
  if (found == watches_.end()) return;
  const std::shared_ptr<Watch> watch = *found;
  watches_.erase(found);
  watch->ended.set(std::move(answer));
}

void FakeApiServer::end_all(const std::function<Answer(Watch&)>& how) {
  const auto open = watches_;
  for (const auto& watch : open) {
    Answer answer = how(*watch);
    end(watch->id, std::move(answer));
  }
}

void FakeApiServer::close_watches() {
  end_all([](Watch&) { return Answer(net::HttpResponse{200, {}, ""}); });
}

void FakeApiServer::break_watches() {
  end_all([](Watch&) { return Answer(absl::UnavailableError("connection reset by peer")); });
}

void FakeApiServer::fail_watches(int code, const std::string& reason) {
  end_all([&](Watch& watch) {
    const Json status = Json::parse(status_answer(code, reason, reason).body);
    watch.on_chunk(Json({{"type", "ERROR"}, {"object", status}}).dump() + "\n");
    return Answer(net::HttpResponse{200, {}, ""});
  });
}

void FakeApiServer::bookmark() {
  const auto open = watches_;
  for (const auto& watch : open) send_bookmark(*watch, false);
}

}  // namespace tidegate::kube
