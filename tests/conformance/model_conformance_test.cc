// The API server in memory (tests/kube/fake_api_server.h) against the real one: the same random requests go to both;
// statuses, reasons, objects, owners of fields and the events of watches must agree. So what the simulation finds is
// true of a real cluster as far as the model claims to go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "base/strings.h"
#include "conformance/environment.h"
#include "conformance/model_requests.h"
#include "kube/client.h"
#include "kube/fake_api_server.h"
#include "source_dir.h"

namespace tidegate::conformance {
namespace {

using kube::GroupVersionResource;
using kube::Json;
using kube::string_at;

constexpr int kSeeds = 50;
constexpr int kRequests = 60;  // for each seed

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string crd_text(const std::string& name) {
  return read_file(std::filesystem::path(TIDEGATE_SOURCE_DIR) / "crds" / (name + ".yaml"));
}

// One of the two servers, as a client sees it.
struct Side {
  net::HttpClient* http;
  kube::ClientConfig config;

  base::Task<absl::StatusOr<net::HttpResponse>> send(std::string method, std::string path, std::string content_type,
                                                     std::string body, base::Scope& scope,
                                                     std::function<bool(std::string_view)> on_chunk = nullptr) {
    net::HttpRequest request;
    request.method = std::move(method);
    request.url = config.server + path;
    request.headers = {{"accept", "application/json"}, {"user-agent", "conformance/1"}};
    if (!content_type.empty()) request.headers.emplace_back("content-type", content_type);
    if (config.token) request.headers.emplace_back("authorization", base::cat("Bearer ", *config.token->token()));
    request.body = std::move(body);
    if (config.tls) request.tls = config.tls->tls();
    request.on_chunk = std::move(on_chunk);
    if (request.on_chunk) request.timeout = absl::Minutes(5);
    absl::StatusOr<net::HttpResponse> answer = co_await http->request(std::move(request), scope);
    co_return answer;
  }
};

// Replaces what two servers cannot agree on by what they must: uids and versions by the order in which one object's
// came up, times by the fact that there is one.
class Normaliser {
 public:
  Json operator()(Json object) {
    if (!object.contains("metadata")) return object;
    Json& metadata = object["metadata"];
    metadata.erase("managedFields");
    for (const char* field : {"creationTimestamp", "deletionTimestamp"}) {
      if (metadata.contains(field)) metadata[field] = "a time";
    }
    const std::string name = string_at(object, {"metadata", "name"});
    if (const std::string uid = string_at(object, {"metadata", "uid"}); !uid.empty()) {
      metadata["uid"] = uids_.try_emplace(uid, uids_.size()).first->second;
    }
    if (const uint64_t version = kube::resource_version_number(string_at(object, {"metadata", "resourceVersion"}))) {
      std::vector<uint64_t>& versions = versions_[name];
      if (versions.empty() || version > versions.back()) versions.push_back(version);
      const auto known = std::find(versions.begin(), versions.end(), version);
      metadata["resourceVersion"] = known == versions.end() ? Json("from the past") : Json(known - versions.begin());
    }
    return object;
  }

 private:
  std::map<std::string, size_t> uids_;
  std::map<std::string, std::vector<uint64_t>> versions_;
};

// What the real server adds to a built-in kind by itself.
const std::set<std::string> kDefaults{"progressDeadlineSeconds",
                                      "revisionHistoryLimit",
                                      "strategy",
                                      "dnsPolicy",
                                      "restartPolicy",
                                      "schedulerName",
                                      "securityContext",
                                      "terminationGracePeriodSeconds",
                                      "imagePullPolicy",
                                      "resources",
                                      "terminationMessagePath",
                                      "terminationMessagePolicy",
                                      "creationTimestamp",
                                      "status",
                                      "replicas",
                                      "generation"};

// Where `real` is not `model`, or not `model` and defaults; empty when it is.
std::string difference(const Json& real, const Json& model, bool with_defaults, const std::string& path = "") {
  if (real.is_object() && model.is_object()) {
    for (const auto& [name, value] : model.items()) {
      if (!real.contains(name)) return base::cat(path, ".", name, " is in the model only");
      const std::string inner = difference(real[name], value, with_defaults, base::cat(path, ".", name));
      if (!inner.empty()) return inner;
    }
    for (const auto& [name, value] : real.items()) {
      if (model.contains(name) || (with_defaults && kDefaults.contains(name))) continue;
      return base::cat(path, ".", name, " is in the real object only");
    }
    return "";
  }
  if (real.is_array() && model.is_array() && real.size() == model.size()) {
    for (size_t i = 0; i < real.size(); ++i) {
      const std::string inner = difference(real[i], model[i], with_defaults, base::cat(path, "[", i, "]"));
      if (!inner.empty()) return inner;
    }
    return "";
  }
  return real == model ? "" : base::cat(path, ": real ", real.dump(), ", model ", model.dump());
}

bool is_deployment(const Json& object) { return string_at(object, {"kind"}) == "Deployment"; }

// One run of random requests against both servers.
class Comparison {
 public:
  Comparison(World& world, Side real, Side model, kube::FakeApiServer& fake, uint64_t seed)
      : world_(world),
        sides_{std::move(real), std::move(model)},
        fake_(fake),
        ns_(base::cat("seed-", seed)),
        generator_(seed, ns_) {}

