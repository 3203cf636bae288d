#include "serving-runtime/recording/request_log.h"

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/loop.h"
#include "base/scratch_folder.h"
#include "fake_backend.h"
#include "serving-runtime/api/front_end.h"
#include "serving-runtime/recording/event_post.h"
#include "serving-runtime/recording/file_sink.h"
#include "serving-runtime/recording/record_json.h"
#include "ticking_clock.h"

namespace tidegate::serving {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
namespace fs = std::filesystem;

Tensor texts(const std::vector<std::string>& values) {
  StringList list;
  for (const std::string& value : values) list.push(value);
  return Tensor({static_cast<int64_t>(values.size())}, std::move(list));
}

std::unique_ptr<RequestRecord> make_record(Tensor input, std::string name = "x") {
  auto record = std::make_unique<RequestRecord>();
  record->max_payload_bytes = 1 << 20;
  record->time = absl::FromUnixMicros(1'700'000'000'123'456);
  record->model = "m";
  record->version = 3;
  record->queued = absl::Microseconds(4);
  record->latency = absl::Microseconds(310);
  std::vector<NamedTensor> inputs;
  inputs.push_back({std::move(name), std::move(input)});
  record->note_inputs("serving_default", inputs);
  return record;
}

std::string only_line(const RequestRecord& record, NonFinite non_finite = NonFinite::kBare) {
  const std::vector<std::string> lines = record_lines(record, non_finite);
  EXPECT_THAT(lines, SizeIs(1));
  return lines[0];
}

TEST(RecordJsonTest, IsARequestOfRestPredictWithWhatBecameOfIt) {
  auto record = make_record(floats({2, 4}));
  std::vector<NamedTensor> outputs;
  outputs.push_back({"y", floats({3, 4})});
  record->note_outputs(outputs);
  record->request_id = "r \"7\"";
  record->traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  EXPECT_EQ(only_line(*record),
            R"({"time":"2023-11-14T22:13:20.123456Z","model":"m","version":3,"api":"tfs_rest","code":"OK",)"
            R"("queue_us":4,"latency_us":310,"request_id":"r \"7\"",)"
            R"("traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",)"
            R"("signature_name":"serving_default","inputs":{"x":[2.0,4.0]},"outputs":{"y":[3.0,4.0]}})");
}

TEST(RecordJsonTest, TellsOfAFailure) {
  auto record = make_record(floats({2}));
  record->status = absl::InternalError(std::string(2000, 'e') + "\xc3\xbc");
  record->model_error = true;
  const json line = json::parse(only_line(*record));
  EXPECT_EQ(line["code"], "INTERNAL");
  EXPECT_THAT(line["error"].get<std::string>(), SizeIs(1024));
  EXPECT_EQ(line["model_error"], true);
  EXPECT_EQ(line["inputs"], json({{"x", {2.0}}}));
  EXPECT_FALSE(line.contains("outputs"));
}

TEST(RecordJsonTest, SaysWhyThereIsNoPayload) {
  RequestRecord before_a_run;
  EXPECT_EQ(json::parse(only_line(before_a_run))["payload"], "none");
  auto large = make_record(floats({2}));
  large->max_payload_bytes = 7;
  std::vector<NamedTensor> outputs;
  outputs.push_back({"y", floats({2})});
  large->note_outputs(outputs);
  const json line = json::parse(only_line(*large));
  EXPECT_EQ(line["payload"], "too_large");
  EXPECT_FALSE(line.contains("inputs"));
  EXPECT_EQ(large->payload_bytes, 0u);
  AlignedBuffer complex(16);
  std::fill_n(complex.data(), 16, '\0');
  auto unwritable = make_record(Tensor(model::DataType::kComplex128, {1}, std::move(complex)));
  EXPECT_EQ(json::parse(only_line(*unwritable))["payload"], "not_json");
}

TEST(RecordJsonTest, WritesBytesAsBase64AndTextAsText) {
  EXPECT_THAT(only_line(*make_record(texts({"a\n", "\xc3\xbc"}))), HasSubstr("{\"x\":[\"a\\n\",\"\xc3\xbc\"]}"));
  EXPECT_THAT(only_line(*make_record(texts({"a", "\xff"}))), HasSubstr(R"({"x":[{"b64":"YQ=="},{"b64":"/w=="}]})"));
  EXPECT_THAT(only_line(*make_record(texts({"\x01"}))), HasSubstr(R"({"x":[{"b64":"AQ=="}]})"));
  EXPECT_THAT(only_line(*make_record(texts({"a"}), "image_bytes")), HasSubstr(R"({"image_bytes":[{"b64":"YQ=="}]})"));
  auto record = make_record(floats({2}));
  record->request_id = "\xff";
  EXPECT_THAT(only_line(*record), Not(HasSubstr("request_id")));
}

TEST(RecordJsonTest, QuotesNumbersThatJsonDoesNotHaveWhereJsonIsWanted) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto record = make_record(floats({NAN, infinity, -infinity, -1}), "NaN \"-Infinity");
  EXPECT_THAT(only_line(*record), HasSubstr(R"({"NaN \"-Infinity":[NaN,Infinity,-Infinity,-1.0]})"));
  EXPECT_THAT(only_line(*record, NonFinite::kQuoted),
              HasSubstr(R"({"NaN \"-Infinity":["NaN","Infinity","-Infinity",-1.0]})"));
  EXPECT_TRUE(json::accept(only_line(*record, NonFinite::kQuoted)));
}

