#include "storage/s3_object_store.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <utility>

#include "base/digest.h"
#include "base/log.h"
#include "base/status.h"
#include "base/strings.h"
#include "storage/s3_endpoint.h"
#include "storage/s3_protocol.h"
#include "storage/sigv4.h"

namespace tidegate::storage {
namespace {

using base::cat;
using Answer = absl::StatusOr<net::HttpResponse>;

// A listing of 1,000 keys is below 1 MB; an error is far smaller.
constexpr uint64_t kMaxAnswerBytes = 16 << 20;

// One request as the store sees it, before it is signed (again for each attempt).
struct Call {
  SignableRequest request;
  std::string body;
  std::string object;  // for messages
  absl::Duration timeout;
  absl::Duration stall_timeout = absl::InfiniteDuration();
  std::function<bool(const net::HttpResponse&)> on_head;
  std::function<bool(std::string_view)> on_chunk;
  std::shared_ptr<uint64_t> received = std::make_shared<uint64_t>(0);  // bytes given to on_chunk
};

class S3ObjectStore : public ObjectStore {
 public:
  S3ObjectStore(S3Options options, S3Endpoint endpoint, std::string bucket, net::HttpClient& http, base::Clock& clock,
                base::Random& random)
      : options_(std::move(options)),
        endpoint_(std::move(endpoint)),
        bucket_(std::move(bucket)),
        http_(http),
        clock_(clock),
        random_(random) {
    if (!options_.ca_pem.empty()) tls_ = std::make_shared<net::TlsOptions>(net::TlsOptions{.ca_pem = options_.ca_pem});
  }

  base::Task<absl::StatusOr<ListPage>> list(ListRequest request, base::Scope& scope) override;
  base::Task<absl::StatusOr<ObjectInfo>> stat(std::string key, base::Scope& scope) override;
  base::Task<absl::StatusOr<ObjectInfo>> get(GetRequest request, base::Scope& scope) override;
  base::Task<absl::StatusOr<ObjectInfo>> put(std::string key, std::string body, base::Scope& scope) override;
  std::string describe() const override { return cat("s3://", bucket_, " at ", endpoint_.origin); }

 private:
  Call make_call(std::string method, std::string_view key) const;
  net::HttpRequest to_http(const Call& call) const;
  base::Task<Answer> send(Call call, base::Scope& scope);
  absl::Duration backoff(int failures, const Answer& answer);

