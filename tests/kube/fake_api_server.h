#pragma once
// An API server in memory, behind net::HttpClient: what Client, Reflector, LeaseElector, the operator's tests and the
// simulation talk to. tests/conformance sends it and a real kube-apiserver the same requests and compares.
//
// Modelled: one growing resourceVersion; preconditions (resourceVersion, uid) and conflicts; generation; status apart
// from spec; the scale subresource; finalizers, deletion in two steps and the finalizers of propagation; server-side
// apply with ownership of fields, conflicts without force, removal of what is no longer applied, lists merged by key
// (field_ownership.h); ownership by ordinary writes; CRDs that are installed here (crd_kind.h: pruning, defaults,
// structural validation); lists by page (a snapshot), by label and by field, "too large" and expired versions; watches
// with history, selectors (an object that leaves the selection is DELETED), bookmarks, WatchList and 410 after
// compaction; metadata only.
//
// Not modelled: namespaces that must exist, authentication and authorization, defaults and validation of the built-in
// kinds (but for a Deployment's replicas, images and port names), admission, metadata.managedFields in answers, garbage
// collection (its finalizers are set; nobody takes them off), the grace period of pods (they leave at once), CEL rules,
// what a scale that changes nothing does to owners. Everything else that is asked of it (other patch types, dry run,
// generateName, deleting a collection, …) is answered 501, which no caller takes for success.
//
// It answers in the next turn of the loop, so that callers meet real interleavings.
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/object_key.h"
#include "base/task.h"
#include "kube/crd_kind.h"
#include "kube/field_ownership.h"
#include "kube/json.h"
#include "kube/resource.h"
#include "kube/selectors.h"
#include "net/http_client.h"

namespace tidegate::kube {

class FakeApiServer : public net::HttpClient {
 public:
  using Answer = absl::StatusOr<net::HttpResponse>;

  explicit FakeApiServer(base::Clock& clock) : clock_(clock) {}

  base::Task<Answer> request(net::HttpRequest request, base::Scope& scope) override;

  // From here on objects of this kind are pruned, completed and validated as its CRD says. Kinds without a CRD are
  // taken as they come, with all lists atomic.
  absl::Status install_crd(const std::string& yaml);

  // What another client would do: create or replace (no precondition), delete at once, read. `object` needs
  // metadata.name (and namespace).
  Json put(const GroupVersionResource& resource, Json object);
  void erase(const GroupVersionResource& resource, const base::ObjectKey& key);
  std::optional<Json> get(const GroupVersionResource& resource, const base::ObjectKey& key) const;
  size_t count(const GroupVersionResource& resource) const;
  // Every object of the collection, by key.
  std::vector<Json> all(const GroupVersionResource& resource) const;
  uint64_t resource_version() const { return version_; }
  // Who owns which fields of an object; empty when it is not there.
  FieldOwners owners(const GroupVersionResource& resource, const base::ObjectKey& key) const;

  // Forgets history: watches and continuations from before now are 410.
  void compact();
  // Ends every watch: as asked, by an ERROR event with this code, or by a connection that breaks.
  void close_watches();
  void fail_watches(int code, const std::string& reason);
  void break_watches();
  size_t open_watches() const { return watches_.size(); }
  // Sends a bookmark to every watch that wants some.
  void bookmark();

  // Asked first for every request; an answer replaces the server's own.
  std::function<std::optional<Answer>(const net::HttpRequest&)> intercept;
  // Requests are applied, but their answers get lost (UNAVAILABLE) while this is set.
  bool lose_answers = false;
  bool supports_watch_list = true;
  // A list of "whatever is cached" is answered as of this version, or the oldest that is still known; null: the
  // present.
  std::function<uint64_t()> cached_version;
  // "PATCH /apis/apps/v1/…?…", in the order of arrival.
  std::vector<std::string> log;
  // The last request as it came.
  net::HttpRequest last_request;

  static net::HttpResponse status_answer(int code, const std::string& reason, const std::string& message);

 private:
  using Object = std::shared_ptr<const Json>;  // never changed: history and snapshots share it
  // The order of etcd's keys, "<ns>/<name>".
  struct StoreOrder {
    bool operator()(const base::ObjectKey& a, const base::ObjectKey& b) const;
  };
  using Collection = std::map<base::ObjectKey, Object, StoreOrder>;

