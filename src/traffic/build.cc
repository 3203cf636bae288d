#include "traffic/build.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/digest.h"
#include "base/strings.h"
#include "traffic/clusters.h"
#include "traffic/listener.h"
#include "traffic/messages.h"
#include "traffic/routes.h"
#include "traffic/validate.h"

namespace tidegate::traffic {
namespace {

constexpr size_t kHashDigits = 16;

// A program that will be configured: the one asked for, or what stands in for it.
struct Accepted {
  std::shared_ptr<const Program> program;
  std::string unavailable;  // see Target
};

std::string resources_hash(const ResourceSet& set) {
  base::Sha256 digest;
  for (const auto& [name, bytes] : set.resources) {
    const std::string sizes = base::cat(name.size(), " ", bytes.size(), " ");
    digest.update(sizes.data(), sizes.size());
    digest.update(name.data(), name.size());
    digest.update(bytes.data(), bytes.size());
  }
  return base::to_hex(digest.finish()).substr(0, kHashDigits);
}

std::string hash_of_version(const std::string& version) {
  const size_t dash = version.find('-');
  return dash == std::string::npos ? "" : version.substr(dash + 1);
}

// The last good program, with the endpoints of now as far as the faulty one tells them: pods come and go while a
// person looks for the mistake.
std::shared_ptr<const Program> with_present_endpoints(const Program& last_good, const Program& faulty) {
  auto program = std::make_shared<Program>(last_good);
  for (Revision& revision : program->revisions) {
    const auto same = std::find_if(faulty.revisions.begin(), faulty.revisions.end(),
                                   [&](const Revision& other) { return other.name == revision.name; });
    if (same == faulty.revisions.end()) continue;
    std::vector<Endpoint> endpoints = std::exchange(revision.endpoints, same->endpoints);
    if (!find_fault(*program).empty()) revision.endpoints = std::move(endpoints);
  }
  return program;
}

class Builder {
 public:
  Builder(const Settings& settings, const Snapshot* previous)
      : settings_(settings), previous_(previous), snapshot_(std::make_shared<Snapshot>()) {}

  BuildResult build(std::vector<Program> programs) {
    accept_all(std::move(programs));
    add_clusters();
    add_listener();
    add_routes();
    set_versions();
    std::sort(errors_.begin(), errors_.end(), [](const ProgramError& a, const ProgramError& b) {
      return std::tie(a.namespace_, a.name, a.reason, a.message) < std::tie(b.namespace_, b.name, b.reason, b.message);
    });
    return {std::move(snapshot_), std::move(errors_), unfinished_};
  }

 private:
  void accept_all(std::vector<Program> programs) {
    std::sort(programs.begin(), programs.end(), [](const Program& a, const Program& b) {
      return std::tie(a.namespace_, a.name, b.created, b.uid) < std::tie(b.namespace_, b.name, a.created, a.uid);
    });
    const Program* last = nullptr;
    for (Program& program : programs) {
      snapshot_->resource_version =
          std::max(snapshot_->resource_version, parse_resource_version(program.resource_version).value_or(0));
      // Two of one name can only be a deleted object and its successor: the newer one, which sorts first, counts.
      if (last != nullptr && last->namespace_ == program.namespace_ && last->name == program.name) continue;
      last = &program;
      accept(program);
    }
  }

  void accept(const Program& program) {
    const std::string fault = find_fault(program);
    if (fault.empty()) {
      auto good = std::make_shared<Program>(program);
      std::sort(good->revisions.begin(), good->revisions.end(),
                [](const Revision& a, const Revision& b) { return a.name < b.name; });
      snapshot_->last_good[program.uid] = good;
      accepted_.push_back({good, ""});
      return;
    }
    accept_faulty(program, fault);
  }

  void accept_faulty(const Program& program, const std::string& fault) {
    const auto* last_good = find_last_good(program.uid);
    const char* consequence = last_good != nullptr ? "Its last good configuration stays in force."
                                                   : "Its requests are answered 503 until this is corrected.";
    errors_.push_back({program.namespace_, program.name, "InvalidTraffic",
                       base::cat("The traffic cannot be programmed: ", fault, ". ", consequence)});
    if (last_good != nullptr) {
      snapshot_->last_good[program.uid] = *last_good;
      accepted_.push_back({with_present_endpoints(**last_good, program), ""});
      return;
    }
    // Only its names are used; a name that is no DNS label cannot be a host either.
    Program bare;
    bare.namespace_ = program.namespace_;
    bare.name = program.name;
    bare.resource_version = "0";
    if (!find_fault(bare).empty()) return;
    accepted_.push_back({std::make_shared<const Program>(std::move(bare)), base::cat("Not available: ", fault, ".")});
  }