  S3Options options_;
  S3Endpoint endpoint_;
  std::string bucket_;
  net::HttpClient& http_;
  base::Clock& clock_;
  base::Random& random_;
  std::shared_ptr<const net::TlsOptions> tls_;
};

Call S3ObjectStore::make_call(std::string method, std::string_view key) const {
  Call call;
  call.request.method = std::move(method);
  call.request.host = endpoint_.host;
  call.request.path = cat(endpoint_.path_prefix, "/", key);
  call.object = cat("s3://", bucket_, "/", key);
  call.timeout = options_.timeout;
  return call;
}

net::HttpRequest S3ObjectStore::to_http(const Call& call) const {
  SignableRequest to_sign = call.request;
  to_sign.payload_sha256 = base::sha256_hex(call.body);
  const S3Credentials& keys = options_.credentials;
  const SignedRequest ready =
      keys.access_key_id.empty()
          ? without_signature(to_sign)
          : sign(to_sign, {keys.access_key_id, keys.secret_access_key, keys.session_token, options_.region},
                 clock_.now());
  net::HttpRequest http;
  http.method = call.request.method;
  http.url = endpoint_.origin + ready.target;
  http.headers.assign(ready.headers.begin(), ready.headers.end());
  http.body = call.body;
  http.timeout = call.timeout;
  http.connect_timeout = options_.connect_timeout;
  http.stall_timeout = call.stall_timeout;
  http.tls = tls_;
  http.max_body_bytes = kMaxAnswerBytes;
  http.on_head = call.on_head;
  if (call.on_chunk) {
    // An object's bytes are wanted as they are stored.
    http.headers.emplace_back("accept-encoding", "identity");
    http.on_chunk = [received = call.received, on_chunk = call.on_chunk](std::string_view bytes) {
      *received += bytes.size();
      return on_chunk(bytes);
    };
  }
  return http;
}

// Exponential with full jitter, so that many clients of a struggling store spread out; at least what the store asks.
absl::Duration S3ObjectStore::backoff(int failures, const Answer& answer) {
  absl::Duration wait = options_.initial_backoff;
  for (int i = 1; i < failures && wait < options_.max_backoff; ++i) wait *= 2;
  wait = std::min(wait, options_.max_backoff) * random_.uniform();
  int seconds = 0;
  if (answer.ok() && absl::SimpleAtoi(base::absl_view(answer->header("retry-after")), &seconds)) {
    wait = std::max(wait, std::min(absl::Seconds(seconds), options_.max_backoff));
  }
  return wait;
}

base::Task<Answer> S3ObjectStore::send(Call call, base::Scope& scope) {
  for (int attempt = 1;; ++attempt) {
    Answer answer = co_await http_.request(to_http(call), scope);
    const bool transient = answer.ok() ? is_transient(*answer) : absl::IsUnavailable(answer.status());
    if (!transient || *call.received > 0 || attempt >= options_.max_attempts) {
      if (answer.ok() && answer->status / 100 != 2) co_return error_of_answer(*answer, call.object);
      if (!answer.ok()) co_return base::annotate(answer.status(), call.object);
      co_return answer;
    }
    const absl::Duration wait = backoff(attempt, answer);
    base::log_debug("object store request failed; trying again",
                    {{"object", call.object},
                     {"error", answer.ok() ? error_of_answer(*answer, call.object) : answer.status()},
                     {"wait", absl::FormatDuration(wait)}});
    absl::Status slept = co_await base::sleep_for(clock_, wait, scope);
    if (!slept.ok()) co_return slept;
  }
}

base::Task<absl::StatusOr<ListPage>> S3ObjectStore::list(ListRequest request, base::Scope& scope) {
  Call call = make_call("GET", "");
  call.object = cat("listing s3://", bucket_, "/", request.prefix);
  // Path style: the bucket itself, without the final slash.
  if (!endpoint_.path_prefix.empty()) call.request.path = endpoint_.path_prefix;
  call.request.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", cat(request.max_keys)}};
  if (!request.prefix.empty()) call.request.query.emplace_back("prefix", request.prefix);
  if (!request.delimiter.empty()) call.request.query.emplace_back("delimiter", request.delimiter);
  if (!request.continuation_token.empty()) {
    call.request.query.emplace_back("continuation-token", request.continuation_token);
  }
  const std::string object = call.object;
  Answer answer = co_await send(std::move(call), scope);
  if (!answer.ok()) co_return answer.status();
  absl::StatusOr<ListPage> page = parse_list_answer(answer->body);
  if (!page.ok()) co_return base::annotate(page.status(), object);
  co_return page;
}

base::Task<absl::StatusOr<ObjectInfo>> S3ObjectStore::stat(std::string key, base::Scope& scope) {
  Call call = make_call("HEAD", key);
  Answer answer = co_await send(std::move(call), scope);
  if (!answer.ok()) co_return answer.status();
  co_return object_of_headers(*answer, key);
}

base::Task<absl::StatusOr<ObjectInfo>> S3ObjectStore::put(std::string key, std::string body, base::Scope& scope) {
  const uint64_t size = body.size();
  Call call = make_call("PUT", key);
  call.body = std::move(body);
  Answer answer = co_await send(std::move(call), scope);
  if (!answer.ok()) co_return answer.status();
  ObjectInfo object = object_of_headers(*answer, key);
  object.size = size;
  co_return object;
}

// What is wrong with the head of the answer to a ranged read; OK when the bytes that follow are those asked for.
absl::Status check_head(const GetRequest& request, const net::HttpResponse& head, std::string_view object) {
  const bool ranged = request.offset > 0 || request.length;
  if (ranged) {
    const std::string expected = cat("bytes ", request.offset, "-");
    if (head.status != 206 || !head.header("content-range").starts_with(expected)) {
      return absl::InternalError(cat(object, ": the store ignored the range that was asked for"));
    }
  }
  const std::string etag = object_of_headers(head, "").etag;
  if (!request.if_match.empty() && etag != request.if_match) {
    return absl::FailedPreconditionError(
        cat(object, ": the object has changed: its ETag is ", etag, " instead of ", request.if_match));
  }
  return absl::OkStatus();
}

base::Task<absl::StatusOr<ObjectInfo>> S3ObjectStore::get(GetRequest request, base::Scope& scope) {
  if (request.length == 0u) co_return absl::InvalidArgumentError("a range of no bytes cannot be asked for");
  Call call = make_call("GET", request.key);
  if (request.offset > 0 || request.length) {
    const std::string last = request.length ? cat(request.offset + *request.length - 1) : "";
    call.request.headers["range"] = cat("bytes=", request.offset, "-", last);
  }
  if (!request.if_match.empty()) call.request.headers["if-match"] = cat("\"", request.if_match, "\"");
  if (!request.version_id.empty()) call.request.query.emplace_back("versionId", request.version_id);
  call.timeout = request.timeout;
  call.stall_timeout = request.stall_timeout;
  auto refusal = std::make_shared<absl::Status>();
  const std::string object = call.object;
  call.on_head = [refusal, request, object](const net::HttpResponse& head) {
    *refusal = check_head(request, head, object);
    return refusal->ok();
  };
  call.on_chunk = request.on_chunk ? request.on_chunk : [](std::string_view) { return true; };
  const std::shared_ptr<uint64_t> received = call.received;
  Answer answer = co_await send(std::move(call), scope);
  if (!refusal->ok()) co_return *refusal;
  if (!answer.ok()) co_return answer.status();
  ObjectInfo info = object_of_headers(*answer, request.key);
  const uint64_t rest = info.size - std::min(info.size, request.offset);
  const uint64_t expected = std::min(rest, request.length.value_or(rest));
  if (*received != expected) {
    co_return absl::UnavailableError(cat(object, ": ", *received, " of ", expected, " bytes arrived"));
  }
  co_return info;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ObjectStore>> make_s3_object_store(S3Options options, std::string bucket,
                                                                  net::HttpClient& http, base::Clock& clock,
                                                                  base::Random& random) {
  TG_ASSIGN_OR_RETURN(S3Endpoint endpoint, resolve_endpoint(options, bucket));
  return std::make_unique<S3ObjectStore>(std::move(options), std::move(endpoint), std::move(bucket), http, clock,
                                         random);
}

}  // namespace tidegate::storage
