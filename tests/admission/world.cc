#include "admission/world.h"

#include <fstream>
#include <iterator>

#include "base/strings.h"
#include "net/http_server.h"
#include "operator/stores.h"
#include "source_dir.h"

namespace tidegate::admission {
namespace {

constexpr char kCrds[] = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

class ServerEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    world = std::make_unique<conformance::World>();
    server = std::make_unique<conformance::ApiServer>();
    const absl::Status started = server->start(*world);
    ASSERT_TRUE(started.ok()) << started;
  }
  void TearDown() override {
    server.reset();
    world.reset();
  }
  static inline std::unique_ptr<conformance::World> world;
  static inline std::unique_ptr<conformance::ApiServer> server;
};
const auto* const kEnvironment = ::testing::AddGlobalTestEnvironment(new ServerEnvironment);

Answer answer_of(const net::HttpResponse& response) {
  Answer answer;
  answer.code = response.status;
  const auto json = kube::parse_json(response.body, "the answer");
  if (json.ok() && kube::string_at(*json, {"kind"}) == "Status") answer.message = kube::string_at(*json, {"message"});
  for (const auto& [name, value] : response.headers) {
    if (net::same_header_name(name, "warning")) answer.warnings += value + "\n";
  }
  return answer;
}

std::string path_of(const Json& object) {
  return operator_::model_deployments().path(Admission::kNamespace, kube::string_at(object, {"metadata", "name"}));
}

}  // namespace

std::vector<std::string> documents(const std::string& path) {
  std::ifstream file(std::string(TIDEGATE_SOURCE_DIR) + "/" + path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<std::string> found;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find("\n---\n", begin), text.size());
    found.push_back(text.substr(begin, end - begin));
    begin = end + 5;
  }
  return found;
}

std::string document_with(const std::string& path, const std::string& line) {
  for (const std::string& document : documents(path)) {
    if (document.find("\n" + line + "\n") != std::string::npos) return document;
  }
  return "";
}

Json Admission::object(const Json& spec, const std::string& name) {
  Json object = {{"apiVersion", "tidegate.dev/v1alpha1"},
                 {"kind", "ModelDeployment"},
                 {"metadata", {{"name", name}, {"namespace", kNamespace}}},
                 {"spec", {{"model", {{"uri", "s3://models/digits"}, {"version", "7"}}}}}};
  object["spec"].merge_patch(spec);
  return object;
}

Admission::Admission()
    : world_(*ServerEnvironment::world), server_(*ServerEnvironment::server), client_(world_.http, server_.config()) {
  static bool installed = false;
  if (installed) return;
  installed = true;
  for (const char* plural : {"modeldeployments", "servingruntimes", "clusterservingruntimes"}) {
    const Answer made = create(kCrds, documents(base::cat("crds/", plural, ".yaml")).front());
    EXPECT_EQ(made.code, 201) << made.message;
    const std::string served = base::cat("/apis/tidegate.dev/v1alpha1/", plural);
    EXPECT_TRUE(world_.until([&] { return send("GET", served, "", "").code == 200; })) << plural;
  }
  for (const char* name : {"vision", "payments", "text"}) {
    create("/api/v1/namespaces", Json({{"metadata", {{"name", name}}}}).dump());
  }
}

Admission::~Admission() {
  scope_.cancel();
  world_.until([] { return false; }, absl::Milliseconds(50));
}

Answer Admission::send(const std::string& method, const std::string& path, const std::string& body,
                       const std::string& content_type, const std::string& user) {
  const kube::ClientConfig config = server_.config();
  net::HttpRequest request;
  request.method = method;
  request.url = config.server + path;
  request.tls = config.tls->tls();
  request.headers = {{"authorization", "Bearer conformance-token"}, {"accept", "application/json"}};
  if (!user.empty()) request.headers.emplace_back("impersonate-user", user);
  if (!body.empty()) request.headers.emplace_back("content-type", content_type);
  request.body = body;
  auto response = world_.await(world_.http.request(std::move(request), scope_));
  return response.ok() ? answer_of(*response) : Answer{0, std::string(base::view(response.status().message())), ""};
}

Answer Admission::apply(const Json& object) {
  return send("PATCH", path_of(object) + "?fieldManager=test&force=true&fieldValidation=Strict", object.dump(),
              "application/apply-patch+yaml");
}

Answer Admission::create_dry(const Json& object) {
  return send("POST", operator_::model_deployments().path(kNamespace) + "?fieldValidation=Strict&dryRun=All",
              object.dump(), "application/json");
}

Answer Admission::erase(const std::string& name) {
  return send("DELETE", operator_::model_deployments().path(kNamespace, name), "", "");
}

}  // namespace tidegate::admission