TEST(RecordJsonTest, GivesEachRunALine) {
  auto record = make_record(floats({2}));
  std::vector<NamedTensor> inputs;
  inputs.push_back({"x", floats({5})});
  record->note_inputs("other", inputs);
  const std::vector<std::string> lines = record_lines(*record, NonFinite::kBare);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(json::parse(lines[1])["signature_name"], "other");
  EXPECT_EQ(json::parse(lines[1])["inputs"], json({{"x", {5.0}}}));
}

TEST(RecordJsonTest, TravelsAsACloudEvent) {
  auto record = make_record(floats({2}));
  record->traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const std::string line = only_line(*record, NonFinite::kQuoted);
  const json event = json::parse(cloud_event(*record, "/a/models/m", "17-1", line));
  EXPECT_EQ(event["data"], json::parse(line));
  EXPECT_EQ(event["specversion"], "1.0");
  EXPECT_EQ(event["id"], "17-1");
  EXPECT_EQ(event["source"], "/a/models/m");
  EXPECT_EQ(event["type"], "dev.tidegate.prediction");
  EXPECT_EQ(event["time"], "2023-11-14T22:13:20.123456Z");
  EXPECT_EQ(event["datacontenttype"], "application/json");
  EXPECT_EQ(event["traceparent"], record->traceparent);
}

