#include "traffic/build.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/digest.h"
#include "base/strings.h"
#include "traffic/applied_version.h"
#include "traffic/clusters.h"
#include "traffic/listener.h"
#include "traffic/messages.h"
#include "traffic/routes.h"
#include "traffic/validate.h"

namespace tidegate::traffic {
namespace {

constexpr size_t kHashDigits = 16;

auto name_of(const Program& program) { return std::tie(program.namespace_, program.name); }

Resource make_resource(std::string name, const google::protobuf::Message& message) {
  Resource resource{std::move(name), "", to_bytes(message)};
  resource.version = base::sha256_hex(resource.bytes).substr(0, kHashDigits);
  return resource;
}

const Revision* find_revision(const Program& program, const std::string& name) {
  const auto found = std::find_if(program.revisions.begin(), program.revisions.end(),
                                  [&](const Revision& revision) { return revision.name == name; });
  return found == program.revisions.end() ? nullptr : &*found;
}

// The last good program, with the endpoints of now as far as the faulty one tells them: pods come and go while a
// person looks for the mistake.
std::shared_ptr<const Program> with_present_endpoints(const Program& last_good, const Program& faulty) {
  auto program = std::make_shared<Program>(last_good);
  for (Revision& revision : program->revisions) {
    const Revision* same = find_revision(faulty, revision.name);
    if (same == nullptr) continue;
    std::vector<Endpoint> endpoints = std::exchange(revision.endpoints, same->endpoints);
    if (!find_fault(*program).empty()) revision.endpoints = std::move(endpoints);
  }
  return program;
}

std::shared_ptr<const Program> with_sorted_revisions(const std::shared_ptr<const Program>& program) {
  const auto by_name = [](const Revision& a, const Revision& b) { return a.name < b.name; };
  if (std::is_sorted(program->revisions.begin(), program->revisions.end(), by_name)) return program;
  auto sorted = std::make_shared<Program>(*program);
  std::sort(sorted->revisions.begin(), sorted->revisions.end(), by_name);
  return sorted;
}

// What is configured for `object.asked`, and the error if that is not what it asks for.
void judge(BuiltObject& object) {
  const Program& asked = *object.asked;
  const std::string fault = find_fault(asked);
  if (fault.empty()) {
    object.configured = object.last_good = with_sorted_revisions(object.asked);
    return;
  }
  const char* consequence = object.last_good != nullptr ? "Its last good configuration stays in force."
                                                        : "Its requests are answered 503 until this is corrected.";
  object.error = {asked.namespace_, asked.name, "InvalidTraffic",
                  base::cat("The traffic cannot be programmed: ", fault, ". ", consequence)};
  if (object.last_good != nullptr) {
    object.configured = with_present_endpoints(*object.last_good, asked);
    return;
  }
  auto bare = std::make_shared<Program>();
  bare->namespace_ = asked.namespace_;
  bare->name = asked.name;
  bare->resource_version = "0";
  object.unavailable = base::cat("Not available: ", fault, ".");
  object.configured = std::move(bare);
}

// Makes the resources of one object.
class GroupMaker {
 public:
  // `before`: the same object as it was built last, or null.
  GroupMaker(BuiltObject& object, const BuiltObject* before, const Settings& settings)
      : object_(object), program_(*object.configured), before_(before), settings_(settings) {}

  void make() {
    // A name that is no DNS label cannot be a host either.
    Program named;
    named.namespace_ = program_.namespace_;
    named.name = program_.name;
    named.resource_version = "0";
    if (!find_fault(named).empty()) return;
    group_->owner = {program_.namespace_, program_.name};
    for (const Revision& revision : program_.revisions) add_clusters(revision);
    for (const ResourceType type : {ResourceType::kCluster, ResourceType::kEndpoints}) {
      auto& resources = group_->of(type);
      std::sort(resources.begin(), resources.end(),
                [](const Resource& a, const Resource& b) { return a.name < b.name; });
    }
    add_virtual_host();
    object_.group = std::move(group_);
  }

 private:
  void add_clusters(const Revision& revision) {
    const Revision& reachable = with_last_endpoints(revision);
    for (const Protocol protocol : {Protocol::kRest, Protocol::kGrpc}) {
      const std::string name = cluster_name_of(program_, revision, protocol);
      group_->of(ResourceType::kCluster).push_back(make_resource(name, make_cluster(program_, revision, protocol)));
      group_->of(ResourceType::kEndpoints)
          .push_back(make_resource(name, make_endpoints(program_, reachable, protocol)));
    }
  }

