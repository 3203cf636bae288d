#include "operator/observers/model_resolver.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "kube/errors.h"
#include "kube/types.h"
#include "storage/s3_settings.h"

namespace tidegate::operator_ {
namespace {

// Times pollInterval.
constexpr int kSlowestPoll = 10;
constexpr absl::Duration kFirstRetry = absl::Seconds(1);

// What a Resolution depends on; pollInterval is not part of it.
std::string fingerprint(const api::ModelSpec& spec) {
  return base::cat(spec.uri, "\n", spec.version, "\n", spec.credentials ? spec.credentials->secret_name : "");
}

bool same(const std::optional<rollout::ResolveError>& a, const std::optional<rollout::ResolveError>& b) {
  if (!a || !b) return !a && !b;
  return a->reason == b->reason && a->message == b->message;
}

std::string reason_of(const absl::Status& status) {
  const std::string_view message = base::view(status.message());
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return message.find("NoSuchBucket") == std::string_view::npos ? "VersionNotFound" : "BucketNotFound";
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return "AccessDenied";
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kResourceExhausted:
      return "InvalidModel";
    default:
      return "StoreUnreachable";
  }
}

// A store that says what it has not got has taken the keys.
bool may_be_the_secrets_fault(const absl::Status& status) {
  return !status.ok() && reason_of(status) != "VersionNotFound";
}

std::string_view advice_for(const std::string& reason) {
  if (reason == "VersionNotFound") return "upload the version, or name one that is there in spec.model.version";
  if (reason == "BucketNotFound") return "create the bucket, or correct spec.model.uri";
  if (reason == "AccessDenied") return "correct the Secret named by spec.model.credentials, or the store's policy";
  if (reason == "InvalidModel") return "correct spec.model, its Secret, or the files in the store";
  return "it is tried again by itself";
}

}  // namespace

rollout::ResolveError resolve_error(const absl::Status& status, const std::string& what) {
  std::string reason = reason_of(status);
  std::string message = base::cat(what, ": ", status.message(), "; ", advice_for(reason));
  return {std::move(reason), std::move(message)};
}

absl::StatusOr<api::ModelFormat> format_of(const storage::Manifest& manifest) {
  std::vector<api::ModelFormat> found;
  bool saved_model = false;
  for (const storage::ManifestFile& file : manifest.files) {
    if (file.path.find('/') != std::string::npos) continue;
    saved_model = saved_model || file.path == "saved_model.pb" || file.path == "saved_model.pbtxt";
    if (file.path.ends_with(".onnx")) found.push_back(api::ModelFormat::kOnnx);
    if (file.path.ends_with(".tflite")) found.push_back(api::ModelFormat::kTflite);
  }
  if (saved_model) found.push_back(api::ModelFormat::kSavedModel);
  if (found.size() == 1) return found.front();
  return absl::InvalidArgumentError(
      base::cat("has ", found.empty() ? "no model" : "more than one model",
                " at its top; a SavedModel has one saved_model.pb there, an ONNX model one *.onnx, a TFLite model one "
                "*.tflite"));
}

ModelResolver::ModelResolver(const kube::Store<api::ModelDeployment>& models, kube::Client& client,
                             StoreFactory make_store, base::Clock& clock,
                             std::function<void(const base::ObjectKey&)> on_change)
    : models_(models),
      secrets_(client, clock),
      clock_(clock),
      make_store_(std::move(make_store)),
      on_change_(std::move(on_change)),
      queue_(clock) {}

base::Task<void> ModelResolver::work(base::Scope& scope) {
  while (true) {
    absl::StatusOr<base::ObjectKey> key = co_await queue_.pop(scope);
    if (!key.ok()) co_return;
    const absl::Duration again = co_await resolve(*key, scope);
    queue_.done(*key);
    if (again < absl::InfiniteDuration()) queue_.add_with_others(*key, again);
  }
}

void ModelResolver::look(const base::ObjectKey& key) {
  looking_since_.try_emplace(key, clock_.now());
  queue_.add(key);
}

std::optional<absl::Time> ModelResolver::looking_since(const base::ObjectKey& key) const {
  auto since = looking_since_.find(key);
  return since == looking_since_.end() ? std::nullopt : std::optional(since->second);
}

void ModelResolver::forget_all() {
  looking_since_.clear();
  entries_.clear();
  secrets_.forget_all();
}

const Resolution* ModelResolver::find(const base::ObjectKey& key, const api::ModelSpec& spec) const {
  auto entry = entries_.find(key);
  if (entry == entries_.end() || entry->second.asked != fingerprint(spec)) return nullptr;
  return &entry->second.resolution;
}

