#pragma once
// Everything that a replica reaches by HTTP beside the API server: the gateways' statistics and the bucket with the
// models.
#include <absl/time/time.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "net/http_client.h"
#include "sim/context.h"

namespace tidegate::sim {

// An S3 bucket named `models`: for each object a folder, in it one folder a version.
class Bucket {
 public:
  explicit Bucket(Context& context) : context_(context) {}

  void put_version(const std::string& model, const std::string& version, const std::string& etag);
  void remove_version(const std::string& model, const std::string& version);
  bool has(const std::string& model, const std::string& version) const;

  std::optional<std::pair<int, std::string>> fault;  // HTTP status and S3 code of every answer
  absl::Duration slowness;

  net::HttpResponse list(const std::string& url) const;

 private:
  Context& context_;
  std::map<std::string, std::string> objects_;  // key → ETag
};

// What is answered, after how long beyond the network's own time. An error is what the client gets.
struct OutsideAnswer {
  absl::StatusOr<net::HttpResponse> response;
  absl::Duration after;
};

class OutsideLine : public net::HttpClient {
 public:
  using Server = std::function<OutsideAnswer(const net::HttpRequest&)>;
  OutsideLine(Context& context, base::Clock& clock, Server server)
      : context_(context), clock_(clock), server_(std::move(server)) {}

  base::Task<absl::StatusOr<net::HttpResponse>> request(net::HttpRequest request, base::Scope& scope) override;

  bool cut = false;
  void die() { dead_ = true; }

 private:
  using Answer = absl::StatusOr<net::HttpResponse>;
  Context& context_;
  base::Clock& clock_;
  Server server_;
  bool dead_ = false;
};

}  // namespace tidegate::sim