  struct Target {
    std::string collection;  // "/apis/apps/v1/deployments"
    base::ObjectKey key;     // name empty: the collection; ns empty: all
    std::string subresource;
    std::map<std::string, std::string> query;
    std::string content_type;
    std::string user_agent;
    bool metadata_only = false;
    std::string option(const std::string& name) const;
  };
  // What a collection's objects can and may.
  struct Kind {
    bool generation = true;
    bool status = true;
    bool scale = true;
    bool unconditional_update = true;
    bool create_on_update = false;
    bool deployment = false;
    const CrdKind* crd = nullptr;
    const MergeSchema* merge = nullptr;
  };
  struct Selection {
    std::string ns;
    LabelSelector labels;
    std::vector<std::pair<std::string, std::string>> fields;  // "metadata.name" and its value
    bool matches(const Json& object) const;
  };
  struct Change {
    uint64_t version;
    std::string collection;
    std::string type;
    Object object;
    Object before;  // null for ADDED
  };
  struct Watch {
    uint64_t id;
    std::string collection;
    Selection selection;
    bool metadata_only = false;
    bool bookmarks = false;
    std::function<bool(std::string_view)> on_chunk;
    base::Promise<Answer> ended;
    std::unique_ptr<base::Clock::Timer> timeout;
  };

  static Target parse(const net::HttpRequest& request);
  Kind kind_of(const std::string& collection) const;
  static absl::StatusOr<Selection> selection_of(const Target& target);

  net::HttpResponse answer(const net::HttpRequest& request, const Target& target);
  net::HttpResponse read(const Target& target, const Json& object) const;
  net::HttpResponse list(const Target& target);
  Collection as_of(const std::string& collection, uint64_t version) const;
  net::HttpResponse page(const Target& target, const Selection& selection, const Collection& objects, uint64_t version,
                         const std::string& after);

  // fake_api_writes.cc
  net::HttpResponse write_object(const net::HttpRequest& request, const Target& target, Json body);
  net::HttpResponse create(const Target& target, Json object);
  net::HttpResponse update(const Target& target, Json object);
  net::HttpResponse patch(const Target& target, const Json& patch);
  net::HttpResponse patch_scale(const Target& target, const Json& current, const Json& patch);
  net::HttpResponse apply(const Target& target, Json object);
  net::HttpResponse remove(const Target& target, const Json& options);
  // Stores what a writer wants, once it is complete and valid.
  net::HttpResponse write(const Target& target, Json next, const FieldOwner& who);
  net::HttpResponse admit(const Target& target, Json next, FieldOwners owners);
  static Json completed(const Kind& kind, Json object);
  std::optional<net::HttpResponse> check_valid(const Target& target, const Json& object) const;
  std::optional<net::HttpResponse> refuse(const Target& target, const Json& current, const Json& next) const;
  static FieldOwner writer_of(const Target& target, bool applies);

  Json with_system_fields(const Kind& kind, const Json& before, Json next) const;
  Json store(const std::string& collection, const base::ObjectKey& key, Json next, FieldOwners owners);
  void drop(const std::string& collection, const base::ObjectKey& key);
  Object find_object(const std::string& collection, const base::ObjectKey& key) const;

  base::Task<Answer> watch(net::HttpRequest request, Target target, base::Scope& scope);
  uint64_t open_watch(net::HttpRequest& request, const Target& target, Selection selection);
  void announce(Change change);
  void deliver(Watch& watch, const Change& change);
  void send(Watch& watch, const std::string& type, const Json& object);
  void send_bookmark(Watch& watch, bool ends_initial_events);
  void end(uint64_t id, Answer answer);
  void end_all(const std::function<Answer(Watch&)>& how);

  base::Clock& clock_;
  uint64_t version_ = 100;
  uint64_t oldest_ = 0;
  uint64_t next_uid_ = 1;
  uint64_t next_watch_ = 1;
  std::map<std::string, Collection> collections_;
  std::map<std::pair<std::string, base::ObjectKey>, FieldOwners> owners_;
  std::map<std::string, CrdKind> crds_;
  std::map<std::pair<uint64_t, std::string>, Collection> snapshots_;  // of lists whose pages are being read
  std::vector<Change> history_;
  std::vector<std::shared_ptr<Watch>> watches_;
};

// "deployments.apps", as the server's messages name a collection.
std::string resource_name(const std::string& collection);

}  // namespace tidegate::kube
