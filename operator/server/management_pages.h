#pragma once
// What the management port answers: /healthz, /readyz, /metrics and /debug/objects/modeldeployments/<ns>/<name>. Read
// only (net::RestServer lets nothing but GET and HEAD through), for the kubelet, Prometheus and people inside the
// cluster. Runs on the loop's thread, so that an answer also shows that the loop is alive.
#include <functional>
#include <string>

#include "base/object_key.h"
#include "net/http_server.h"

namespace tidegate::operator_ {

class ManagementPages {
 public:
  struct Sources {
    std::function<std::string()> not_ready_because;               // empty: ready
    std::function<std::string()> metrics;                         // Prometheus text
    std::function<std::string(const base::ObjectKey&)> describe;  // empty: no such object
  };
  explicit ManagementPages(Sources sources) : sources_(std::move(sources)) {}

  net::ServerResponse answer(const net::ServerRequest& request) const;

 private:
  net::ServerResponse object_page(std::string_view rest) const;

  Sources sources_;
};

}  // namespace tidegate::operator_
