#pragma once
// The operator's settings: flags, or the same names in the environment, or a TOML file; a wrong one ends the start with
// a sentence. Called by main.cc alone.
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "base/log.h"
#include "operator/rendering/names.h"

namespace tidegate::operator_ {

struct Options {
  std::string ns = "tidegate-system";  // where the operator, its gateways and its Secrets are
  std::string lease_name = "tidegate-operator";
  std::string kubeconfig;  // empty: the pod's service account
  std::string context;     // of the kubeconfig; empty: its current one
  std::string identity;    // unique among the replicas; empty: host name and a random number
  std::string cluster_domain = "cluster.local";
  std::string gateway_service = kGatewayService;  // what the objects' own Services are other names of; listens on 80
  std::string listen_address = "0.0.0.0";
  uint16_t xds_port = 18000;
  uint16_t management_port = 8080;
  uint16_t webhook_port = 9443;  // 0: none
  base::LogLevel log_level = base::LogLevel::kInfo;
  base::LogFormat log_format = base::LogFormat::kText;
};

// What the arguments say, or the text of --help or --version and the exit status that goes with it.
struct ParsedOptions {
  Options options;
  bool run = true;
  int exit_status = 0;
  std::string text;  // to print when `run` is false
};
ParsedOptions parse_options(int argc, const char* const* argv);

}  // namespace tidegate::operator_
