#pragma once
// A gateway as it runs in the cluster: the real proxy with the bootstrap of manifests/gateway.yaml (ports, paths and
// the operator's address replaced), certificates from an authority of its own, and an xDS server in this process.
#include <gtest/gtest.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/scratch_folder.h"
#include "metrics/gateway_stats.h"
#include "net/certificate.h"
#include "net/client_world.h"
#include "net/curl_http_client.h"
#include "traffic/build.h"
#include "xds/server.h"

namespace tidegate::xds {

// True when `done` came true within 20 s.
bool eventually(const std::function<bool()>& done);

// Opens an ADS stream, asks for clusters and waits for an answer: OK if one came, else how the stream ended.
int subscribe(int port, const std::string& server_name, const net::TlsIdentity& as);

struct Ports {
  int xds, requests, readiness, statistics, admin;
};

class GatewayWorld : public testing::Test {
 protected:
  GatewayWorld();
  ~GatewayWorld() override;

  net::TlsIdentity identity(const net::KeyPair& authority, const net::LeafRequest& names) const;
  net::TlsIdentity operator_identity() const;
  net::TlsIdentity gateway_identity() const;

  // Listens on ports().xds. `server` holds it.
  void start_server();
  void start_envoy();
  pid_t envoy_pid() const { return envoy_; }
  // Makes a snapshot of the programs, which follows the last one, and publishes it.
  void publish(const std::vector<traffic::Program>& programs);
  void publish_all(const traffic::Programs& programs);
  // Waits until the one connected proxy has confirmed all of the last snapshot, at its resourceVersion.
  [[nodiscard]] bool applied();
  // The proxy's node, if exactly one is connected.
  std::optional<NodeStatus> node() const;

  // As the operator would; or as someone else.
  absl::StatusOr<net::HttpResponse> get_statistics(const std::string& path, const net::TlsIdentity& as);
  // A plain HTTP/2 request to the xDS server: whatever it answers, TLS has succeeded.
  absl::StatusOr<net::HttpResponse> get_from_server(const std::string& path, const net::TlsIdentity& as);
  metrics::GatewayScrape scrape(bool histograms);
  // Replaces the gateway's certificate as the kubelet replaces a mounted Secret: by one rename.
  void install_certificate(const net::TlsIdentity& identity);
  // The manifest's file, with paths and ports of this test.
  std::string config_path(const std::string& file) const { return directory_ / "envoy" / file; }

  const net::KeyPair authority_;
  const Ports ports_;
  std::unique_ptr<Server> server;
  traffic::Settings settings;
  std::optional<traffic::BuildResult> built;

 private:
  absl::StatusOr<net::HttpResponse> get(const std::string& url, net::TlsOptions names, const net::TlsIdentity& as);
  void write_config();
  const base::ScratchFolder directory_;
  int generation_ = 0;
  pid_t envoy_ = 0;
  net::ClientWorld client_world_;
};

}  // namespace tidegate::xds