base::Task<absl::Duration> ModelResolver::resolve(base::ObjectKey key, base::Scope& scope) {
  const auto object = models_.get(key);
  if (!object || object->metadata.deletion_timestamp) {
    entries_.erase(key);
    looking_since_.erase(key);
    co_return absl::InfiniteDuration();
  }
  absl::StatusOr<FoundModel> result = co_await look_up(key, object->spec.model, scope);
  if (may_be_the_secrets_fault(result.status()) && object->spec.model.credentials) {
    secrets_.forget({key.ns, object->spec.model.credentials->secret_name});
  }
  // Not the store's fault; whoever leads next looks again.
  if (scope.cancelled()) co_return absl::ZeroDuration();
  const auto present = models_.get(key);
  if (present && fingerprint(present->spec.model) != fingerprint(object->spec.model)) co_return absl::ZeroDuration();
  co_return remember(key, object->spec.model, std::move(result));
}

base::Task<absl::StatusOr<FoundModel>> ModelResolver::look_up(base::ObjectKey key, api::ModelSpec spec,
                                                              base::Scope& scope) {
  absl::StatusOr<storage::StoreUri> uri = storage::parse_store_uri(spec.uri);
  if (!uri.ok()) co_return uri.status();
  absl::StatusOr<storage::S3Options> options = co_await read_options(key, spec, scope);
  if (!options.ok()) co_return options.status();
  // One try each look: the queue has its own backoff, and shows the error meanwhile.
  options->max_attempts = 2;
  absl::StatusOr<std::unique_ptr<storage::ObjectStore>> store = make_store_(*std::move(options), uri->bucket);
  if (!store.ok()) co_return store.status();
  absl::StatusOr<storage::ResolvedVersion> version =
      co_await storage::resolve_version(**store, uri->prefix, spec.version, scope);
  if (!version.ok()) co_return version.status();
  absl::StatusOr<api::ModelFormat> format = format_of(version->manifest);
  if (!format.ok()) {
    co_return absl::InvalidArgumentError(base::cat("version ", version->version, " ", format.status().message()));
  }
  co_return FoundModel{{spec.uri, version->version, version->digest}, *format};
}

base::Task<absl::StatusOr<storage::S3Options>> ModelResolver::read_options(base::ObjectKey key, api::ModelSpec spec,
                                                                           base::Scope& scope) {
  if (!spec.credentials) co_return storage::s3_options_from({});
  const base::ObjectKey secret_key{key.ns, spec.credentials->secret_name};
  absl::StatusOr<kube::Secret> secret = co_await secrets_.read(secret_key, spec.poll_interval, scope);
  if (absl::IsNotFound(secret.status())) {
    co_return absl::PermissionDeniedError(base::cat("there is no Secret ", secret_key.to_string()));
  }
  if (!secret.ok()) co_return secret.status();
  absl::StatusOr<storage::S3Options> options = storage::s3_options_from(secret->data);
  if (!options.ok()) {
    co_return absl::InvalidArgumentError(
        base::cat("Secret ", secret_key.to_string(), ": ", options.status().message()));
  }
  co_return options;
}

absl::Duration ModelResolver::remember(const base::ObjectKey& key, const api::ModelSpec& spec,
                                       absl::StatusOr<FoundModel> result) {
  looking_since_.erase(key);
  Entry& entry = entries_[key];
  if (entry.asked != fingerprint(spec)) entry = Entry{fingerprint(spec), {}, 0, 0};
  const Resolution before = entry.resolution;
  absl::Duration again = spec.poll_interval;
  if (result.ok()) {
    entry.failures = 0;
    entry.resolution = {*std::move(result), std::nullopt};
    entry.looks_alike = entry.resolution.found == before.found ? entry.looks_alike + 1 : 0;
    if (spec.version != "latest") again *= std::min(1 << std::min(entry.looks_alike, 10), kSlowestPoll);
  } else {
    entry.resolution.error = resolve_error(result.status(), base::cat(spec.uri, " version ", spec.version));
    const absl::Duration backoff = kFirstRetry * (1 << std::min(entry.failures, 10));
    again = std::min(again, backoff);
    ++entry.failures;
    entry.looks_alike = 0;
    base::log_warning("model not resolved", {{"object", key.to_string()}, {"error", result.status()}});
  }
  const bool changed = before.found != entry.resolution.found || !same(before.error, entry.resolution.error);
  if (changed) on_change_(key);
  return again;
}

}  // namespace tidegate::operator_
