#include "operator/webhooks/resource_rules.h"

#include <cmath>
#include <optional>

#include "base/strings.h"
#include "kube/types.h"

namespace tidegate::operator_ {
namespace {

using base::cat;

// Differences below this come from the decimal fractions of "0.1" and "100m".
constexpr double kTolerance = 1e-9;
// 2^63 − 1: what is more, Kubernetes silently counts as this.
constexpr double kMost = 9.223372036854775e18;

// Cannot be lent: the scheduler keeps exactly the limit free.
bool is_device(const std::string& name) {
  return name.find('/') != std::string::npos || name.starts_with("hugepages-");
}

bool exceeds(double a, double b) { return a > b * (1 + kTolerance); }

std::optional<double> value_of(const api::ResourceList& list, const std::string& name) {
  const auto found = list.find(name);
  if (found == list.end()) return std::nullopt;
  const absl::StatusOr<double> value = kube::parse_quantity(found->second);
  return value.ok() ? std::optional(*value) : std::nullopt;
}

void check_list(const api::ResourceList& list, const std::string& path, Findings& findings) {
  for (const auto& [name, text] : list) {
    const std::string field = cat(path, ".", name);
    const absl::StatusOr<double> value = kube::parse_quantity(text);
    if (!value.ok()) {
      findings.push_back({Severity::kDeny, "V9", field, std::string(base::view(value.status().message()))});
    } else if (*value < 0 || *value > kMost) {
      findings.push_back({Severity::kDeny, "V9", field, cat("'", text, "' is not between 0 and 2^63 - 1")});
    } else if (is_device(name) && *value != std::floor(*value)) {
      findings.push_back({Severity::kDeny, "V8", field, cat("'", text, "' is no whole number; devices are not split")});
    } else if (name == "memory" && *value > 0 && *value < 1 << 20) {
      findings.push_back(
          {Severity::kWarn, "W13", field,
           cat("'", text, "' is less than 1Mi: the suffix for mebibytes is Mi, and m means a thousandth")});
    }
  }
}

void check_pair(const std::string& name, double request, double limit, const std::string& path, Findings& findings) {
  if (exceeds(request, limit)) {
    findings.push_back(
        {Severity::kDeny, "V7", cat(path, ".requests.", name),
         cat("is more than ", path, ".limits.", name, "; a pod cannot be sure of more than it may use")});
  } else if (is_device(name) && exceeds(limit, request)) {
    findings.push_back({Severity::kDeny, "V8", cat(path, ".limits.", name),
                        cat("differs from ", path, ".requests.", name, "; devices cannot be overcommitted")});
  }
}

}  // namespace

void check_resources(const api::Resources& resources, const std::string& path, Findings& findings) {
  check_list(resources.requests, cat(path, ".requests"), findings);
  check_list(resources.limits, cat(path, ".limits"), findings);
  for (const auto& [name, text] : resources.requests) {
    const auto request = value_of(resources.requests, name);
    const auto limit = value_of(resources.limits, name);
    if (request && limit) check_pair(name, *request, *limit, path, findings);
    if (request && is_device(name) && !resources.limits.contains(name)) {
      findings.push_back(
          {Severity::kDeny, "V8", cat(path, ".requests.", name),
           cat("needs ", path, ".limits.", name, " of the same amount; devices cannot be overcommitted")});
    }
  }
}

void check_merged_resources(const api::Resources& resources, const api::Resources& runtimes, const std::string& path,
                            const std::string& runtime, Findings& findings) {
  for (const auto& [name, text] : resources.requests) {
    if (resources.limits.contains(name)) continue;  // V7
    const auto request = value_of(resources.requests, name);
    const auto limit = value_of(runtimes.limits, name);
    if (!request || !limit || !exceeds(*request, *limit)) continue;
    findings.push_back({Severity::kWarn, "W15", cat(path, ".requests.", name),
                        cat("is more than the limit ", runtimes.limits.at(name), " of runtime ", runtime,
                            "; no pod can be made until limits.", name, " is raised too")});
  }
  for (const auto& [name, text] : resources.limits) {
    if (resources.requests.contains(name)) continue;
    const auto limit = value_of(resources.limits, name);
    const auto request = value_of(runtimes.requests, name);
    if (!request || !limit || !exceeds(*request, *limit)) continue;
    findings.push_back({Severity::kWarn, "W15", cat(path, ".limits.", name),
                        cat("is less than the request ", runtimes.requests.at(name), " of runtime ", runtime,
                            "; no pod can be made until requests.", name, " is lowered too")});
  }
}

}  // namespace tidegate::operator_
