#include "operator/server/management_pages.h"

#include <absl/strings/str_split.h>

#include <vector>

#include "base/strings.h"

namespace tidegate::operator_ {
namespace {

constexpr std::string_view kObjects = "/debug/objects/";

net::ServerResponse text(int status, std::string body) {
  net::ServerResponse response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  return response;
}

}  // namespace

net::ServerResponse ManagementPages::answer(const net::ServerRequest& request) const {
  const std::string_view path = request.path();
  if (path == "/healthz") return text(200, "ok\n");
  if (path == "/readyz") {
    const std::string why = sources_.not_ready_because();
    return why.empty() ? text(200, "ok\n") : text(503, base::cat(why, "\n"));
  }
  if (path == "/metrics") {
    net::ServerResponse response = text(200, sources_.metrics());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  }
  if (path.starts_with(kObjects)) return object_page(path.substr(kObjects.size()));
  return text(404, "there are /healthz, /readyz, /metrics and /debug/objects/modeldeployments/<namespace>/<name>\n");
}

net::ServerResponse ManagementPages::object_page(std::string_view rest) const {
  const std::vector<std::string> parts = absl::StrSplit(base::absl_view(rest), '/');
  if (parts.size() != 3 || parts[0] != "modeldeployments") {
    return text(404, "the path is /debug/objects/modeldeployments/<namespace>/<name>\n");
  }
  std::string page = sources_.describe({parts[1], parts[2]});
  if (page.empty()) return text(404, base::cat("there is no ModelDeployment ", parts[1], "/", parts[2], "\n"));
  return text(200, std::move(page));
}

}  // namespace tidegate::operator_
