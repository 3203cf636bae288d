#include "serving-runtime/serve/monitoring_config.h"

#include "base/files.h"
#include "base/status.h"
#include "serving-runtime/api/paths.h"
#include "serving-runtime/api/text_format.h"
#include "tensorflow_serving.pb.h"

namespace tidegate::serving {
namespace {

constexpr std::string_view kWhat = "Monitoring config file";

}  // namespace

absl::StatusOr<std::string> read_monitoring_path(const std::string& path) {
  TG_ASSIGN_OR_RETURN(const std::string text, base::annotate(base::read_file(path), kWhat));
  return parse_monitoring_path(text, path);
}

absl::StatusOr<std::string> parse_monitoring_path(std::string_view text, std::string_view path) {
  tensorflow::serving::MonitoringConfig config;
  TG_RETURN_IF_ERROR(parse_text_file(text, kWhat, path, config));
  if (!config.prometheus_config().enable()) return "";
  const std::string& wanted = config.prometheus_config().path();
  if (wanted.empty()) return "/monitoring/prometheus/metrics";
  const auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(base::cat(kWhat, " ", path, ": prometheus_config.path \"", wanted, "\" ", why));
  };
  if (!wanted.starts_with('/')) return refuse("does not begin with /");
  if (is_reserved_path(wanted)) return refuse("is a path that the server needs itself");
  return wanted;
}

}  // namespace tidegate::serving
