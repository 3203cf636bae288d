#pragma once
// The Kubernetes API, one coroutine a request, on a net::HttpClient. JSON in, JSON out; but a write is answered with
// what only the server knows (Written): the whole object, which the writer has, is not sent back.
//
// It never retries by itself, except once with fresh credentials after a 401: whoever calls knows whether to try again
// (the work queue's backoff, the reflector's). Errors are those of errors.h, plus UNAVAILABLE and DEADLINE_EXCEEDED
// of the transport and CANCELLED when the scope ends; the message begins with verb, collection and object.
// Loop thread only. To test against it, hand it a fake HttpClient (tests/kube/fake_api_server.h).
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/object_key.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/config.h"
#include "kube/json.h"
#include "kube/list_page.h"
#include "kube/metrics.h"
#include "kube/resource.h"
#include "kube/watch_event.h"
#include "net/http_client.h"

namespace tidegate::kube {

inline constexpr int kListPageSize = 500;

struct ListOptions {
  std::string ns;  // empty: all namespaces
  std::string label_selector;
  std::string field_selector;
  // "" most recent (a quorum read), "0" whatever the server has cached, else not older than this.
  std::string resource_version;
  std::string continue_token;
  int limit = kListPageSize;
  // PartialObjectMetadata instead of whole objects.
  bool metadata_only = false;
};

struct ListPage {
  std::vector<Json> items;
  std::string resource_version;
  std::string continue_token;  // empty: this was the last page
};

struct WatchOptions {
  std::string ns;
  std::string label_selector;
  std::string field_selector;
  std::string resource_version;
  // The server ends the watch after this; the request itself is given 30 s more.
  absl::Duration timeout = absl::Minutes(5);
  // WatchList: the stream begins with all objects and then a bookmark that ends_initial_events().
  bool send_initial_events = false;
  // PartialObjectMetadata instead of whole objects.
  bool metadata_only = false;
};

struct ApplyOptions {
  std::string field_manager = "tidegate";
  // Takes over fields that another manager owns; without it such a conflict is ABORTED and names the manager.
  bool force = true;
};

struct DeleteOptions {
  // Both are preconditions; ABORTED when the object is another one by now.
  std::string uid;
  std::string resource_version;
  // "Background", "Foreground" or "Orphan".
  std::string propagation_policy = "Background";
  std::optional<int64_t> grace_period_seconds;
};

// What a write has made of the object. A write that changed nothing leaves the version as it was.
struct Written {
  std::string resource_version;
  std::string uid;
};

struct ServerVersion {
  int major = 0;
  int minor = 0;
  std::string git_version;
};

class Client {
 public:
  // `http` and `clock` must outlive the client. `metrics` may be null.
  Client(net::HttpClient& http, ClientConfig config, ClientMetrics* metrics = nullptr);

  base::Task<absl::StatusOr<Json>> get(GroupVersionResource resource, base::ObjectKey key, base::Scope& scope);

  // Every page, as trees: for collections that are small. If the continuation expires on the way, starts over once with
  // the most recent version.
  base::Task<absl::StatusOr<ListPage>> list(GroupVersionResource resource, ListOptions options, base::Scope& scope);
  base::Task<absl::StatusOr<ListPage>> list_page(GroupVersionResource resource, ListOptions options,
                                                 base::Scope& scope);
  // One page, as it came: for read_list_page, on any thread.
  base::Task<absl::StatusOr<ListText>> list_text(GroupVersionResource resource, ListOptions options,
                                                 base::Scope& scope);

  // ALREADY_EXISTS when it does. Namespace and name come from the object's metadata, here and below.
  base::Task<absl::StatusOr<Written>> create(GroupVersionResource resource, Json object, base::Scope& scope);

  // Server-side apply: `object` holds exactly the fields that the manager owns; apiVersion and kind are filled in when
  // absent. metadata.resourceVersion is a precondition on an object that exists (ABORTED when it moved on), but one
  // that is gone is created anew; with metadata.uid it is not (ABORTED).
  base::Task<absl::StatusOr<Written>> apply(GroupVersionResource resource, Json object, ApplyOptions options,
                                            base::Scope& scope);

  // Replaces the object (PUT); metadata.resourceVersion is the precondition when set.
  base::Task<absl::StatusOr<Written>> update(GroupVersionResource resource, Json object, base::Scope& scope);
  // Replaces the status and nothing else (PUT). `expected_resource_version` must not be empty: a status that was
  // computed from an older object is never written (ABORTED).
  base::Task<absl::StatusOr<Written>> update_status(GroupVersionResource resource, base::ObjectKey key, Json status,
                                                    std::string expected_resource_version, std::string field_manager,
                                                    base::Scope& scope);
  // JSON merge patch (RFC 7386). metadata.resourceVersion in `patch` is a precondition.
  base::Task<absl::StatusOr<Written>> merge_patch(GroupVersionResource resource, base::ObjectKey key, Json patch,
                                                  std::string field_manager, base::Scope& scope);

  // Sets spec.replicas through the scale subresource. `expected_resource_version` empty: unconditional.
  base::Task<absl::StatusOr<Written>> scale(GroupVersionResource resource, base::ObjectKey key, int32_t replicas,
                                            std::string expected_resource_version, std::string field_manager,
                                            base::Scope& scope);

  // OK means: accepted; finalizers and the grace period may keep the object for a while. NOT_FOUND when it is gone.
  base::Task<absl::Status> remove(GroupVersionResource resource, base::ObjectKey key, DeleteOptions options,
                                  base::Scope& scope);

  // Calls `on_event` for each event, in order, on the loop's thread. OK when the server ended the watch as asked;
  // the server's error (410: OUT_OF_RANGE) or the transport's otherwise. `on_event` must live until the task ends.
  base::Task<absl::Status> watch(GroupVersionResource resource, WatchOptions options,
                                 std::function<void(const WatchEvent&)> on_event, base::Scope& scope);

  base::Task<absl::StatusOr<ServerVersion>> server_version(base::Scope& scope);

  ClientMetrics* metrics() const { return metrics_; }
  const ClientConfig& config() const { return config_; }

 private:
  struct Call;
  static Call list_call(const GroupVersionResource& resource, const ListOptions& options);
  base::Task<absl::StatusOr<net::HttpResponse>> send(Call call, base::Scope& scope);
  base::Task<absl::StatusOr<net::HttpResponse>> send_once(Call call, base::Scope& scope);
  base::Task<absl::StatusOr<Json>> send_json(Call call, base::Scope& scope);
  base::Task<absl::StatusOr<Written>> send_write(Call call, std::string_view content_type, Json body,
                                                 base::Scope& scope);
  base::Task<absl::StatusOr<Written>> patch_at(GroupVersionResource resource, base::ObjectKey key,
                                               std::string subresource, Json patch, std::string field_manager,
                                               base::Scope& scope);
  bool renew_credentials(const std::shared_ptr<const net::TlsOptions>& refused);
  void count(std::string_view verb, int code);

  net::HttpClient& http_;
  ClientConfig config_;
  ClientMetrics* metrics_;
};

}  // namespace tidegate::kube
