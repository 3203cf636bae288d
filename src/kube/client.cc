#include "kube/client.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "base/status.h"
#include "base/strings.h"
#include "kube/errors.h"

namespace tidegate::kube {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kMetadataList = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
constexpr std::string_view kMetadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
// An aggregated API may know no metadata-only answers.
constexpr std::string_view kMetadataIfPossible =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
constexpr std::string_view kMergePatch = "application/merge-patch+json";
// JSON is YAML, so the body needs no other encoding.
constexpr std::string_view kApplyPatch = "application/apply-patch+yaml";
constexpr absl::Duration kListTimeout = absl::Minutes(2);
// For the server to end a watch by itself, and for its last bytes to arrive.
constexpr absl::Duration kWatchGrace = absl::Seconds(30);

// "?a=b&c=d" of what is not empty; values are percent-encoded.
class Query {
 public:
  Query& add(std::string_view name, std::string_view value) {
    if (value.empty()) return *this;
    text_ += base::cat(text_.empty() ? "?" : "&", name, "=");
    for (const char c : value) append_escaped(c);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  void append_escaped(char c) {
    static constexpr std::string_view kHex = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || std::string_view("-._~").find(c) != std::string_view::npos) {
      text_ += c;
    } else {
      text_ += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }

  std::string text_;
};

std::string describe(std::string_view verb, const GroupVersionResource& resource, const base::ObjectKey& key,
                     std::string_view subresource = "") {
  std::string text = base::cat(verb, " ", resource.plural);
  if (!subresource.empty()) text += base::cat("/", subresource);
  if (!key.name.empty()) return base::cat(text, " ", key.to_string());
  return key.ns.empty() ? text : base::cat(text, " in ", key.ns);
}

base::ObjectKey key_of(const Json& object) {
  return {string_at(object, {"metadata", "namespace"}), string_at(object, {"metadata", "name"})};
}

void fill_type(Json& object, const GroupVersionResource& resource) {
  if (!object.contains("apiVersion")) object["apiVersion"] = resource.api_version();
  if (!object.contains("kind")) object["kind"] = resource.kind;
}

// The server would answer a path without a name as a request for the whole collection.
absl::Status check_named(const std::string& what, const GroupVersionResource& resource, const base::ObjectKey& key) {
  if (key.name.empty()) return absl::InvalidArgumentError(base::cat(what, ": the object has no metadata.name"));
  if (resource.namespaced && key.ns.empty()) {
    return absl::InvalidArgumentError(base::cat(what, ": the object has no metadata.namespace"));
  }
  return absl::OkStatus();
}

Json delete_body(const DeleteOptions& options) {
  Json body = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", options.propagation_policy}};
  if (!options.uid.empty()) body["preconditions"]["uid"] = options.uid;
  if (!options.resource_version.empty()) body["preconditions"]["resourceVersion"] = options.resource_version;
  if (options.grace_period_seconds) body["gracePeriodSeconds"] = *options.grace_period_seconds;
  return body;
}

// What a status write holds: the server takes nothing but the status from it.
Json status_object(const GroupVersionResource& resource, const base::ObjectKey& key, Json status,
                   const std::string& resource_version) {
  Json object = {{"metadata", {{"name", key.name}, {"resourceVersion", resource_version}}}};
  fill_type(object, resource);
  if (resource.namespaced) object["metadata"]["namespace"] = key.ns;
  object["status"] = std::move(status);
  return object;
}

Json scale_patch(int32_t replicas, const std::string& resource_version) {
  Json patch = {{"spec", {{"replicas", replicas}}}};
  if (!resource_version.empty()) patch["metadata"]["resourceVersion"] = resource_version;
  return patch;
}

// An answer that is no success, as the error it stands for.
absl::StatusOr<net::HttpResponse> checked(absl::StatusOr<net::HttpResponse> response, const std::string& what) {
  if (response.ok() && (response->status < 200 || response->status >= 300)) return error_from_response(*response, what);
  return response;
}

absl::StatusOr<Written> read_written(std::string_view answer, const std::string& what) {
  base::JsonDocument document;
  const absl::StatusOr<JsonView> object = document.parse(answer);
  if (!object.ok()) return base::annotate(object.status(), what);
  return Written{resource_version_of(*object), string_at(*object, {"metadata", "uid"})};
}

// Splits a watch's bytes into events; remembers what ended it from our side.
struct WatchReader {
  std::string what;
  std::function<void(const WatchEvent&)> on_event;
  LineDecoder lines;
  base::JsonDocument document;
  absl::Status error;