  // The revision as the build before had it, if it has lost its last endpoint since and routes can lead elsewhere.
  const Revision& with_last_endpoints(const Revision& revision) {
    const bool others_serve =
        std::any_of(program_.revisions.begin(), program_.revisions.end(),
                    [](const Revision& other) { return other.weight > 0 && !other.endpoints.empty(); });
    if (!revision.endpoints.empty() || before_ == nullptr || before_->last_good == nullptr || !others_serve) {
      return revision;
    }
    const Revision* known = find_revision(*before_->last_good, revision.name);
    if (known == nullptr || known->endpoints.empty()) return revision;
    if (known->weight == 0 && revision.weight == 0) return revision;
    object_.keeps_endpoints = true;
    return *known;
  }

  void add_virtual_host() {
    std::vector<std::string> hosts = own_hosts(program_, settings_.cluster_domain);
    hosts.insert(hosts.end(), object_.hosts.begin(), object_.hosts.end());
    Resource host = make_resource(virtual_host_name(program_.namespace_, program_.name),
                                  make_virtual_host(program_, hosts, object_.unavailable));
    const Resource* last = before_ == nullptr || before_->group == nullptr
                               ? nullptr
                               : &before_->group->of(ResourceType::kVirtualHost).front();
    host.version =
        last != nullptr && last->bytes == host.bytes
            ? last->version
            : base::cat(parse_resource_version(object_.asked->resource_version).value_or(0), "-", host.version);
    group_->of(ResourceType::kVirtualHost).push_back(std::move(host));
  }

  BuiltObject& object_;
  const Program& program_;
  const BuiltObject* before_;
  const Settings& settings_;
  std::shared_ptr<ResourceGroup> group_ = std::make_shared<ResourceGroup>();
};

std::shared_ptr<const ResourceGroup> make_common(const Settings& settings) {
  auto group = std::make_shared<ResourceGroup>();
  Resource version = make_resource(kVersionCluster, make_version_endpoints());
  version.version = to_text(AppliedVersion{});
  group->of(ResourceType::kEndpoints).push_back(std::move(version));
  group->of(ResourceType::kCluster).push_back(make_resource(kVersionCluster, make_version_cluster()));
  group->of(ResourceType::kListener).push_back(make_resource(kListenerName, make_listener(settings)));
  group->of(ResourceType::kRoutes).push_back(make_resource(kRoutesName, make_routes()));
  group->of(ResourceType::kVirtualHost).push_back(make_resource(kUnknownHostName, make_unknown_host()));
  return group;
}

bool make_the_same(const Settings& a, const Settings& b) {
  return std::tie(a.cluster_domain, a.listen_port, a.listen_address) ==
         std::tie(b.cluster_domain, b.listen_port, b.listen_address);
}

class Builder {
 public:
  Builder(const Settings& settings, const BuildResult* previous)
      : previous_(previous), same_settings_(previous != nullptr && make_the_same(settings, previous->settings)) {
    result_.settings = settings;
  }

  BuildResult build(const Programs& programs) {
    begin_snapshot(programs.size());
    take_all(programs);
    grant_hosts();
    for (Taken& taken : taken_) finish(taken);
    std::sort(result_.errors.begin(), result_.errors.end(), [](const ProgramError& a, const ProgramError& b) {
      return std::tie(a.namespace_, a.name, a.reason, a.message) < std::tie(b.namespace_, b.name, b.reason, b.message);
    });
    snapshot_->caught_up_to =
        std::max({snapshot_->caught_up_to, snapshot_->resource_version, result_.settings.store_resource_version});
    result_.snapshot = std::move(snapshot_);
    return std::move(result_);
  }

 private:
  using BuiltPointer = std::shared_ptr<const BuiltObject>;
  struct Taken {
    std::shared_ptr<BuiltObject> object;   // null: as before
    const BuiltPointer* before = nullptr;  // the same object as it was built last; null: there was none
    std::vector<std::string> hosts;
    const std::shared_ptr<const Program>& configured() const {
      return object != nullptr ? object->configured : (*before)->configured;
    }
  };

