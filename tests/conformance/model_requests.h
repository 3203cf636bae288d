#pragma once
// Random but repeatable requests that a client might send, told apart from any server: what a request says about
// versions and uids ("the one it has now", "an older one") is filled in for each server from that server's own answers.
// model_conformance_test.cc sends them to the model and to a real API server.
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "kube/json.h"
#include "kube/resource.h"

namespace tidegate::conformance {

// Which of an object's resourceVersions or uids a request names.
enum class Reference { kNone, kCurrent, kOther };

struct ModelRequest {
  std::string method;
  const kube::GroupVersionResource* resource = nullptr;
  std::string name;  // empty: the collection
  std::string subresource;
  std::string query;  // "?…", or empty
  std::string content_type;
  kube::Json body;
  // In the body's metadata, or in its preconditions when it is a deletion.
  Reference version = Reference::kNone;
  Reference uid = Reference::kNone;
  bool follow_pages = false;
};

// The kinds: a plain one, a built-in with status and scale, our own with a CRD.
const std::vector<const kube::GroupVersionResource*>& modelled_resources();

class RequestGenerator {
 public:
  RequestGenerator(uint64_t seed, std::string ns) : random_(seed), ns_(std::move(ns)) {}
  ModelRequest next();

 private:
  uint64_t pick(uint64_t count) { return random_.next() % count; }
  bool chance(int percent) { return pick(100) < static_cast<uint64_t>(percent); }
  Reference any_reference();
  std::string word();

  ModelRequest of_object(std::string method);
  kube::Json object(const ModelRequest& request);
  kube::Json metadata(const ModelRequest& request);
  kube::Json configuration(const ModelRequest& request);
  kube::Json deployment_spec(const ModelRequest& request);
  kube::Json model_spec();
  kube::Json status_of(const ModelRequest& request);

  ModelRequest create();
  ModelRequest update();
  ModelRequest patch();
  ModelRequest apply();
  ModelRequest write_status();
  ModelRequest scale();
  ModelRequest remove();
  ModelRequest release();
  ModelRequest list();

  base::SeededRandom random_;
  std::string ns_;
  int scales_ = 0;
};

}  // namespace tidegate::conformance