class FileSinkTest : public testing::Test {
 protected:
  static std::vector<std::string> lines_of(const fs::path& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  absl::Status write(RecordSink& sink, float value) {
    std::unique_ptr<RequestRecord> record = make_record(floats({value}));
    return sink.write({&record, 1});
  }

  const base::ScratchFolder folder_;
  const std::string path_ = folder_ / "log.jsonl";
};

TEST_F(FileSinkTest, AppendsALineARecordToWhatIsThere) {
  std::ofstream(path_) << "before\n";
  auto sink = open_file_sink({path_});
  ASSERT_TRUE(sink.ok()) << sink.status();
  EXPECT_TRUE(write(**sink, 1).ok());
  EXPECT_TRUE(write(**sink, 2).ok());
  const auto lines = lines_of(path_);
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_EQ(lines[0], "before");
  EXPECT_EQ(json::parse(lines[2])["inputs"]["x"], json({2.0}));
}

TEST_F(FileSinkTest, KeepsSoManyFilesOfSuchASizeAndNoMore) {
  const uint64_t line = only_line(*make_record(floats({1}))).size() + 1;
  auto sink = open_file_sink({path_, 2 * line, 3});
  ASSERT_TRUE(sink.ok()) << sink.status();
  for (int i = 1; i <= 9; ++i) ASSERT_TRUE(write(**sink, static_cast<float>(i)).ok());
  EXPECT_THAT(names(), ElementsAre("log.jsonl", "log.jsonl.1", "log.jsonl.2"));
  const auto value = [&](const std::string& line) { return json::parse(line)["inputs"]["x"][0].get<int>(); };
  EXPECT_EQ(value(lines_of(path_).at(0)), 9);
  EXPECT_EQ(value(lines_of(path_ + ".1").at(0)), 7);
  EXPECT_EQ(value(lines_of(path_ + ".2").at(1)), 6);
}

TEST_F(FileSinkTest, RotatesWithinABatchAndKeepsALineThatIsLargerThanAFile) {
  auto sink = open_file_sink({path_, 10, 2});
  ASSERT_TRUE(sink.ok()) << sink.status();
  std::vector<std::unique_ptr<RequestRecord>> records;
  for (int i = 1; i <= 3; ++i) records.push_back(make_record(floats({static_cast<float>(i)})));
  EXPECT_TRUE((*sink)->write(records).ok());
  EXPECT_THAT(names(), ElementsAre("log.jsonl", "log.jsonl.1"));
  EXPECT_THAT(lines_of(path_), ElementsAre(HasSubstr("[3.0]")));
  EXPECT_THAT(lines_of(path_ + ".1"), ElementsAre(HasSubstr("[2.0]")));
}

TEST_F(FileSinkTest, KeepsOneFileWhenThatIsAskedFor) {
  auto sink = open_file_sink({path_, 10, 1});
  ASSERT_TRUE(sink.ok()) << sink.status();
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(write(**sink, static_cast<float>(i)).ok());
  EXPECT_THAT(names(), ElementsAre("log.jsonl"));
  EXPECT_THAT(lines_of(path_), ElementsAre(HasSubstr("[3.0]")));
}

TEST_F(FileSinkTest, BeginsAFileAnewThatSomebodyElseHasMovedOrRemoved) {
  auto sink = open_file_sink({path_});
  ASSERT_TRUE(sink.ok()) << sink.status();
  EXPECT_TRUE(write(**sink, 1).ok());
  fs::rename(path_, path_ + ".old");
  EXPECT_TRUE(write(**sink, 2).ok());
  EXPECT_THAT(lines_of(path_ + ".old"), ElementsAre(HasSubstr("[1.0]")));
  EXPECT_THAT(lines_of(path_), ElementsAre(HasSubstr("[2.0]")));
  fs::remove(path_);
  EXPECT_TRUE(write(**sink, 3).ok());
  EXPECT_THAT(lines_of(path_), ElementsAre(HasSubstr("[3.0]")));
}

TEST_F(FileSinkTest, NamesTheFileThatCannotBeWritten) {
  EXPECT_THAT(open_file_sink({folder_ / "none" / "log"}).status().message(),
              HasSubstr((folder_ / "none/log").string()));
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  auto full = open_file_sink({"/dev/full"});
  ASSERT_TRUE(full.ok()) << full.status();
  EXPECT_THAT(write(**full, 1).message(), HasSubstr("cannot write /dev/full"));
}

// Keeps what it gets, and may be told to fail or to take its time.
class FakeSink : public RecordSink {
 public:
  absl::Status write(RecordBatch records) override {
    std::unique_lock lock(mutex_);
    batches_.push_back(records.size());
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_ || hurried_; });
    return result_;
  }
  void hurry() override {
    std::lock_guard lock(mutex_);
    hurried_ = true;
    changed_.notify_all();
  }

  void hold(bool held) {
    std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  void fail(absl::Status with) {
    std::lock_guard lock(mutex_);
    result_ = std::move(with);
  }
  bool wait_for_batches(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return batches_.size() >= count; });
  }
  std::vector<size_t> batches() {
    std::lock_guard lock(mutex_);
    return batches_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<size_t> batches_;
  bool held_ = false;
  bool hurried_ = false;
  absl::Status result_;
};

