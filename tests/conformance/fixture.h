#pragma once
// What the tests against the real server start from: a namespace of their own, a client, and one whose network can be
// cut.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "conformance/environment.h"
#include "kube/client.h"

namespace tidegate::conformance {

// Lets a test cut the network of one client.
class Gate : public net::HttpClient {
 public:
  explicit Gate(net::HttpClient& behind) : behind_(behind) { cuts_.push_back(std::make_unique<base::Scope>()); }

  base::Task<absl::StatusOr<net::HttpResponse>> request(net::HttpRequest request, base::Scope& scope) override {
    if (shut_) co_return absl::UnavailableError("the test has cut this connection");
    base::Scope child(scope);
    auto registration = cuts_.back()->on_cancel([&child] { child.cancel(); });
    absl::StatusOr<net::HttpResponse> answer = co_await behind_.request(std::move(request), child);
    if (shut_ && !answer.ok()) co_return absl::UnavailableError("the test has cut this connection");
    co_return answer;
  }
  void shut() {
    shut_ = true;
    // Kept: requests that end now still take back their registration.
    cuts_.push_back(std::make_unique<base::Scope>());
    cuts_[cuts_.size() - 2]->cancel();
  }
  void open() { shut_ = false; }

 private:
  net::HttpClient& behind_;
  std::vector<std::unique_ptr<base::Scope>> cuts_;
  bool shut_ = false;
};

class Conformance : public ::testing::Test {
 protected:
  void SetUp() override {
    // A namespace for each test.
    ns_ = base::cat("test-", ++namespaces_);
    kube::Json object;
    object["metadata"]["name"] = ns_;
    auto created = world_.await(client_.create(kube::resources::namespaces(), object, scope_));
    ASSERT_TRUE(created.ok()) << created.status();
  }
  void TearDown() override {
    scope_.cancel();
    world_.until([] { return false; }, absl::Milliseconds(50));
  }

  kube::Json config_map(const std::string& name, const std::string& value = "x") const {
    kube::Json object;
    object["metadata"] = {{"namespace", ns_}, {"name", name}};
    object["data"] = {{"value", value}};
    return object;
  }
  kube::Json deployment(const std::string& name, int replicas) const {
    kube::Json object;
    object["metadata"] = {{"namespace", ns_}, {"name", name}};
    const kube::Json labels = {{"app", name}};
    kube::Json& spec = object["spec"];
    spec["replicas"] = replicas;
    spec["selector"]["matchLabels"] = labels;
    spec["template"]["metadata"]["labels"] = labels;
    kube::Json container = {{"name", "c"}, {"image", "none"}};
    spec["template"]["spec"]["containers"].push_back(std::move(container));
    return object;
  }
  static std::string version(const kube::Json& object) {
    return kube::string_at(object, {"metadata", "resourceVersion"});
  }
  static std::string uid(const kube::Json& object) { return kube::string_at(object, {"metadata", "uid"}); }

  World& world_ = shared_world();
  ApiServer& server_ = shared_server();
  Gate gate_{world_.http};
  kube::ClientMetrics metrics_;
  kube::Client client_{world_.http, server_.config()};
  kube::Client gated_{gate_, server_.config(), &metrics_};
  base::Scope scope_;
  std::string ns_;

 private:
  static inline int namespaces_ = 0;
};

}  // namespace tidegate::conformance
