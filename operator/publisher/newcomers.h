#pragma once
// Gateways that come without a version, since they have just started, believe whatever they are told, and this
// replica's view may stand still without its knowing. So it asks the API server, for all that wait at that moment,
// which is the newest ModelDeployment that anybody has written, and they are answered when the view has come so far.
#include <functional>

#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/client.h"
#include "xds/server.h"

namespace tidegate::operator_ {

class Newcomers {
 public:
  // An API server that does not answer within this keeps no gateway waiting: what is known is better than nothing.
  static constexpr absl::Duration kPatience = absl::Seconds(2);

  // `server` gives null before there is one.
  Newcomers(kube::Client& client, base::Clock& clock, std::function<xds::Server*()> server)
      : client_(client), clock_(clock), server_(std::move(server)) {}

  // Gateways have come, or changed.
  void look() { signal_.notify(); }
  // Until the scope ends.
  base::Task<void> run(base::Scope& scope);

 private:
  bool has_some() const;
  base::Task<uint64_t> newest(base::Scope& scope);

  kube::Client& client_;
  base::Clock& clock_;
  const std::function<xds::Server*()> server_;
  base::Signal signal_;
};

}  // namespace tidegate::operator_