class RequestLogTest : public testing::Test {
 protected:
  void start(RequestLogOptions options) {
    auto sink = std::make_unique<FakeSink>();
    sink_ = sink.get();
    log_ = std::make_unique<RequestLog>(options, 1, std::move(sink));
  }
  // False when they do not become so in time.
  bool counts_become(const std::function<bool(const RequestLog::Counts&)>& as_wanted) {
    const absl::Time give_up = absl::Now() + absl::Seconds(20);
    while (!as_wanted(log_->counts()) && absl::Now() < give_up) std::this_thread::yield();
    return as_wanted(log_->counts());
  }
  void take(int count) {
    for (int i = 0; i < count; ++i) log_->take(make_record(floats({1})));
  }

  FakeSink* sink_ = nullptr;
  std::unique_ptr<RequestLog> log_;
};

TEST_F(RequestLogTest, ChoosesAboutAsManyAsItsRateSays) {
  start({.rate = 0.1});
  int chosen = 0;
  for (int i = 0; i < 10'000; ++i) chosen += log_->begin(std::nullopt) != nullptr;
  EXPECT_NEAR(chosen, 1000, 150);  // 5 standard deviations
  EXPECT_EQ(log_->begin(0.0), nullptr);
  EXPECT_NE(log_->begin(1.0), nullptr);  // a model's own
}

TEST_F(RequestLogTest, WritesABatchWhenItIsFull) {
  start({.max_batch = 3, .delay = absl::Hours(1)});
  take(7);
  ASSERT_TRUE(sink_->wait_for_batches(2));
  EXPECT_TRUE(counts_become([](const auto& counts) { return counts.written == 6; }));
  EXPECT_GT(log_->counts().queue_bytes, 0u);  // one waits for company
}

TEST_F(RequestLogTest, WritesWhatIsThereWhenTheFirstHasWaitedLongEnough) {
  start({.delay = absl::Milliseconds(1)});
  take(1);
  EXPECT_TRUE(counts_become([](const auto& counts) { return counts.written == 1 && counts.queue_bytes == 0; }));
}

TEST_F(RequestLogTest, DropsAndCountsWhatTheQueueCannotHold) {
  start({.max_queue_bytes = 5000, .max_batch = 1});
  sink_->hold(true);
  take(1);
  ASSERT_TRUE(sink_->wait_for_batches(1));
  take(100);
  const auto counts = log_->counts();
  EXPECT_GT(counts.dropped_full, 90u);
  EXPECT_LE(counts.queue_bytes, 5000u);
  sink_->hold(false);
  EXPECT_TRUE(counts_become([&](const auto& now) { return now.written == 101 - counts.dropped_full; }));
  EXPECT_EQ(log_->counts().queue_bytes, 0u);
  take(1);
  EXPECT_TRUE(counts_become([&](const auto& now) { return now.written == 102 - counts.dropped_full; }));
}

TEST_F(RequestLogTest, CountsWhatItsTargetDidNotTake) {
  start({.max_batch = 2});
  sink_->fail(absl::UnavailableError("gone"));
  take(2);
  EXPECT_TRUE(counts_become([](const auto& counts) { return counts.dropped_error == 2 && counts.queue_bytes == 0; }));
  sink_->fail(absl::OkStatus());
  take(2);
  EXPECT_TRUE(counts_become([](const auto& counts) { return counts.written == 2; }));
}

TEST_F(RequestLogTest, WritesWhatWaitsBeforeItEnds) {
  const auto batches = std::make_shared<std::vector<size_t>>();
  class Noting : public RecordSink {
   public:
    explicit Noting(std::shared_ptr<std::vector<size_t>> to) : to_(std::move(to)) {}
    absl::Status write(RecordBatch records) override {
      to_->push_back(records.size());
      return absl::OkStatus();
    }
    void hurry() override {}

   private:
    std::shared_ptr<std::vector<size_t>> to_;
  };
  log_ = std::make_unique<RequestLog>(RequestLogOptions{.max_batch = 4, .delay = absl::Hours(1)}, 1,
                                      std::make_unique<Noting>(batches));
  take(3);
  log_.reset();
  EXPECT_THAT(*batches, ElementsAre(3));
}

// Keeps the records that it is given.
class KeepingRecorder : public RequestRecorder {
 public:
  std::unique_ptr<RequestRecord> begin(std::optional<double> rate) override {
    rates.push_back(rate);
    auto record = std::make_unique<RequestRecord>();
    record->max_payload_bytes = 1000;
    return record;
  }
  void take(std::unique_ptr<RequestRecord> record) override { records.push_back(std::move(record)); }
  Counts counts() const override { return {}; }

  std::vector<std::optional<double>> rates;
  std::vector<std::unique_ptr<RequestRecord>> records;
};

class RecordedInferenceTest : public testing::Test {
 protected:
  RecordedInferenceTest() {
    context_.recorder = &recorder_;
    serve(absl::OkStatus(), std::nullopt);
  }
  void serve(absl::Status run_failure, std::optional<double> rate) {
    auto servable = std::make_shared<const Servable>("m", 3, "/m/3", "fake",
                                                     std::make_unique<FakeModel>(std::move(run_failure), alive_));
    servable->set_record_rate(rate);
    directory_.update([&](ServableTable& table) {
      table.models["m"].versions[3] = {VersionState::kAvailable, absl::OkStatus(), servable};
    });
  }
  void ask(const std::string& model, const std::string& input) {
    Inference inference = context_.begin(clock_.uptime());
    absl::Status result = inference.choose(directory_, {model, {}, {}});
    if (result.ok()) {
      std::vector<NamedTensor> inputs;
      inputs.push_back({input, floats({2, 4})});
      const auto* signature = inference.servable()->find_signature("");
      result = inference.predict(*signature, std::move(inputs), {"y"}).status();
    }
    context_.end(
        inference, result,
        {Api::kTfsGrpc, Operation::kPredict, "id-1", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"});
  }

  const std::shared_ptr<std::atomic<int>> alive_ = std::make_shared<std::atomic<int>>(0);
  TickingClock clock_;
  ServableDirectory directory_;
  RequestMetrics metrics_;
  InferenceGate gate_{{1, 1}, [](InferenceGate::Work) {}};
  FrontEndContext context_{directory_, gate_, metrics_, clock_};
  KeepingRecorder recorder_;
};

TEST_F(RecordedInferenceTest, NotesInputsOutputsAndWhoAsked) {
  ask("m", "x");
  ASSERT_THAT(recorder_.records, SizeIs(1));
  const RequestRecord& record = *recorder_.records[0];
  EXPECT_EQ(record.api, Api::kTfsGrpc);
  EXPECT_EQ(record.model, "m");
  EXPECT_EQ(record.version, 3);
  EXPECT_EQ(record.request_id, "id-1");
  EXPECT_THAT(record.traceparent, HasSubstr("4bf92f"));
  EXPECT_TRUE(record.status.ok());
  EXPECT_EQ(record.queued, absl::Milliseconds(1));
  EXPECT_GT(record.latency, absl::ZeroDuration());
  ASSERT_THAT(record.runs, SizeIs(1));
  EXPECT_EQ(record.runs[0].signature, "serving_default");
  EXPECT_THAT(to_vector(record.runs[0].inputs[0].tensor), ElementsAre(2, 4));
  EXPECT_THAT(to_vector(record.runs[0].outputs[0].tensor), ElementsAre(3, 4));
}

TEST_F(RecordedInferenceTest, NotesTheFailuresOfModelsAndClients) {
  serve(absl::InternalError("broken"), 0.5);
  ask("m", "x");
  ask("m", "wrong");
  ask("none", "x");
  ASSERT_THAT(recorder_.records, SizeIs(2));  // of a model that is not there, there is nothing to say
  EXPECT_EQ(recorder_.rates[0], 0.5);
  EXPECT_TRUE(recorder_.records[0]->model_error);
  EXPECT_THAT(recorder_.records[0]->runs[0].outputs, IsEmpty());
  EXPECT_FALSE(recorder_.records[1]->model_error);
  EXPECT_EQ(recorder_.records[1]->status.code(), absl::StatusCode::kInvalidArgument);
}

// Answers from a list.
class ScriptedClient : public net::HttpClient {
 public:
  base::Task<absl::StatusOr<net::HttpResponse>> request(net::HttpRequest request, base::Scope&) override {
    requests.push_back(std::move(request));
    absl::StatusOr<net::HttpResponse> answer = answers.at(requests.size() - 1);
    co_return answer;
  }
  std::vector<absl::StatusOr<net::HttpResponse>> answers;
  std::vector<net::HttpRequest> requests;
};

base::Task<void> post(net::HttpClient* client, base::Clock* clock, base::Scope* scope,
                      std::optional<absl::Status>* result) {
  PostOptions options;
  options.url = "http://sink/";
  options.content_type = "application/cloudevents-batch+json";
  options.attempts = 3;
  options.first_backoff = absl::Seconds(1);
  absl::Status posted = co_await post_until_taken(*client, *clock, std::move(options), "[]", *scope);
  *result = posted;
}

class EventPostTest : public testing::Test {
 protected:
  void begin(std::vector<absl::StatusOr<net::HttpResponse>> answers) {
    client_.answers = std::move(answers);
    loop_.spawn(post(&client_, &clock_, &scope_, &result_));
    loop_.run_ready();
  }
  void wait(absl::Duration duration) {
    clock_.advance(duration);
    loop_.run_ready();
  }
  static net::HttpResponse answer(int status) {
    net::HttpResponse response;
    response.status = status;
    return response;
  }

  ScriptedClient client_;
  base::Scope scope_;
  base::ManualClock clock_;
  std::optional<absl::Status> result_;
  base::Loop loop_;
};

TEST_F(EventPostTest, IsDoneWhenTaken) {
  begin({answer(202)});
  ASSERT_TRUE(result_.has_value());
  EXPECT_TRUE(result_->ok());
  EXPECT_EQ(client_.requests[0].method, "POST");
  EXPECT_EQ(client_.requests[0].headers[0].second, "application/cloudevents-batch+json");
}

TEST_F(EventPostTest, TriesAgainAfterLongerAndLongerPauses) {
  begin({absl::UnavailableError("refused"), answer(503), answer(200)});
  EXPECT_THAT(client_.requests, SizeIs(1));
  wait(absl::Milliseconds(999));
  EXPECT_THAT(client_.requests, SizeIs(1));
  wait(absl::Milliseconds(1));
  EXPECT_THAT(client_.requests, SizeIs(2));
  wait(absl::Milliseconds(1999));
  EXPECT_FALSE(result_.has_value());
  wait(absl::Milliseconds(1));
  ASSERT_TRUE(result_.has_value());
  EXPECT_TRUE(result_->ok());
}

TEST_F(EventPostTest, GivesUpInTheEndAndSaysWhatHappened) {
  begin({answer(429), answer(429), answer(500)});
  wait(absl::Seconds(1));
  wait(absl::Seconds(2));
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(result_->message(), HasSubstr("after 3 attempts: http://sink/ answered 500"));
}

TEST_F(EventPostTest, DoesNotRepeatWhatWasRefused) {
  begin({answer(400)});
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(EventPostTest, EndsWithItsScope) {
  begin({answer(503)});
  scope_.cancel();
  loop_.run_ready();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace tidegate::serving
