#include "operator/webhooks/serving_runtime_rules.h"

#include "base/strings.h"
#include "operator/webhooks/placeholders.h"
#include "operator/webhooks/resource_rules.h"

namespace tidegate::operator_ {
namespace {

// Neither a digest nor a tag that stays: pods of one revision could run different servers.
bool moves(std::string_view image) {
  if (image.find('@') != std::string_view::npos) return false;
  const size_t name = image.rfind('/') == std::string_view::npos ? 0 : image.rfind('/') + 1;
  const size_t tag = image.find(':', name);
  return tag == std::string_view::npos || image.substr(tag + 1) == "latest";
}

void check_image(const std::string& image, const std::string& path, Findings& findings) {
  if (!moves(image)) return;
  findings.push_back(
      {Severity::kWarn, "W22", path,
       base::cat(image, " may be another image tomorrow, without a rollout; name a version or a digest")});
}

}  // namespace

Findings check_serving_runtime(const api::ServingRuntime& runtime) {
  Findings findings;
  const api::RuntimeContainer& container = runtime.spec.container;
  check_image(container.image, "spec.container.image", findings);
  check_image(runtime.spec.fetch.image, "spec.fetch.image", findings);
  check_resources(container.resources, "spec.container.resources", findings);
  check_placeholders(container.command, "spec.container.command", findings);
  check_placeholders(container.args, "spec.container.args", findings);
  check_placeholders(container.env, "spec.container.env", findings);
  return findings;
}

}  // namespace tidegate::operator_
