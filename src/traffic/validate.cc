#include "traffic/validate.h"

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_split.h>
#include <arpa/inet.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/strings.h"

namespace tidegate::traffic {
namespace {

constexpr size_t kMaxLabel = 63;
constexpr size_t kMaxHost = 253;

bool is_label(std::string_view text) {
  const auto is_inner = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-'; };
  return !text.empty() && text.size() <= kMaxLabel && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), is_inner);
}

bool is_host(const std::string& text) {
  if (text.size() > kMaxHost) return false;
  const std::vector<std::string> labels = absl::StrSplit(text, '.');
  return std::all_of(labels.begin(), labels.end(), [](const std::string& label) { return is_label(label); });
}

bool is_address(const std::string& text) {
  in6_addr parsed;
  return inet_pton(AF_INET, text.c_str(), &parsed) == 1 || inet_pton(AF_INET6, text.c_str(), &parsed) == 1;
}

std::string find_name_fault(const Program& program) {
  if (!is_label(program.namespace_)) return base::cat("the namespace '", program.namespace_, "' is not a DNS label");
  if (!is_label(program.name)) return base::cat("the name '", program.name, "' is not a DNS label");
  if (!parse_resource_version(program.resource_version)) {
    return base::cat("resourceVersion '", program.resource_version, "' is not a number");
  }
  return "";
}

std::string find_settings_fault(const Program& program) {
  if (program.timeout <= absl::ZeroDuration() || program.timeout > absl::Hours(24)) {
    return base::cat("traffic.timeout is ", absl::FormatDuration(program.timeout),
                     "; it must be above 0 and at most 24h");
  }
  if (program.retries < 0 || program.retries > 10) {
    return base::cat("traffic.retries is ", program.retries, "; it must be 0 to 10");
  }
  if (program.max_concurrency < 1) {
    return base::cat("traffic.maxConcurrency is ", program.max_concurrency, "; it must be at least 1");
  }
  return "";
}

std::string find_revision_fault(const Revision& revision) {
  if (!is_label(revision.name)) return base::cat("the revision '", revision.name, "' is not a DNS label");
  if (revision.weight < 0 || revision.weight > 100) {
    return base::cat("revision ", revision.name, " has weight ", revision.weight, "; it must be 0 to 100");
  }
  for (const Endpoint& endpoint : revision.endpoints) {
    if (!is_address(endpoint.address)) {
      return base::cat("revision ", revision.name, " has the endpoint '", endpoint.address,
                       "', which is not an IP address");
    }
  }
  return "";
}

bool is_older(const Program& a, const Program& b) { return std::tie(a.created, a.uid) < std::tie(b.created, b.uid); }

ProgramError host_error(const Program& program, const char* reason, const std::string& host, std::string_view why) {
  return {program.namespace_, program.name, reason,
          base::cat("The host ", host, " was left out: ", why, ". Remove it from spec.traffic.hosts.")};
}

// <name>.<namespace> of any of them.
bool is_own_name(const std::vector<const Program*>& programs, const std::string& host) {
  const std::vector<std::string> labels = absl::StrSplit(host, '.');
  if (labels.size() != 2) return false;
  const auto by_name = [](const Program* program) { return std::tie(program->namespace_, program->name); };
  const auto wanted = std::tie(labels[1], labels[0]);
  const auto found =
      std::lower_bound(programs.begin(), programs.end(), wanted,
                       [&](const Program* program, const auto& name) { return by_name(program) < name; });
  return found != programs.end() && by_name(*found) == wanted;
}

}  // namespace

std::string find_host_fault(const std::string& host, const std::string& cluster_domain) {
  if (!is_host(host)) return "it is not a DNS name";
  if (host.find('.') == std::string::npos) return "a name without a dot could be anyone's";
  if (absl::EndsWith(host, ".svc")) return "names that end in .svc belong to the cluster's Services";
  if (host == cluster_domain || absl::EndsWith(host, base::cat(".", cluster_domain))) {
    return "names below the cluster domain belong to the cluster's Services";
  }
  return "";
}

std::string find_fault(const Program& program) {
  if (std::string fault = find_name_fault(program); !fault.empty()) return fault;
  if (std::string fault = find_settings_fault(program); !fault.empty()) return fault;
  std::set<std::string> names;
  int total = 0;
  for (const Revision& revision : program.revisions) {
    if (std::string fault = find_revision_fault(revision); !fault.empty()) return fault;
    if (!names.insert(revision.name).second) return base::cat("revision ", revision.name, " is given twice");
    total += revision.weight;
  }
  if (total != 0 && total != 100) return base::cat("the weights of its revisions sum to ", total, ", not to 100");
  return "";
}

std::vector<std::string> own_hosts(const Program& program, const std::string& cluster_domain) {
  const std::string shortest = base::cat(program.name, ".", program.namespace_);
  return {shortest, base::cat(shortest, ".svc"), base::cat(shortest, ".svc.", cluster_domain)};
}

HostClaims resolve_hosts(const std::vector<const Program*>& programs, const std::string& cluster_domain) {
  HostClaims claims;
  std::map<std::string, size_t> owners;
  for (size_t i = 0; i < programs.size(); ++i) {
    std::set<std::string> asked;
    for (const std::string& host : programs[i]->hosts) asked.insert(absl::AsciiStrToLower(host));
    for (const std::string& host : asked) {
      std::string fault = find_host_fault(host, cluster_domain);
      if (fault.empty() && is_own_name(programs, host)) fault = "it is the own name of a ModelDeployment";
      if (!fault.empty()) {
        claims.errors.push_back(host_error(*programs[i], "HostRefused", host, fault));
        continue;
      }
      const auto [owner, is_first] = owners.try_emplace(host, i);
      if (is_first) continue;
      const size_t loser = is_older(*programs[i], *programs[owner->second]) ? std::exchange(owner->second, i) : i;
      const Program& winner = *programs[owner->second];
      claims.errors.push_back(
          host_error(*programs[loser], "HostConflict", host,
                     base::cat("the older ModelDeployment ", winner.namespace_, "/", winner.name, " has it")));
    }
  }
  for (const auto& [host, owner] : owners) claims.granted[owner].push_back(host);
  return claims;
}

}  // namespace tidegate::traffic
