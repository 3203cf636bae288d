#pragma once
// The gateway's pods: each an Envoy, and what the API says about it, which follows a moment later.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kube/fake_api_server.h"
#include "sim/context.h"
#include "sim/envoy.h"

namespace tidegate::sim {

class Gateways {
 public:
  Gateways(Context& context, kube::FakeApiServer& api, Envoy::Callbacks callbacks)
      : context_(context), api_(api), callbacks_(std::move(callbacks)) {}

  void add();
  // A new container in the same pod: what it had applied and counted is lost.
  void restart(Envoy& envoy);
  // The pod goes, another comes first.
  void replace(Envoy& envoy);

  // Those whose process runs.
  std::vector<Envoy*> running() const;
  Envoy* at_address(const std::string& ip) const;
  Envoy* pick();
  // Since when the API has shown the envoy's present process; InfiniteFuture: it does not yet.
  absl::Time shown_since(const Envoy& envoy) const;

 private:
  struct Pod {
    std::unique_ptr<Envoy> envoy;
    int restarts = 0;
    int shown_life = 0;
    absl::Time shown_at = absl::InfiniteFuture();
    bool deleting = false;
    bool gone = false;
    std::string shown;  // what was last written, to write changes only
  };
  void write_soon(const std::string& name);
  void write(Pod& pod);

  Context& context_;
  kube::FakeApiServer& api_;
  Envoy::Callbacks callbacks_;
  int made_ = 0;
  std::map<std::string, Pod> pods_;  // those that are gone, too
};

}  // namespace tidegate::sim
