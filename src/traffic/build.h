// traffic::build: all programs in, one Snapshot out. Pure, and total: it never fails as a whole. The same programs
// give the same bytes, in whatever order they come, so a proxy is only sent what changed.
//
// For each ModelDeployment there is a virtual host (<n>.<ns>, <n>.<ns>.svc, <n>.<ns>.svc.<cluster domain> and its own
// hosts, ports ignored), and for each revision a cluster for HTTP/1.1 and one for gRPC. A prefix /<ns>/<n>/ on the
// gateway's own address leads to the same virtual host. Shares are weighted clusters with a constant total of 10,000,
// so that a changed weight never moves more requests than it must. A share whose revision has no endpoints goes to
// those that have, in proportion to their own shares; if none has, shares stay as they are and requests get 503.
//
// A proxy is told of endpoints before routes, so the endpoints of a revision that has lost its last one are kept in the
// one snapshot whose routes lead away from it, and are gone in the next: else requests would fail in between that pods
// which are called not ready, but are alive, would have answered.
//
// What it costs goes with what has changed since the build before: an object whose program is the same keeps its
// resources. The rest is a walk over the objects.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "traffic/program.h"
#include "traffic/snapshot.h"

namespace tidegate::traffic {

struct Settings {
  std::string cluster_domain = "cluster.local";
  uint16_t listen_port = 80;  // a Service without a virtual address cannot map ports
  std::string listen_address = "0.0.0.0";
  // The resourceVersion up to which the caller's store of ModelDeployments is complete (its last list, watch event or
  // bookmark); 0: unknown.
  uint64_t store_resource_version = 0;
};

// An object that was not, or not wholly, programmed as asked.
struct ProgramError {
  std::string namespace_;
  std::string name;
  // InvalidTraffic: it keeps its last good program with the endpoints of now, or gets 503 if it never had one; what it
  // asks for is not in force, whatever version the proxies have applied. HostConflict, HostRefused: all but that host.
  std::string reason;
  std::string message;  // a sentence: what is wrong and what to do

  friend bool operator==(const ProgramError&, const ProgramError&) = default;
};

// Sorted by namespace and name, no two of one; no member is null.
using Programs = std::vector<std::shared_ptr<const Program>>;

// One object as it was built: what the next build compares with and falls back to.
struct BuiltObject {
  std::shared_ptr<const Program> asked;
  std::shared_ptr<const Program> configured;   // what stands in for it, if it is faulty
  std::shared_ptr<const Program> last_good;    // null: it never was
  std::string unavailable;                     // not empty: its requests are answered 503 with this sentence
  std::optional<ProgramError> error;           // InvalidTraffic
  std::vector<std::string> hosts;              // granted, of those it asks for
  std::shared_ptr<const ResourceGroup> group;  // null: not even its name can be configured
  bool keeps_endpoints = false;                // for this one snapshot
};

struct BuildResult {
  std::shared_ptr<const Snapshot> snapshot;  // never null
  std::vector<ProgramError> errors;          // by namespace, name
  // Some endpoints were kept for this one snapshot: build again, with the same programs, when proxies have had it.
  bool unfinished = false;

  // For the next build only.
  Settings settings;
  std::vector<std::shared_ptr<const BuiltObject>> objects;  // by namespace, name
  size_t rebuilt = 0;                                       // of them, those whose resources were made anew
};

// `previous`: the build that this one follows, or null at the start.
BuildResult build(const Programs& programs, const Settings& settings, const BuildResult* previous);

}  // namespace tidegate::traffic