  // A deleted object may have had the highest version: what has been sent once never falls.
  void begin_snapshot(size_t objects) {
    snapshot_->groups.reserve(objects + 1);
    result_.objects.reserve(objects);
    taken_.reserve(objects);
    snapshot_->groups.push_back(same_settings_ ? previous_->snapshot->groups.front() : make_common(result_.settings));
    if (previous_ == nullptr) return;
    snapshot_->resource_version = previous_->snapshot->resource_version;
    snapshot_->caught_up_to = previous_->snapshot->caught_up_to;
  }

  // The programs and the objects of the build before are in the same order, and most are the same: names are compared
  // only where they are not.
  void take_all(const Programs& programs) {
    size_t known = 0;
    for (const std::shared_ptr<const Program>& program : programs) {
      const BuiltPointer* before = find_before(program, known);
      if (before != nullptr) ++kept_;
      if (before != nullptr && (*before)->asked == program) {
        taken_.push_back({nullptr, before, {}});
      } else {
        take(program, before);
      }
    }
    // Who still has the routes of what is gone knows less than this snapshot.
    if (previous_ != nullptr && kept_ < previous_->objects.size()) {
      snapshot_->resource_version = std::max(snapshot_->resource_version, result_.settings.store_resource_version);
    }
  }

  const BuiltPointer* find_before(const std::shared_ptr<const Program>& program, size_t& known) const {
    if (previous_ == nullptr) return nullptr;
    const auto& objects = previous_->objects;
    if (known < objects.size() && objects[known]->asked == program) return &objects[known++];
    while (known < objects.size() && name_of(*objects[known]->asked) < name_of(*program)) ++known;
    if (known == objects.size() || name_of(*objects[known]->asked) != name_of(*program)) return nullptr;
    const BuiltPointer* same_name = &objects[known++];
    return (*same_name)->asked->uid == program->uid ? same_name : nullptr;
  }

  void take(const std::shared_ptr<const Program>& program, const BuiltPointer* before) {
    const std::optional<uint64_t> version = parse_resource_version(program->resource_version);
    snapshot_->resource_version = std::max(snapshot_->resource_version, version.value_or(0));
    const bool same = before != nullptr && version && asks_the_same(*(*before)->asked, *program) &&
                      parse_resource_version((*before)->asked->resource_version);
    auto object = same ? std::make_shared<BuiltObject>(**before) : std::make_shared<BuiltObject>();
    object->asked = program;
    if (!same) {
      if (before != nullptr) object->last_good = (*before)->last_good;
      judge(*object);
    }
    taken_.push_back({std::move(object), before, {}});
  }

  void grant_hosts() {
    std::vector<const Program*> programs;
    programs.reserve(taken_.size());
    for (const Taken& taken : taken_) programs.push_back(taken.configured().get());
    HostClaims claims = resolve_hosts(programs, result_.settings.cluster_domain);
    for (auto& [index, hosts] : claims.granted) taken_[index].hosts = std::move(hosts);
    result_.errors = std::move(claims.errors);
  }

  void finish(Taken& taken) {
    const BuiltObject* before = taken.before == nullptr ? nullptr : taken.before->get();
    const bool keeps = same_settings_ && before != nullptr && !before->keeps_endpoints &&
                       before->hosts == taken.hosts && taken.configured() == before->configured;
    BuiltPointer built = taken.object != nullptr ? std::move(taken.object) : *taken.before;
    if (!keeps) built = make_anew(*built, before, std::move(taken.hosts));
    if (built->error) result_.errors.push_back(*built->error);
    result_.unfinished = result_.unfinished || built->keeps_endpoints;
    if (built->group != nullptr) snapshot_->groups.push_back(built->group);
    result_.objects.push_back(std::move(built));
  }

  BuiltPointer make_anew(const BuiltObject& object, const BuiltObject* before, std::vector<std::string> hosts) {
    auto made = std::make_shared<BuiltObject>(object);
    made->hosts = std::move(hosts);
    made->keeps_endpoints = false;
    made->group = nullptr;
    GroupMaker(*made, before, result_.settings).make();
    ++result_.rebuilt;
    return made;
  }

  const BuildResult* previous_;
  const bool same_settings_;
  std::shared_ptr<Snapshot> snapshot_ = std::make_shared<Snapshot>();
  size_t kept_ = 0;  // objects that are in both builds
  std::vector<Taken> taken_;
  BuildResult result_;
};

}  // namespace

BuildResult build(const Programs& programs, const Settings& settings, const BuildResult* previous) {
  return Builder(settings, previous).build(programs);
}

}  // namespace tidegate::traffic