  // Empty, or what they disagree about.
  std::string run(int requests);
  size_t compared() const { return compared_; }
  size_t events() const { return events_; }

 private:
  struct Known {
    std::vector<std::string> versions;
    std::string uid;
  };
  struct Answer {
    int status = 0;
    Json body;
  };
  struct WatchLog {
    std::string path;
    std::vector<Json> events[2];
    kube::LineDecoder lines[2];
  };

  std::string path_of(const ModelRequest& request) const;
  Json body_for(const ModelRequest& request, int side);
  Answer send(int side, const std::string& method, const std::string& path, const std::string& type, const Json& body);
  std::string compare(const ModelRequest& request);
  std::string compare_answers(const Answer (&answers)[2], const ModelRequest& request);
  std::string compare_bodies(Json real, Json model);
  std::string compare_lists(const Json& real, const Json& model);
  std::string compare_owners(const ModelRequest& request, const Json& real);
  void remember(int side, const Json& object);
  void open_watches();
  std::string compare_watches();

  World& world_;
  Side sides_[2];
  kube::FakeApiServer& fake_;
  std::string ns_;
  RequestGenerator generator_;
  base::Scope scope_;
  std::map<std::string, Known> known_[2];  // by kind and name
  Normaliser normalise_[2];
  std::vector<std::unique_ptr<WatchLog>> watches_;
  size_t compared_ = 0;
  size_t events_ = 0;
};

std::string Comparison::path_of(const ModelRequest& request) const {
  return request.resource->path(ns_, request.name, request.subresource) + request.query;
}

Comparison::Answer Comparison::send(int side, const std::string& method, const std::string& path,
                                    const std::string& type, const Json& body) {
  auto answer = world_.await(sides_[side].send(method, path, type, method == "GET" ? "" : body.dump(), scope_));
  if (!answer.ok()) return {0, Json(answer.status().ToString())};
  return {answer->status, Json::parse(answer->body, nullptr, false)};
}

Json Comparison::body_for(const ModelRequest& request, int side) {
  Json body = request.body;
  const std::string name = request.name.empty() ? string_at(request.body, {"metadata", "name"}) : request.name;
  const Known& known = known_[side][base::cat(request.resource->kind, "/", name)];
  Json& where = body[request.method == "DELETE" ? "preconditions" : "metadata"];
  if (request.version == Reference::kCurrent && !known.versions.empty())
    where["resourceVersion"] = known.versions.back();
  if (request.version == Reference::kOther) where["resourceVersion"] = "1";
  if (request.uid == Reference::kCurrent && !known.uid.empty()) where["uid"] = known.uid;
  if (request.uid == Reference::kOther) where["uid"] = "00000000-0000-0000-0000-000000000000";
  if (where.is_null()) body.erase(request.method == "DELETE" ? "preconditions" : "metadata");
  return body;
}

void Comparison::remember(int side, const Json& object) {
  const std::string version = string_at(object, {"metadata", "resourceVersion"});
  const std::string kind = string_at(object, {"kind"});
  if (version.empty() || kind == "Status" || kind == "Scale") return;
  Known& known = known_[side][base::cat(kind, "/", string_at(object, {"metadata", "name"}))];
  known.versions.push_back(version);
  known.uid = string_at(object, {"metadata", "uid"});
}

std::string Comparison::compare_bodies(Json real, Json model) {
  const bool deployment = is_deployment(model);
  real = normalise_[0](std::move(real));
  model = normalise_[1](std::move(model));
  if (string_at(model, {"kind"}) == "Scale") {
    for (Json* scale : {&real, &model}) scale->erase("status");
    real["metadata"].erase("generation");
  }
  return difference(real, model, deployment);
}

std::string Comparison::compare_lists(const Json& real, const Json& model) {
  if (real["items"].size() != model["items"].size()) {
    return base::cat("real lists ", real["items"].size(), ", model ", model["items"].size());
  }
  for (size_t i = 0; i < real["items"].size(); ++i) {
    Json theirs = real["items"][i];
    Json ours = model["items"][i];
    // Items of a list need not say what they are.
    for (Json* item : {&theirs, &ours}) item->erase("apiVersion");
    theirs.erase("kind");
    const bool deployment = is_deployment(ours);
    ours.erase("kind");
    const std::string found = difference(normalise_[0](std::move(theirs)), normalise_[1](std::move(ours)), deployment);
    if (!found.empty()) return base::cat("item ", i, found);
  }
  const bool more[2] = {!string_at(real, {"metadata", "continue"}).empty(),
                        !string_at(model, {"metadata", "continue"}).empty()};
  return more[0] == more[1] ? "" : base::cat("there is more: real ", more[0], ", model ", more[1]);
}

// The leaves of FieldsV1 as the paths of field_ownership.h.
void flatten_fields(const Json& fields, const std::string& at, kube::FieldSet& found) {
  for (const auto& [name, below] : fields.items()) {
    if (name == ".") {
      found.insert(at);
      continue;
    }
    std::string element;
    for (const char c : name) element += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    if (below.empty()) {
      found.insert(at + element + "/");
    } else {
      flatten_fields(below, at + element + "/", found);
    }
  }
}

// "tidegate applies status: f:status/f:phase/ …", a line an owner.
std::string owners_text(const kube::FieldOwners& owners) {
  std::set<std::string> lines;
  for (const kube::FieldOwner& owner : owners) {
    std::string line = base::cat(owner.manager, owner.applies ? " applies " : " writes ", owner.subresource, ":");
    for (const std::string& field : owner.fields) line += " " + field;
    lines.insert(std::move(line));
  }
  std::string text;
  for (const std::string& line : lines) text += "\n    " + line;
  return text;
}

std::string Comparison::compare_owners(const ModelRequest& request, const Json& real) {
  // The real server's defaults of built-in kinds have owners too.
  if (is_deployment(real) || kube::find(real, {"metadata", "managedFields"}) == nullptr) return "";
  kube::FieldOwners theirs;
  for (const Json& entry : real["metadata"]["managedFields"]) {
    kube::FieldOwner owner{string_at(entry, {"manager"}),
                           string_at(entry, {"operation"}) == "Apply",
                           string_at(entry, {"subresource"}),
                           {}};
    flatten_fields(entry["fieldsV1"], "", owner.fields);
    theirs.push_back(std::move(owner));
  }
  const base::ObjectKey key{ns_, string_at(real, {"metadata", "name"})};
  // What was just deleted has no owners any more.
  if (!fake_.get(*request.resource, key)) return "";
  const std::string a = owners_text(theirs);
  const std::string b = owners_text(fake_.owners(*request.resource, key));
  return a == b ? "" : base::cat("owners: real", a, "\n  model", b);
}

std::string Comparison::compare_answers(const Answer (&answers)[2], const ModelRequest& request) {
  const auto& [real, model] = answers;
  const std::string reasons[2] = {string_at(real.body, {"reason"}), string_at(model.body, {"reason"})};
  if (real.status != model.status || reasons[0] != reasons[1]) {
    return base::cat("real ", real.status, " ", reasons[0], ", model ", model.status, " ", reasons[1]);
  }
  if (real.status >= 300 || request.method == "DELETE") return "";
  if (real.body.contains("items")) return compare_lists(real.body, model.body);
  std::string found = compare_bodies(real.body, model.body);
  if (found.empty() && string_at(real.body, {"kind"}) != "Scale") found = compare_owners(request, real.body);
  return found;
}

std::string Comparison::compare(const ModelRequest& request) {
  std::string paths[2] = {path_of(request), path_of(request)};
  const bool trace = std::getenv("TRACE") != nullptr;
  while (true) {
    Answer answers[2];
    for (int side : {0, 1}) {
      answers[side] = send(side, request.method, paths[side], request.content_type, body_for(request, side));
    }
    ++compared_;
    if (trace) {
      std::printf("%s %s\n", request.method.c_str(), paths[0].c_str());
      for (int side : {0, 1}) {
        std::printf("  %s %.600s\n    %d %.900s\n", side == 0 ? "real" : "model",
                    body_for(request, side).dump().c_str(), answers[side].status, answers[side].body.dump().c_str());
      }
    }
    const std::string found = compare_answers(answers, request);
    if (!found.empty()) {
      return base::cat(request.method, " ", paths[1], " ", request.content_type, "\n  ", body_for(request, 1).dump(),
                       "\n  ", found, "\n  real:  ", answers[0].body.dump(), "\n  model: ", answers[1].body.dump());
    }
    for (int side : {0, 1}) {
      if (answers[side].status < 300) remember(side, answers[side].body);
    }
    for (int side : {0, 1}) {
      const std::string next = string_at(answers[side].body, {"metadata", "continue"});
      if (!request.follow_pages || next.empty()) return "";
      paths[side] = path_of(request) + "&continue=" + next;
      for (size_t at; (at = paths[side].find('|')) != std::string::npos;) paths[side].replace(at, 1, "%7C");
    }
  }
}

base::Task<void> follow(Side side, std::string path, std::function<bool(std::string_view)> on_chunk,
                        base::Scope* scope) {
  co_await side.send("GET", std::move(path), "", "", *scope, std::move(on_chunk));
}

// Of each kind, all objects and the red ones, from an empty start.
void Comparison::open_watches() {
  for (const GroupVersionResource* resource : modelled_resources()) {
    for (const char* selector : {"", "&labelSelector=color%3Dred"}) {
      watches_.push_back(std::make_unique<WatchLog>());
      WatchLog* log = watches_.back().get();
      log->path = resource->path(ns_) + "?watch=true&resourceVersion=0" + selector;
      for (int side : {0, 1}) {
        auto on_line = [log, side](std::string_view line) {
          log->events[side].push_back(Json::parse(line));
          return true;
        };
        auto on_chunk = [log, side, on_line](std::string_view bytes) { return log->lines[side].feed(bytes, on_line); };
        world_.loop.spawn(follow(sides_[side], log->path, std::move(on_chunk), &scope_));
      }
    }
  }
}

std::string Comparison::compare_watches() {
  for (const auto& log : watches_) {
    const auto& [real, model] = log->events;
    // All that is to come, and a little more than that if the real one has more to say.
    world_.until([&] { return real.size() >= model.size(); }, absl::Seconds(10));
    Normaliser normalisers[2];
    for (size_t i = 0; i < std::min(real.size(), model.size()); ++i) {
      ++events_;
      std::string found;
      if (real[i]["type"] != model[i]["type"])
        found = base::cat("real ", real[i]["type"].dump(), ", model ", model[i]["type"].dump());
      if (found.empty()) {
        found = difference(normalisers[0](real[i]["object"]), normalisers[1](model[i]["object"]),
                           is_deployment(model[i]["object"]));
      }
      if (!found.empty()) {
        return base::cat("event ", i, " of ", log->path, ": ", found, "\n  real:  ", real[i].dump(),
                         "\n  model: ", model[i].dump());
      }
    }
    if (real.size() != model.size()) {
      return base::cat(log->path, ": real sent ", real.size(), " events, model ", model.size());
    }
  }
  return "";
}

std::string Comparison::run(int requests) {
  const std::string namespaces = kube::resources::namespaces().path("");
  const Answer made = send(0, "POST", namespaces, "application/json", {{"metadata", {{"name", ns_}}}});
  if (made.status != 201) return base::cat("no namespace: ", made.body.dump());
  open_watches();
  std::string found;
  for (int i = 0; i < requests && found.empty(); ++i) {
    found = compare(generator_.next());
    if (!found.empty()) found = base::cat("request ", i, ": ", found);
  }
  if (found.empty()) found = compare_watches();
  scope_.cancel();
  world_.until([] { return false; }, absl::Milliseconds(20));
  return found;
}

class ModelConformance : public ::testing::Test {
 protected:
  void SetUp() override {
    const absl::Status installed = fake_.install_crd(crd_text("modeldeployments"));
    ASSERT_TRUE(installed.ok()) << installed;
    const auto answer = world_.await(real().send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                                                 "application/yaml", crd_text("modeldeployments"), scope_));
    ASSERT_TRUE(answer.ok() && (answer->status == 201 || answer->status == 409)) << answer->body;
    ASSERT_TRUE(world_.until([&] {
      const auto list = world_.await(real().send("GET", modelled_resources()[2]->path("default"), "", "", scope_));
      return list.ok() && list->status == 200;
    }));
  }
  Side real() { return {&world_.http, server_.config()}; }
  Side model() {
    kube::ClientConfig config;
    config.server = "https://model.test";
    return {&fake_, config};
  }

