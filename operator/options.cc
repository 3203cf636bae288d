#include "operator/options.h"

#include <CLI/CLI.hpp>

#include <sstream>

#include "base/strings.h"

namespace tidegate::operator_ {
namespace {

ParsedOptions refused(const std::string& why) {
  ParsedOptions parsed;
  parsed.run = false;
  parsed.exit_status = 2;
  parsed.text = base::cat("tidegate-operator: ", why, "\nSee tidegate-operator --help.\n");
  return parsed;
}

struct LogTexts {
  std::string level = "info";
  std::string format = "text";
};

void declare(CLI::App& app, Options& options, LogTexts& log) {
  app.set_config("--config", "", "TOML file with these settings by their long names")->envname("TIDEGATE_CONFIG");
  auto add = [&](const std::string& name, auto& value, const std::string& help, const std::string& env) {
    return app.add_option(name, value, help)->envname("TIDEGATE_" + env)->capture_default_str();
  };
  add("--namespace", options.ns, "namespace of the operator, its gateways and its Secrets", "NAMESPACE");
  add("--lease-name", options.lease_name, "Lease by which the replicas elect their leader", "LEASE_NAME");
  add("--kubeconfig", options.kubeconfig, "kubeconfig file; empty: the pod's service account", "KUBECONFIG");
  add("--context", options.context, "context of the kubeconfig; empty: its current one", "CONTEXT");
  add("--identity", options.identity, "name among the replicas; empty: the host's, and a random number", "IDENTITY");
  add("--cluster-domain", options.cluster_domain, "DNS suffix of the cluster's Services", "CLUSTER_DOMAIN");
  add("--gateway-service", options.gateway_service,
      "Service that the objects' addresses lead to: tidegate-gateway-pods, whose clients try the next gateway when one "
      "is dead, or tidegate-gateway, one virtual address for clients that never look a name up again",
      "GATEWAY_SERVICE");
  add("--listen-address", options.listen_address, "address that all ports listen on", "LISTEN_ADDRESS");
  add("--xds-port", options.xds_port, "port that the gateways get their configuration from", "XDS_PORT");
  add("--management-port", options.management_port, "port of /healthz, /readyz, /metrics and /debug/objects",
      "MANAGEMENT_PORT");
  add("--webhook-port", options.webhook_port,
      "port of the validating webhook (HTTPS, /validate); 0: none, and nobody keeps its caBundle", "WEBHOOK_PORT");
  add("--log-level", log.level, "debug, info, warning or error", "LOG_LEVEL");
  add("--log-format", log.format, "text or json", "LOG_FORMAT");
}

}  // namespace

ParsedOptions parse_options(int argc, const char* const* argv) {
  ParsedOptions parsed;
  LogTexts log;
  CLI::App app(
      "Deploys machine-learning models and lets each new version take traffic as far as it is measured to do "
      "no harm.",
      "tidegate-operator");
  app.set_version_flag("--version", TIDEGATE_VERSION);
  declare(app, parsed.options, log);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help, --version
    std::ostringstream text;
    parsed.exit_status = app.exit(done, text, text);
    parsed.run = false;
    parsed.text = text.str();
    return parsed;
  } catch (const CLI::ParseError& error) {
    return refused(error.what());
  }
  const absl::Status status =
      base::parse_log_options(log.level, log.format, &parsed.options.log_level, &parsed.options.log_format);
  if (!status.ok()) return refused(std::string(base::view(status.message())));
  if (parsed.options.ns.empty()) return refused("--namespace must not be empty");
  if (parsed.options.gateway_service.empty()) return refused("--gateway-service must not be empty");
  if (parsed.options.cluster_domain.empty()) return refused("--cluster-domain must not be empty");
  return parsed;
}

}  // namespace tidegate::operator_
