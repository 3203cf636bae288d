#include "serving-runtime/recording/http_sink.h"

#include <utility>
#include <vector>

#include "base/loop.h"
#include "base/strings.h"
#include "net/curl_http_client.h"
#include "serving-runtime/api/percent.h"
#include "serving-runtime/recording/record_json.h"

namespace tidegate::serving {
namespace {

class HttpSink : public RecordSink {
 public:
  explicit HttpSink(HttpSinkOptions options)
      : options_(std::move(options)), ids_(base::cat(absl::ToUnixMicros(clock_.now()), "-")) {
    options_.post.content_type =
        options_.single ? "application/cloudevents+json" : "application/cloudevents-batch+json";
  }

  absl::Status write(RecordBatch records) override {
    std::vector<std::string> events;
    for (const auto& record : records) add_events(*record, events);
    if (!options_.single) return post(batch_of(events));
    absl::Status result;
    for (std::string& event : events) {
      if (absl::Status posted = post(std::move(event)); !posted.ok()) result = posted;
    }
    return result;
  }

  void hurry() override {
    loop_.post([this] { end_ = clock_.after(options_.last_seconds, [this] { scope_.cancel(); }); });
  }

 private:
  void add_events(const RequestRecord& record, std::vector<std::string>& events) {
    const std::string source =
        base::cat(options_.source, "/models/", percent_encode(record.model), "/versions/", record.version);
    for (const std::string& line : record_lines(record, NonFinite::kQuoted)) {
      events.push_back(cloud_event(record, source, base::cat(ids_, ++count_), line));
    }
  }

  static std::string batch_of(const std::vector<std::string>& events) {
    std::string body = "[";
    for (const std::string& event : events) {
      if (body.size() > 1) body += ',';
      body += event;
    }
    return body + ']';
  }

  absl::Status post(std::string body) {
    absl::Status result;
    loop_.spawn(deliver(this, std::move(body), &result));
    loop_.context().restart();
    loop_.run();
    return result;
  }

  static base::Task<void> deliver(HttpSink* sink, std::string body, absl::Status* result) {
    *result = absl::CancelledError("the server ends");
    if (!sink->scope_.cancelled()) {
      absl::Status posted =
          co_await post_until_taken(sink->client_, sink->clock_, sink->options_.post, std::move(body), sink->scope_);
      *result = posted;
    }
    sink->loop_.stop();
  }

  HttpSinkOptions options_;
  base::Scope scope_;
  base::Loop loop_;
  base::SystemClock clock_{loop_.context()};
  net::CurlHttpClient client_{loop_.context(), clock_};
  std::unique_ptr<base::Clock::Timer> end_;
  const std::string ids_;
  uint64_t count_ = 0;
};

}  // namespace

std::unique_ptr<RecordSink> make_http_sink(HttpSinkOptions options) {
  return std::make_unique<HttpSink>(std::move(options));
}

}  // namespace tidegate::serving