  World& world_ = shared_world();
  ApiServer& server_ = shared_server();
  kube::FakeApiServer fake_{world_.clock};
  base::Scope scope_;
};

TEST_F(ModelConformance, AnswersRandomRequestsAsTheRealServerDoes) {
  const char* only = std::getenv("SEED");
  const char* more = std::getenv("SEEDS");
  const int seeds = more ? std::atoi(more) : kSeeds;
  size_t compared = 0;
  size_t events = 0;
  for (int seed = only ? std::atoi(only) : 1; seed <= (only ? std::atoi(only) : seeds); ++seed) {
    Comparison comparison(world_, real(), model(), fake_, static_cast<uint64_t>(seed));
    const std::string found = comparison.run(kRequests);
    if (!found.empty()) ADD_FAILURE() << "SEED=" << seed << " repeats it: " << found;
    compared += comparison.compared();
    events += comparison.events();
  }
  std::printf("compared %zu requests and %zu watch events of %d seeds\n", compared, events, only ? 1 : seeds);
}

// What a watch begins with: "ADDED a", "BOOKMARK end"; or the status that refuses it.
struct Beginning {
  std::vector<std::string> events;
  int status = 0;
};

std::string told(const Json& event) {
  const std::string type = string_at(event, {"type"});
  const Json& object = event.at("object");
  if (type != "BOOKMARK") return base::cat(type, " ", string_at(object, {"metadata", "name"}));
  const bool end = string_at(object, {"metadata", "annotations", "k8s.io/initial-events-end"}) == "true";
  return end ? "BOOKMARK end" : "BOOKMARK";
}

base::Task<void> begin_watch(Side side, std::string path, std::shared_ptr<Beginning> beginning, base::Scope* scope) {
  auto lines = std::make_shared<kube::LineDecoder>();
  auto on_line = [beginning](std::string_view line) {
    beginning->events.push_back(told(Json::parse(line)));
    return true;
  };
  auto on_chunk = [lines, on_line](std::string_view bytes) { return lines->feed(bytes, on_line); };
  auto answer = co_await side.send("GET", std::move(path), "", "", *scope, std::move(on_chunk));
  if (answer.ok()) beginning->status = answer->status;
}

TEST_F(ModelConformance, BeginsWatchesAsTheRealServerDoes) {
  const GroupVersionResource& config_maps = *modelled_resources()[0];
  const std::string namespaces = kube::resources::namespaces().path("");
  world_.await(real().send("POST", namespaces, "application/json", R"({"metadata": {"name": "beginnings"}})", scope_))
      .IgnoreError();
  for (const char* name : {"a", "b", "c"}) {
    const std::string body = Json({{"metadata", {{"name", name}}}}).dump();
    for (Side side : {real(), model()}) {
      const auto made =
          world_.await(side.send("POST", config_maps.path("beginnings"), "application/json", body, scope_));
      ASSERT_TRUE(made.ok() && made->status == 201);
    }
  }
  const std::map<std::string, std::vector<std::string>> expected{
      {"&resourceVersion=0", {"ADDED a", "ADDED b", "ADDED c"}},
      {"", {"ADDED a", "ADDED b", "ADDED c"}},
      {"&fieldSelector=metadata.name%3Db&resourceVersion=0", {"ADDED b"}},
      {"&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
       {"ADDED a", "ADDED b", "ADDED c", "BOOKMARK end"}},
      {"&sendInitialEvents=true&allowWatchBookmarks=true", {}}};
  for (const auto& [query, events] : expected) {
    const std::string path = config_maps.path("beginnings") + "?watch=true" + query;
    for (Side side : {real(), model()}) {
      base::Scope scope;
      auto beginning = std::make_shared<Beginning>();
      world_.loop.spawn(begin_watch(side, path, beginning, &scope));
      EXPECT_TRUE(world_.until(
          [&] { return beginning->events.size() >= events.size() && (!events.empty() || beginning->status != 0); },
          absl::Seconds(20)));
      EXPECT_EQ(beginning->events, events) << side.config.server << path;
      EXPECT_EQ(events.empty(), beginning->status == 422) << side.config.server << path;
      scope.cancel();
      world_.until([] { return false; }, absl::Milliseconds(20));
    }
  }
}

}  // namespace
}  // namespace tidegate::conformance