  bool feed(std::string_view bytes) {
    const bool accepted = lines.feed(bytes, [this](std::string_view line) { return take(line); });
    if (!accepted && error.ok()) {
      error = absl::InvalidArgumentError(base::cat(what, ": a line of the watch is too long"));
    }
    return accepted;
  }
  bool take(std::string_view line) {
    absl::StatusOr<WatchEvent> event = parse_watch_event(line, what, document);
    if (event.ok()) {
      on_event(*event);
    } else {
      error = event.status();
    }
    return event.ok();
  }
};

int number_in(const Json& version, std::string_view field) {
  // Some providers write "34+".
  std::string digits = string_at(version, {field});
  digits.erase(std::find_if_not(digits.begin(), digits.end(), absl::ascii_isdigit), digits.end());
  int number = 0;
  return absl::SimpleAtoi(digits, &number) ? number : 0;
}

}  // namespace

// One request: what it is called in errors and metrics, and what goes over the wire.
struct Client::Call {
  std::string what;
  std::string verb;
  std::string method;
  std::string path;  // with the query
  std::string content_type;
  std::string body;
  absl::Duration timeout = absl::Seconds(30);
  std::function<bool(std::string_view)> on_chunk;
  std::string accept = std::string(kJson);
  bool body_in_pieces = false;
};

Client::Client(net::HttpClient& http, ClientConfig config, ClientMetrics* metrics)
    : http_(http), config_(std::move(config)), metrics_(metrics) {}

void Client::count(std::string_view verb, int code) {
  if (metrics_ != nullptr) ++metrics_->requests[{std::string(verb), code}];
}

base::Task<absl::StatusOr<net::HttpResponse>> Client::send_once(Call call, base::Scope& scope) {
  net::HttpRequest request;
  request.method = call.method;
  request.url = base::cat(config_.server, call.path);
  request.headers = {{"accept", call.accept}, {"user-agent", config_.user_agent}};
  if (!call.body.empty()) request.headers.emplace_back("content-type", call.content_type);
  if (config_.tls) request.tls = config_.tls->tls();
  if (config_.credentials) {
    absl::StatusOr<Credential> credential = co_await config_.credentials->credential(scope);
    if (!credential.ok()) co_return base::annotate(credential.status(), call.what);
    if (!credential->token.empty())
      request.headers.emplace_back("authorization", base::cat("Bearer ", credential->token));
    if (credential->tls) request.tls = credential->tls;
  } else if (config_.token) {
    absl::StatusOr<std::string> token = config_.token->token();
    if (!token.ok()) co_return base::annotate(token.status(), call.what);
    request.headers.emplace_back("authorization", base::cat("Bearer ", *token));
  }
  request.body = std::move(call.body);
  request.timeout = call.timeout;
  request.body_in_pieces = call.body_in_pieces;
  if (call.on_chunk)
    request.probe = {base::cat(config_.server, "/version"), config_.probe_after, config_.probe_timeout};
  request.on_chunk = std::move(call.on_chunk);
  absl::StatusOr<net::HttpResponse> response = co_await http_.request(std::move(request), scope);
  count(call.verb, response.ok() ? response->status : 0);
  // It may have been its certificate that we do not trust, or ours that it did not take.
  if (config_.tls && absl::IsUnavailable(response.status())) config_.tls->invalidate();
  if (!response.ok()) co_return base::annotate(response.status(), call.what);
  co_return response;
}

// After a 401 for `refused`: whether there may be something else to say about who we are.
bool Client::renew_credentials(const std::shared_ptr<const net::TlsOptions>& refused) {
  if (config_.token) config_.token->invalidate();
  if (config_.credentials) config_.credentials->invalidate();
  if (config_.token || config_.credentials) return true;
  if (!config_.tls) return false;
  config_.tls->invalidate();
  return config_.tls->tls() != refused;
}

base::Task<absl::StatusOr<net::HttpResponse>> Client::send(Call call, base::Scope& scope) {
  const std::string what = call.what;
  const std::shared_ptr<const net::TlsOptions> used = config_.tls ? config_.tls->tls() : nullptr;
  absl::StatusOr<net::HttpResponse> response = co_await send_once(call, scope);
  if (!response.ok() || response->status != 401 || !renew_credentials(used)) {
    co_return checked(std::move(response), what);
  }
  absl::StatusOr<net::HttpResponse> again = co_await send_once(std::move(call), scope);
  co_return checked(std::move(again), what);
}

base::Task<absl::StatusOr<Json>> Client::send_json(Call call, base::Scope& scope) {
  const std::string what = call.what;
  absl::StatusOr<net::HttpResponse> response = co_await send(std::move(call), scope);
  if (!response.ok()) co_return response.status();
  absl::StatusOr<Json> json = parse_json(response->body, what);
  co_return json;
}

base::Task<absl::StatusOr<Written>> Client::send_write(Call call, std::string_view content_type, Json body,
                                                       base::Scope& scope) {
  const std::string what = call.what;
  call.content_type = content_type;
  call.body = dump_json(body);
  call.accept = kMetadataIfPossible;
  absl::StatusOr<net::HttpResponse> response = co_await send(std::move(call), scope);
  if (!response.ok()) co_return response.status();
  co_return read_written(response->body, what);
}

base::Task<absl::StatusOr<Json>> Client::get(GroupVersionResource resource, base::ObjectKey key, base::Scope& scope) {
  Call call{describe("get", resource, key), "get", "GET", resource.path(key.ns, key.name)};
  absl::Status named = check_named(call.what, resource, key);
  if (!named.ok()) co_return named;
  absl::StatusOr<Json> object = co_await send_json(std::move(call), scope);
  co_return object;
}

Client::Call Client::list_call(const GroupVersionResource& resource, const ListOptions& options) {
  Query query;
  query.add("labelSelector", options.label_selector).add("fieldSelector", options.field_selector);
  query.add("limit", base::cat(options.limit)).add("continue", options.continue_token);
  // A continuation carries its own version.
  if (options.continue_token.empty()) query.add("resourceVersion", options.resource_version);
  // Without it, a version with a limit means exactly that version, which is gone after the next compaction.
  const bool not_older = !options.resource_version.empty() && options.resource_version != "0";
  if (options.continue_token.empty() && not_older) query.add("resourceVersionMatch", "NotOlderThan");
  Call call{describe("list", resource, {options.ns, ""}), "list", "GET", resource.path(options.ns) + query.text()};
  call.timeout = kListTimeout;
  if (options.metadata_only) call.accept = kMetadataList;
  return call;
}

base::Task<absl::StatusOr<ListPage>> Client::list_page(GroupVersionResource resource, ListOptions options,
                                                       base::Scope& scope) {
  absl::StatusOr<Json> list = co_await send_json(list_call(resource, options), scope);
  if (!list.ok()) co_return list.status();
  ListPage page;
  page.resource_version = resource_version_of(*list);
  page.continue_token = string_at(*list, {"metadata", "continue"});
  if (auto items = list->find("items"); items != list->end() && items->is_array()) {
    page.items = std::move(items->get_ref<Json::array_t&>());
  }
  co_return page;
}

base::Task<absl::StatusOr<ListText>> Client::list_text(GroupVersionResource resource, ListOptions options,
                                                       base::Scope& scope) {
  Call call = list_call(resource, options);
  call.body_in_pieces = true;
  ListText text;
  text.what = call.what;
  absl::StatusOr<net::HttpResponse> response = co_await send(std::move(call), scope);
  if (!response.ok()) co_return response.status();
  text.pieces = std::move(response->pieces);
  if (!response->body.empty()) text.pieces.push_back(std::move(response->body));
  co_return text;
}

base::Task<absl::StatusOr<ListPage>> Client::list(GroupVersionResource resource, ListOptions options,
                                                  base::Scope& scope) {
  ListPage all;
  bool restarted = false;
  while (true) {
    absl::StatusOr<ListPage> page = co_await list_page(resource, options, scope);
    const bool expired = absl::IsOutOfRange(page.status()) && !options.continue_token.empty() && !restarted;
    if (expired) {
      restarted = true;
      all.items.clear();
      options.continue_token.clear();
      options.resource_version.clear();
      continue;
    }
    if (!page.ok()) co_return page.status();
    std::move(page->items.begin(), page->items.end(), std::back_inserter(all.items));
    all.resource_version = page->resource_version;
    options.continue_token = page->continue_token;
    if (options.continue_token.empty()) co_return all;
  }
}

base::Task<absl::StatusOr<Written>> Client::create(GroupVersionResource resource, Json object, base::Scope& scope) {
  fill_type(object, resource);
  const base::ObjectKey key = key_of(object);
  Call call{describe("create", resource, key), "create", "POST", resource.path(key.ns)};
  absl::Status named = check_named(call.what, resource, key);
  if (!named.ok()) co_return named;
  absl::StatusOr<Written> created = co_await send_write(std::move(call), kJson, std::move(object), scope);
  co_return created;
}

base::Task<absl::StatusOr<Written>> Client::apply(GroupVersionResource resource, Json object, ApplyOptions options,
                                                  base::Scope& scope) {
  fill_type(object, resource);
  const base::ObjectKey key = key_of(object);
  Query query;
  query.add("fieldManager", options.field_manager).add("force", options.force ? "true" : "false");
  Call call{describe("apply", resource, key), "apply", "PATCH", resource.path(key.ns, key.name) + query.text()};
  absl::Status named = check_named(call.what, resource, key);
  if (!named.ok()) co_return named;
  absl::StatusOr<Written> applied = co_await send_write(std::move(call), kApplyPatch, std::move(object), scope);
  co_return applied;
}

base::Task<absl::StatusOr<Written>> Client::update(GroupVersionResource resource, Json object, base::Scope& scope) {
  fill_type(object, resource);
  const base::ObjectKey key = key_of(object);
  Call call{describe("update", resource, key), "update", "PUT", resource.path(key.ns, key.name)};
  absl::Status named = check_named(call.what, resource, key);
  if (!named.ok()) co_return named;
  absl::StatusOr<Written> updated = co_await send_write(std::move(call), kJson, std::move(object), scope);
  co_return updated;
}

base::Task<absl::StatusOr<Written>> Client::update_status(GroupVersionResource resource, base::ObjectKey key,
                                                          Json status, std::string expected_resource_version,
                                                          std::string field_manager, base::Scope& scope) {
  Query query;
  query.add("fieldManager", field_manager);
  Call call{describe("update", resource, key, "status"), "update", "PUT",
            resource.path(key.ns, key.name, "status") + query.text()};
  if (expected_resource_version.empty()) {
    co_return absl::InvalidArgumentError(base::cat(call.what, ": no resourceVersion was given to base the status on"));
  }
  absl::Status named = check_named(call.what, resource, key);
  if (!named.ok()) co_return named;
  Json object = status_object(resource, key, std::move(status), expected_resource_version);
  absl::StatusOr<Written> updated = co_await send_write(std::move(call), kJson, std::move(object), scope);
  co_return updated;
}

base::Task<absl::StatusOr<Written>> Client::merge_patch(GroupVersionResource resource, base::ObjectKey key, Json patch,
                                                        std::string field_manager, base::Scope& scope) {
  absl::StatusOr<Written> patched =
      co_await patch_at(std::move(resource), std::move(key), "", std::move(patch), std::move(field_manager), scope);
  co_return patched;
}

base::Task<absl::StatusOr<Written>> Client::scale(GroupVersionResource resource, base::ObjectKey key, int32_t replicas,
                                                  std::string expected_resource_version, std::string field_manager,
                                                  base::Scope& scope) {
  Json patch = scale_patch(replicas, expected_resource_version);
  absl::StatusOr<Written> scaled = co_await patch_at(std::move(resource), std::move(key), "scale", std::move(patch),
                                                     std::move(field_manager), scope);
  co_return scaled;
}

base::Task<absl::StatusOr<Written>> Client::patch_at(GroupVersionResource resource, base::ObjectKey key,
                                                     std::string subresource, Json patch, std::string field_manager,
                                                     base::Scope& scope) {
  Query query;
  query.add("fieldManager", field_manager);
  Call call{describe("patch", resource, key, subresource), "patch", "PATCH",
            resource.path(key.ns, key.name, subresource) + query.text()};
  absl::Status named = check_named(call.what, resource, key);
  if (!named.ok()) co_return named;
  absl::StatusOr<Written> patched = co_await send_write(std::move(call), kMergePatch, std::move(patch), scope);
  co_return patched;
}

base::Task<absl::Status> Client::remove(GroupVersionResource resource, base::ObjectKey key, DeleteOptions options,
                                        base::Scope& scope) {
  Call call{describe("delete", resource, key), "delete", "DELETE", resource.path(key.ns, key.name)};
  call.content_type = kJson;
  call.body = dump_json(delete_body(options));
  call.accept = kMetadataIfPossible;
  absl::Status named = check_named(call.what, resource, key);
  if (!named.ok()) co_return named;
  absl::StatusOr<net::HttpResponse> response = co_await send(std::move(call), scope);
  co_return response.status();
}

base::Task<absl::Status> Client::watch(GroupVersionResource resource, WatchOptions options,
                                       std::function<void(const WatchEvent&)> on_event, base::Scope& scope) {
  Query query;
  query.add("watch", "true").add("allowWatchBookmarks", "true");
  query.add("labelSelector", options.label_selector).add("fieldSelector", options.field_selector);
  query.add("resourceVersion", options.resource_version);
  query.add("timeoutSeconds", base::cat(absl::ToInt64Seconds(options.timeout)));
  if (options.send_initial_events) query.add("sendInitialEvents", "true").add("resourceVersionMatch", "NotOlderThan");
  Call call{describe("watch", resource, {options.ns, ""}), "watch", "GET", resource.path(options.ns) + query.text()};
  call.timeout = options.timeout + kWatchGrace;
  if (options.metadata_only) call.accept = kMetadata;
  auto reader = std::make_shared<WatchReader>(WatchReader{call.what, std::move(on_event), {}, {}, absl::OkStatus()});
  call.on_chunk = [reader](std::string_view bytes) { return reader->feed(bytes); };
  absl::StatusOr<net::HttpResponse> response = co_await send(std::move(call), scope);
  // Our own refusal ends the request as CANCELLED; why we refused says more.
  if (!reader->error.ok()) co_return reader->error;
  co_return response.status();
}

base::Task<absl::StatusOr<ServerVersion>> Client::server_version(base::Scope& scope) {
  Call call{"get the server's version", "get", "GET", "/version"};
  absl::StatusOr<Json> json = co_await send_json(std::move(call), scope);
  if (!json.ok()) co_return json.status();
  ServerVersion version{number_in(*json, "major"), number_in(*json, "minor"), string_at(*json, {"gitVersion"})};
  co_return version;
}

}  // namespace tidegate::kube
