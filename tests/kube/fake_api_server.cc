#include "kube/fake_api_server.h"

#include <absl/strings/escaping.h>

#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

#include "base/strings.h"

namespace tidegate::kube {
namespace {

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

std::string value(const std::map<std::string, std::string>& map, const std::string& key) {
  auto found = map.find(key);
  return found == map.end() ? "" : found->second;
}

net::HttpResponse ok(const Json& body, int code = 200) { return {code, {}, body.dump()}; }

std::string version_of(const Json& object) { return string_at(object, {"metadata", "resourceVersion"}); }

// What the real server answers to an apply with the uid of another object.
net::HttpResponse uid_is_immutable() {
  net::HttpResponse answer = FakeApiServer::status_answer(422, "Invalid", "metadata.uid: field is immutable");
  Json status = Json::parse(answer.body);
  Json cause = {{"reason", "FieldValueInvalid"}, {"field", "metadata.uid"}, {"message", "field is immutable"}};
  status["details"]["causes"].push_back(std::move(cause));
  answer.body = status.dump();
  return answer;
}

bool conflicts(const Json& current, const Json& next) {
  const std::string expected = version_of(next);
  return !expected.empty() && expected != version_of(current);
}

// Takes out of `live` what `before` had and `now` has not.
void remove_dropped(Json& live, const Json& before, const Json& now) {
  if (!live.is_object() || !before.is_object()) return;
  for (const auto& [key, member] : before.items()) {
    if (!live.contains(key)) continue;
    if (!now.contains(key)) {
      live.erase(key);
    } else if (member.is_object()) {
      remove_dropped(live[key], member, now[key]);
    }
  }
}

}  // namespace

net::HttpResponse FakeApiServer::status_answer(int code, const std::string& reason, const std::string& message) {
  const Json status = {{"kind", "Status"},   {"apiVersion", "v1"}, {"status", "Failure"},
                       {"message", message}, {"reason", reason},   {"code", code}};
  return {code, {}, status.dump()};
}

FakeApiServer::Target FakeApiServer::parse(const std::string& url) {
  Target target;
  std::string_view rest = url;
  rest.remove_prefix(rest.find('/', rest.find("://") + 3));
  const size_t question = rest.find('?');
  if (question != std::string_view::npos) {
    for (const std::string& pair : split(rest.substr(question + 1), '&')) {
      const size_t equals = pair.find('=');
      target.query[pair.substr(0, equals)] = unescape(std::string_view(pair).substr(equals + 1));
    }
    rest = rest.substr(0, question);
  }
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
  const Target target = parse(request.url);
  if (value(target.query, "watch") == "true") {
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
  Json body;
  if (!request.body.empty()) body = Json::parse(request.body);
  if (request.method == "POST") return create(target, std::move(body));
  if (target.key.name.empty()) return list(target);
  const Collection& collection = collections_[target.collection];
  const auto found = collection.find(target.key);
  const auto type = std::find_if(request.headers.begin(), request.headers.end(),
                                 [](const auto& header) { return header.first == "content-type"; });
  if (type != request.headers.end() && type->second == "application/apply-patch+yaml") {
    return apply(target, std::move(body));
  }
  if (found == collection.end()) {
    return status_answer(404, "NotFound", base::cat(target.collection, " \"", target.key.name, "\" not found"));
  }
  if (request.method == "GET") return ok(found->second);
  if (request.method == "PUT") return update(target, std::move(body));
  if (request.method == "PATCH") return patch(target, body);
  if (request.method == "DELETE") return remove(target, body);
  return status_answer(405, "MethodNotAllowed", "method not allowed");
}

net::HttpResponse FakeApiServer::list(const Target& target) const {
  std::string after = value(target.query, "continue");
  uint64_t version = version_;
  if (!after.empty()) {
    version = std::stoull(after.substr(0, after.find('|')));
    if (version < oldest_) return status_answer(410, "Expired", "the provided continue parameter is too old");
    after = after.substr(after.find('|') + 1);
  } else if (resource_version_number(value(target.query, "resourceVersion")) > version_) {
    Json status = Json::parse(status_answer(504, "Timeout", "Too large resource version").body);
    status["details"]["causes"] = {{{"reason", "ResourceVersionTooLarge"}}};
    return {504, {}, status.dump()};
  }
  const std::string limit_text = value(target.query, "limit");
  // A version and a limit without a match mean exactly that version.
  const uint64_t exactly = resource_version_number(value(target.query, "resourceVersion"));
  if (!limit_text.empty() && value(target.query, "resourceVersionMatch").empty() && exactly != 0 && exactly < oldest_) {
    return status_answer(410, "Expired", "the resourceVersion for the provided list is too old");
  }
  const size_t limit = limit_text.empty() ? SIZE_MAX : std::stoul(limit_text);
  Json items = Json::array();
  Json metadata = {{"resourceVersion", base::cat(version)}};
  std::string last;
  const auto collection = collections_.find(target.collection);
  for (const auto& [key, object] : collection == collections_.end() ? Collection{} : collection->second) {
    if (key.to_string() <= after || !matches(target, object)) continue;
    if (items.size() == limit) {
      metadata["continue"] = base::cat(version, "|", last);
      break;
    }
    items.push_back(object);
    last = key.to_string();
  }
  return ok({{"kind", "List"}, {"metadata", metadata}, {"items", items}});
}

net::HttpResponse FakeApiServer::create(const Target& target, Json object) {
  const ObjectKey key{target.key.ns, string_at(object, {"metadata", "name"})};
  if (collections_[target.collection].contains(key)) {
    return status_answer(409, "AlreadyExists", base::cat(target.collection, " \"", key.name, "\" already exists"));
  }
  object.erase("status");
  return ok(store(target.collection, key, std::move(object)), 201);
}

net::HttpResponse FakeApiServer::update(const Target& target, Json object) {
  const Json& current = collections_[target.collection].at(target.key);
  if (conflicts(current, object)) {
    return status_answer(409, "Conflict",
                         "the object has been modified; please apply your changes to the latest version");
  }
  Json next = std::move(object);
  if (target.subresource == "status") {
    Json with_status = current;
    with_status["status"] = next["status"];
    next = std::move(with_status);
  } else if (current.contains("status")) {
    next["status"] = current["status"];
  }
  return write(target, std::move(next));
}

net::HttpResponse FakeApiServer::patch(const Target& target, const Json& patch) {
  const Json& current = collections_[target.collection].at(target.key);
  if (conflicts(current, patch)) return status_answer(409, "Conflict", "the object has been modified");
  Json next = current;
  next.merge_patch(patch);
  if (target.subresource == "status") {
    Json status = next["status"];
    next = current;
    next["status"] = std::move(status);
  }
  if (target.subresource != "scale") return write(target, std::move(next));
  const Json stored = Json::parse(write(target, std::move(next)).body);
  return ok(
      {{"kind", "Scale"}, {"metadata", stored["metadata"]}, {"spec", {{"replicas", stored["spec"]["replicas"]}}}});
}

net::HttpResponse FakeApiServer::apply(const Target& target, Json object) {
  Collection& collection = collections_[target.collection];
  const auto found = collection.find(target.key);
  if (found == collection.end() && !target.subresource.empty()) {
    return status_answer(404, "NotFound", base::cat(target.collection, " \"", target.key.name, "\" not found"));
  }
  const std::string uid = string_at(object, {"metadata", "uid"});
  if (!uid.empty() && found == collection.end()) return status_answer(409, "Conflict", "uid mismatch");
  if (!uid.empty() && uid != string_at(found->second, {"metadata", "uid"})) return uid_is_immutable();
  Json next = found == collection.end() ? Json::object() : found->second;
  // As the real one does: a version is no precondition on an object that is not there.
  if (found != collection.end() && conflicts(next, object)) {
    return status_answer(409, "Conflict", "the object has been modified");
  }
  object["metadata"].erase("resourceVersion");
  if (target.subresource == "status") {
    object = {{"status", object["status"]}};
  } else {
    object.erase("status");
  }
  Json& before = applied_[base::cat(target.collection, "|", target.key.to_string(), "|",
                                    value(target.query, "fieldManager"), "|", target.subresource)];
  remove_dropped(next, before, object);
  next.merge_patch(object);
  before = std::move(object);
  const bool created = found == collection.end();
  net::HttpResponse response = write(target, std::move(next));
  if (created) response.status = 201;
  return response;
}

net::HttpResponse FakeApiServer::remove(const Target& target, const Json& options) {
  Json current = collections_[target.collection].at(target.key);
  const std::string uid = string_at(options, {"preconditions", "uid"});
  const std::string version = string_at(options, {"preconditions", "resourceVersion"});
  if ((!uid.empty() && uid != string_at(current, {"metadata", "uid"})) ||
      (!version.empty() && version != version_of(current))) {
    return status_answer(409, "Conflict", "Precondition failed");
  }
  if (!array_at(current, {"metadata", "finalizers"}).empty()) {
    current["metadata"]["deletionTimestamp"] = format_time(clock_.now());
    return write(target, std::move(current));
  }
  drop(target.collection, target.key);
  return ok({{"kind", "Status"}, {"status", "Success"}});
}

net::HttpResponse FakeApiServer::write(const Target& target, Json next) {
  const bool leaves =
      find(next, {"metadata", "deletionTimestamp"}) != nullptr && array_at(next, {"metadata", "finalizers"}).empty();
  Json stored = store(target.collection, target.key, std::move(next));
  if (leaves) drop(target.collection, target.key);
  return ok(stored);
}

Json FakeApiServer::store(const std::string& collection, const ObjectKey& key, Json next) {
  Collection& objects = collections_[collection];
  const auto known = objects.find(key);
  Json& metadata = next["metadata"];
  const Json before = known == objects.end() ? Json() : known->second;
  if (before.is_null()) {
    metadata["uid"] = base::cat("uid-", next_uid_++);
    metadata["creationTimestamp"] = format_time(clock_.now());
    metadata["generation"] = 1;
  } else {
    for (const char* field : {"uid", "creationTimestamp", "generation", "resourceVersion"}) {
      metadata[field] = before["metadata"][field];
    }
    if (before == next) return before;
    if (before.value("spec", Json()) != next.value("spec", Json())) {
      metadata["generation"] = metadata["generation"].get<int64_t>() + 1;
    }
  }
  metadata["resourceVersion"] = base::cat(++version_);
  objects[key] = next;
  announce(collection, before.is_null() ? "ADDED" : "MODIFIED", next);
  return next;
}

void FakeApiServer::drop(const std::string& collection, const ObjectKey& key) {
  Collection& objects = collections_[collection];
  Json last = objects.at(key);
  objects.erase(key);
  last["metadata"]["resourceVersion"] = base::cat(++version_);
  std::erase_if(applied_, [&](const auto& entry) {
    return entry.first.starts_with(base::cat(collection, "|", key.to_string(), "|"));
  });
  announce(collection, "DELETED", last);
}

Json FakeApiServer::put(const GroupVersionResource& resource, Json object) {
  if (!object.contains("kind")) object["kind"] = resource.kind;
  if (!object.contains("apiVersion")) object["apiVersion"] = resource.api_version();
  const ObjectKey key{string_at(object, {"metadata", "namespace"}), string_at(object, {"metadata", "name"})};
  return store(resource.path(""), key, std::move(object));
}

void FakeApiServer::erase(const GroupVersionResource& resource, const ObjectKey& key) { drop(resource.path(""), key); }

std::optional<Json> FakeApiServer::get(const GroupVersionResource& resource, const ObjectKey& key) const {
  const auto collection = collections_.find(resource.path(""));
  if (collection == collections_.end()) return std::nullopt;
  const auto found = collection->second.find(key);
  if (found == collection->second.end()) return std::nullopt;
  return found->second;
}

size_t FakeApiServer::count(const GroupVersionResource& resource) const {
  const auto collection = collections_.find(resource.path(""));
  return collection == collections_.end() ? 0 : collection->second.size();
}

std::vector<Json> FakeApiServer::all(const GroupVersionResource& resource) const {
  std::vector<Json> objects;
  const auto found = collections_.find(resource.path(""));
  if (found == collections_.end()) return objects;
  for (const auto& [key, object] : found->second) objects.push_back(object);
  return objects;
}

bool FakeApiServer::matches(const Target& target, const Json& object) {
  if (!target.key.ns.empty() && string_at(object, {"metadata", "namespace"}) != target.key.ns) return false;
  const auto labels = strings_at(object, {"metadata", "labels"});
  for (const std::string& term : split(value(target.query, "labelSelector"), ',')) {
    const size_t equals = term.find('=');
    const auto label = labels.find(term.substr(0, equals));
    if (label == labels.end()) return false;
    if (equals != std::string::npos && label->second != term.substr(equals + 1)) return false;
  }
  const std::string field = value(target.query, "fieldSelector");
  return field.empty() || field == "metadata.name=" + string_at(object, {"metadata", "name"});
}

base::Task<FakeApiServer::Answer> FakeApiServer::watch(net::HttpRequest request, Target target, base::Scope& scope) {
  const bool initial = value(target.query, "sendInitialEvents") == "true";
  if (initial && !supports_watch_list) {
    co_return status_answer(422, "Invalid", "sendInitialEvents is forbidden for watch");
  }
  const uint64_t since = resource_version_number(value(target.query, "resourceVersion"));
  if (!initial && since != 0 && since < oldest_) co_return status_answer(410, "Expired", "too old resource version");
  auto watch = std::make_shared<Watch>();
  watch->id = next_watch_++;
  watch->target = target;
  watch->on_chunk = std::move(request.on_chunk);
  watches_.push_back(watch);
  const uint64_t id = watch->id;
  if (initial || since == 0) {
    for (const auto& [key, object] : collections_[target.collection]) send(*watch, "ADDED", object);
  } else {
    for (const Change& change : history_) {
      if (change.version > since && change.collection == target.collection) send(*watch, change.type, change.object);
    }
  }
  if (initial) {
    Json mark = {
        {"metadata",
         {{"resourceVersion", base::cat(version_)}, {"annotations", {{"k8s.io/initial-events-end", "true"}}}}}};
    watch->on_chunk(Json({{"type", "BOOKMARK"}, {"object", mark}}).dump() + "\n");
  }
  const std::string seconds = value(target.query, "timeoutSeconds");
  if (!seconds.empty()) {
    watch->timeout = clock_.after(absl::Seconds(std::stoll(seconds)),
                                  [this, id] { end(id, Answer(net::HttpResponse{200, {}, ""})); });
  }
  auto registration = scope.on_cancel([this, id] { end(id, absl::CancelledError("scope ended")); });
  base::Promise<Answer> ended = watch->ended;
  watch.reset();
  Answer answer = co_await ended.wait();
  co_return answer;
}

void FakeApiServer::announce(const std::string& collection, const std::string& type, const Json& object) {
  history_.push_back({version_, collection, type, object});
  const auto open = watches_;
  for (const auto& watch : open) {
    if (watch->target.collection == collection) send(*watch, type, object);
  }
}

void FakeApiServer::send(Watch& watch, const std::string& type, const Json& object) {
  if (watch.ended.is_set() || !matches(watch.target, object)) return;
  const std::string line = Json({{"type", type}, {"object", object}}).dump() + "\n";
  // In two pieces, as a network would.
  const size_t half = line.size() / 2;
  const bool taken = watch.on_chunk(line.substr(0, half));
  if (!taken || !watch.on_chunk(line.substr(half))) end(watch.id, absl::CancelledError("the receiver refused"));
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
  for (const auto& watch : open) {
    const Json mark = {{"metadata", {{"resourceVersion", base::cat(version_)}}}};
    watch->on_chunk(Json({{"type", "BOOKMARK"}, {"object", mark}}).dump() + "\n");
  }
}

}  // namespace tidegate::kube
