#pragma once
// A real kube-apiserver with our CRDs: what a person who applies something is answered.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "conformance/api_server.h"
#include "kube/client.h"

namespace tidegate::admission {

using kube::Json;

// What the API server answered to a write.
struct Answer {
  int code = 0;
  std::string message;   // of a refusal
  std::string warnings;  // all of them
};

// The YAML documents of a file of this repository, without comments before the first.
std::vector<std::string> documents(const std::string& path);
// The one of them that has this line.
std::string document_with(const std::string& path, const std::string& line);

// One server for all tests: it takes seconds to start.
class Admission : public ::testing::Test {
 public:
  static constexpr char kNamespace[] = "vision";

  // A good ModelDeployment with `spec` merged into its spec (RFC 7386).
  static Json object(const Json& spec, const std::string& name = "digits");

 protected:
  Admission();
  ~Admission() override;

  // `user`: on whose behalf; empty: the cluster's administrator.
  Answer send(const std::string& method, const std::string& path, const std::string& body,
              const std::string& content_type, const std::string& user = "");
  // POST of YAML or JSON to a collection.
  Answer create(const std::string& path, const std::string& body) {
    return send("POST", path, body, "application/yaml");
  }
  // Server-side apply of an object of ours.
  Answer apply(const Json& object);
  // Asks only.
  Answer create_dry(const Json& object);
  Answer erase(const std::string& name);

  conformance::World& world_;
  conformance::ApiServer& server_;
  kube::Client client_;
  base::Scope scope_;
};

}  // namespace tidegate::admission
