#include "operator/webhooks/ca_bundle_keeper.h"

#include <absl/strings/escaping.h>

#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "operator/rendering/names.h"

namespace tidegate::operator_ {
namespace {

using kube::Json;

constexpr absl::Duration kTick = absl::Seconds(2);

bool is_ours(const Json& webhook, const std::string& ns) {
  return kube::string_at(webhook, {"clientConfig", "service", "name"}) == kWebhookService &&
         kube::string_at(webhook, {"clientConfig", "service", "namespace"}) == ns;
}

// The list with our bundle in it; null when it is there already.
Json corrected(const Json& configuration, const std::string& ns, const std::string& bundle) {
  Json webhooks = kube::array_at(configuration, {"webhooks"});
  bool changed = false;
  for (Json& webhook : webhooks) {
    if (!is_ours(webhook, ns) || kube::string_at(webhook, {"clientConfig", "caBundle"}) == bundle) continue;
    webhook["clientConfig"]["caBundle"] = bundle;
    changed = true;
  }
  return changed ? webhooks : Json();
}

}  // namespace

const kube::GroupVersionResource& validating_webhook_configurations() {
  static const kube::GroupVersionResource resource{
      "admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", false};
  return resource;
}

base::Task<void> CaBundleKeeper::keep(base::Scope& scope) {
  absl::Status last;
  while (!scope.cancelled()) {
    const absl::Status done = co_await ensure(scope);
    if (scope.cancelled()) co_return;
    // Said once: an operator without the configuration, or without the right to it, works all the same.
    if (!done.ok() && done != last) base::log_warning("the webhook's caBundle is not kept", {{"error", done}});
    last = done;
    co_await wait(scope);
  }
}

// Until the next look is due, or there is another bundle to write.
base::Task<void> CaBundleKeeper::wait(base::Scope& scope) {
  const std::string asked = ca_pem_;
  const absl::Duration begun = clock_.uptime();
  while (!scope.cancelled() && ca_pem_ == asked && clock_.uptime() - begun < kPeriod) {
    co_await base::sleep_for(clock_, kTick, scope);
  }
}

base::Task<absl::Status> CaBundleKeeper::ensure(base::Scope& scope) {
  if (ca_pem_.empty()) co_return absl::OkStatus();
  const base::ObjectKey key{"", kWebhookConfiguration};
  absl::StatusOr<Json> present = co_await client_.get(validating_webhook_configurations(), key, scope);
  if (!present.ok()) co_return present.status();
  Json webhooks = corrected(*present, ns_, absl::Base64Escape(ca_pem_));
  if (webhooks.is_null()) co_return absl::OkStatus();
  // A list is replaced as a whole, so only if it is still the one that was read.
  Json patch = {{"metadata", {{"resourceVersion", kube::resource_version_of(*present)}}},
                {"webhooks", std::move(webhooks)}};
  absl::StatusOr<kube::Written> patched =
      co_await client_.merge_patch(validating_webhook_configurations(), key, std::move(patch), kFieldManager, scope);
  if (patched.ok()) base::log_info("wrote the webhook's caBundle");
  co_return patched.status();
}

}  // namespace tidegate::operator_
