#include "traffic/program.h"

#include <charconv>
#include <tuple>

#include "base/strings.h"

namespace tidegate::traffic {

bool asks_the_same(const Program& a, const Program& b) {
  const auto fields = [](const Program& p) {
    return std::tie(p.namespace_, p.name, p.uid, p.created, p.revisions, p.timeout, p.retries, p.max_concurrency,
                    p.hosts);
  };
  return fields(a) == fields(b);
}

std::string cluster_name(const std::string& namespace_, const std::string& name, const std::string& revision) {
  return base::cat(namespace_, "/", name, "/", revision);
}

std::string grpc_cluster_name(const std::string& namespace_, const std::string& name, const std::string& revision) {
  return base::cat(cluster_name(namespace_, name, revision), "/grpc");
}

std::optional<uint64_t> parse_resource_version(const std::string& text) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || parsed != end || text.empty()) return std::nullopt;
  return number;
}

}  // namespace tidegate::traffic
