#include "operator/publisher/newcomers.h"

#include <algorithm>

#include "base/log.h"
#include "operator/stores.h"

namespace tidegate::operator_ {

base::Task<void> Newcomers::run(base::Scope& scope) {
  while (!scope.cancelled()) {
    const absl::Status woken = co_await signal_.wait(clock_, absl::InfiniteDuration(), scope);
    if (!woken.ok()) co_return;
    while (!scope.cancelled() && has_some()) {
      const uint64_t version = co_await newest(scope);
      if (xds::Server* server = server_()) server->confirm_newcomers(version);
    }
  }
}

bool Newcomers::has_some() const {
  xds::Server* server = server_();
  if (server == nullptr) return false;
  const xds::ServerStatus status = server->status();
  return std::any_of(status.nodes.begin(), status.nodes.end(), [](const auto& node) { return node.newcomer; });
}

// The highest resourceVersion of all ModelDeployments, as a quorum reads it; 0: it could not be had.
base::Task<uint64_t> Newcomers::newest(base::Scope& scope) {
  base::Scope patience;
  const auto ending = scope.on_cancel([&patience] { patience.cancel(); });
  const auto timer = clock_.after(kPatience, [&patience] { patience.cancel(); });
  kube::ListOptions options;
  options.metadata_only = true;
  absl::StatusOr<kube::ListPage> page = co_await client_.list(model_deployments(), std::move(options), patience);
  if (!page.ok()) {
    base::log_warning("gateways that have started are told what is known: it cannot be found out whether that is new",
                      {{"error", page.status()}});
    co_return 0;
  }
  uint64_t newest = 0;
  for (const kube::Json& object : page->items) {
    newest = std::max(newest, kube::resource_version_number(kube::string_at(object, {"metadata", "resourceVersion"})));
  }
  co_return newest;
}

}  // namespace tidegate::operator_