  const std::shared_ptr<const Program>* find_last_good(const std::string& uid) const {
    if (previous_ == nullptr) return nullptr;
    const auto found = previous_->last_good.find(uid);
    return found == previous_->last_good.end() ? nullptr : &found->second;
  }

  void add_clusters() {
    for (const Accepted& accepted : accepted_) {
      for (const Revision& revision : accepted.program->revisions) {
        const Revision& reachable = with_last_endpoints(*accepted.program, revision);
        for (const Protocol protocol : {Protocol::kRest, Protocol::kGrpc}) {
          const std::string name = cluster_name_of(*accepted.program, revision, protocol);
          add(ResourceType::kCluster, name, make_cluster(*accepted.program, revision, protocol));
          add(ResourceType::kEndpoints, name, make_endpoints(*accepted.program, reachable, protocol));
        }
      }
    }
  }

  // The revision as the snapshot before had it, if it has lost its last endpoint since and routes can lead elsewhere.
  const Revision& with_last_endpoints(const Program& program, const Revision& revision) {
    const auto* before = find_last_good(program.uid);
    const bool others_serve =
        std::any_of(program.revisions.begin(), program.revisions.end(),
                    [](const Revision& other) { return other.weight > 0 && !other.endpoints.empty(); });
    if (!revision.endpoints.empty() || before == nullptr || !others_serve) return revision;
    const auto known = std::find_if((*before)->revisions.begin(), (*before)->revisions.end(),
                                    [&](const Revision& other) { return other.name == revision.name; });
    if (known == (*before)->revisions.end() || known->endpoints.empty()) return revision;
    if (known->weight == 0 && revision.weight == 0) return revision;
    unfinished_ = true;
    return *known;
  }

  void add_listener() { add(ResourceType::kListener, kListenerName, make_listener(settings_)); }

  void add_routes() {
    std::vector<const Program*> programs;
    for (const Accepted& accepted : accepted_) programs.push_back(accepted.program.get());
    HostClaims claims = resolve_hosts(programs, settings_.cluster_domain);
    errors_.insert(errors_.end(), claims.errors.begin(), claims.errors.end());
    std::vector<Target> targets;
    for (size_t i = 0; i < accepted_.size(); ++i) {
      std::vector<std::string> hosts = own_hosts(*programs[i], settings_.cluster_domain);
      hosts.insert(hosts.end(), claims.granted[i].begin(), claims.granted[i].end());
      targets.push_back({programs[i], std::move(hosts), accepted_[i].unavailable});
    }
    add(ResourceType::kRoutes, kRoutesName, make_routes(targets));
  }

  void add(ResourceType type, const std::string& name, const google::protobuf::Message& message) {
    mutable_set(type).resources[name] = to_bytes(message);
  }

  // A deleted object may have had the highest version: what has been sent once never falls.
  void set_versions() {
    if (previous_ != nullptr) {
      snapshot_->resource_version = std::max(snapshot_->resource_version, previous_->resource_version);
      snapshot_->caught_up_to = previous_->caught_up_to;
    }
    snapshot_->caught_up_to =
        std::max({snapshot_->caught_up_to, snapshot_->resource_version, settings_.store_resource_version});
    for (const ResourceType type : kResourceTypes) {
      ResourceSet& set = mutable_set(type);
      const std::string hash = resources_hash(set);
      const bool unchanged = type != ResourceType::kRoutes && previous_ != nullptr &&
                             hash_of_version(previous_->set(type).version) == hash;
      set.version = unchanged ? previous_->set(type).version : base::cat(snapshot_->resource_version, "-", hash);
    }
  }

  ResourceSet& mutable_set(ResourceType type) { return snapshot_->sets[static_cast<size_t>(type)]; }

  const Settings& settings_;
  const Snapshot* previous_;
  std::shared_ptr<Snapshot> snapshot_;
  std::vector<Accepted> accepted_;
  std::vector<ProgramError> errors_;
  bool unfinished_ = false;
};

}  // namespace

BuildResult build(const std::vector<Program>& programs, const Settings& settings, const Snapshot* previous) {
  return Builder(settings, previous).build(programs);
}

}  // namespace tidegate::traffic
