#pragma once
// An API server in memory, behind net::HttpClient: what Client, Reflector, LeaseElector and the operator's tests talk
// to. It keeps the rules that controllers trip over: one growing resourceVersion, conflicts, paging, watches with
// history, 410 after compaction, status apart from spec, finalizers, preconditions, server-side apply by manager
// (lists are atomic, and a forced apply always wins).
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
#include <vector>

#include "base/clock.h"
#include "base/task.h"
#include "kube/json.h"
#include "kube/resource.h"
#include "net/http_client.h"

namespace tidegate::kube {

class FakeApiServer : public net::HttpClient {
 public:
  using Answer = absl::StatusOr<net::HttpResponse>;

  explicit FakeApiServer(base::Clock& clock) : clock_(clock) {}

  base::Task<Answer> request(net::HttpRequest request, base::Scope& scope) override;

  // What another client would do: create or replace (no precondition), delete at once, read. `object` needs
  // metadata.name (and namespace).
  Json put(const GroupVersionResource& resource, Json object);
  void erase(const GroupVersionResource& resource, const ObjectKey& key);
  std::optional<Json> get(const GroupVersionResource& resource, const ObjectKey& key) const;
  size_t count(const GroupVersionResource& resource) const;
  // Every object of the collection, by key.
  std::vector<Json> all(const GroupVersionResource& resource) const;
  uint64_t resource_version() const { return version_; }

  // Forgets history: watches and continuations from before now are 410.
  void compact() { oldest_ = version_; }
  // Ends every watch: as asked, by an ERROR event with this code, or by a connection that breaks.
  void close_watches();
  void fail_watches(int code, const std::string& reason);
  void break_watches();
  size_t open_watches() const { return watches_.size(); }
  // Sends a bookmark to every watch.
  void bookmark();

  // Asked first for every request; an answer replaces the server's own.
  std::function<std::optional<Answer>(const net::HttpRequest&)> intercept;
  // Requests are applied, but their answers get lost (UNAVAILABLE) while this is set.
  bool lose_answers = false;
  bool supports_watch_list = true;
  // "PATCH /apis/apps/v1/…?…", in the order of arrival.
  std::vector<std::string> log;
  // The last request as it came.
  net::HttpRequest last_request;

  static net::HttpResponse status_answer(int code, const std::string& reason, const std::string& message);

 private:
  struct Target {
    std::string collection;  // "/apis/apps/v1/deployments"
    ObjectKey key;           // name empty: the collection; ns empty: all
    std::string subresource;
    std::map<std::string, std::string> query;
  };
  struct Change {
    uint64_t version;
    std::string collection;
    std::string type;
    Json object;
  };
  struct Watch {
    uint64_t id;
    Target target;
    std::function<bool(std::string_view)> on_chunk;
    base::Promise<Answer> ended;
    std::unique_ptr<base::Clock::Timer> timeout;
  };
  using Collection = std::map<ObjectKey, Json>;

  static Target parse(const std::string& url);
  net::HttpResponse answer(const net::HttpRequest& request, const Target& target);
  net::HttpResponse list(const Target& target) const;
  net::HttpResponse create(const Target& target, Json object);
  net::HttpResponse update(const Target& target, Json object);
  net::HttpResponse patch(const Target& target, const Json& patch);
  net::HttpResponse apply(const Target& target, Json object);
  net::HttpResponse remove(const Target& target, const Json& options);
  net::HttpResponse write(const Target& target, Json next);
  base::Task<Answer> watch(net::HttpRequest request, Target target, base::Scope& scope);

  Json store(const std::string& collection, const ObjectKey& key, Json next);
  void drop(const std::string& collection, const ObjectKey& key);
  void announce(const std::string& collection, const std::string& type, const Json& object);
  void send(Watch& watch, const std::string& type, const Json& object);
  void end(uint64_t id, Answer answer);
  void end_all(const std::function<Answer(Watch&)>& how);
  static bool matches(const Target& target, const Json& object);

  base::Clock& clock_;
  uint64_t version_ = 100;
  uint64_t oldest_ = 0;
  uint64_t next_uid_ = 1;
  uint64_t next_watch_ = 1;
  std::map<std::string, Collection> collections_;
  std::map<std::string, Json> applied_;  // by collection, key, manager and subresource
  std::vector<Change> history_;
  std::vector<std::shared_ptr<Watch>> watches_;
};

}  // namespace tidegate::kube
