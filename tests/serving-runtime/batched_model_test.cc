#include "serving-runtime/core/batched_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <absl/time/clock.h>

#include <atomic>
#include <future>

#include "fake_backend.h"
#include "serving-runtime/core/rows.h"

namespace tidegate::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Tensor words(const std::vector<std::string>& values) {
  StringList strings;
  for (const std::string& value : values) strings.push(value);
  return Tensor({static_cast<int64_t>(values.size())}, std::move(strings));
}

std::vector<std::string> words_of(const Tensor& tensor) {
  std::vector<std::string> words;
  for (const TidegateString& text : tensor.strings()) words.emplace_back(text.data, text.size);
  return words;
}

TEST(Rows, AreJoinedAndFilledUpWithTheFirst) {
  const Tensor a = floats({1, 2}), none = floats({}), b = floats({3});
  const Tensor* parts[] = {&none, &a, &b};
  const Tensor joined = join_rows(parts, 5);
  EXPECT_THAT(joined.values<float>(), ElementsAre(1, 2, 3, 1, 1));
  EXPECT_THAT(joined.shape(), ElementsAre(5));
  const Tensor c = words({"x", ""}), d = words({"yy"});
  const Tensor* texts[] = {&c, &d};
  EXPECT_THAT(words_of(join_rows(texts, 4)), ElementsAre("x", "", "yy", "x"));
}

TEST(Rows, AreTakenApartWithoutACopy) {
  Tensor whole = floats({1, 2, 3, 4});
  const char* data = whole.raw();
  const int64_t counts[] = {1, 0, 2};
  auto pieces = *split_rows(std::move(whole), counts);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_THAT(pieces[0].values<float>(), ElementsAre(1));
  EXPECT_THAT(pieces[1].values<float>(), ElementsAre());
  EXPECT_THAT(pieces[2].values<float>(), ElementsAre(2, 3));
  EXPECT_EQ(pieces[2].raw(), data + sizeof(float));
  const Tensor last = std::move(pieces[2]);
  pieces.clear();
  EXPECT_THAT(last.values<float>(), ElementsAre(2, 3)) << "it holds the memory";
  const int64_t too_many[] = {3, 2};
  EXPECT_THAT(split_rows(floats({1, 2, 3, 4}), too_many).status().message(), HasSubstr("no row for each of 5 rows"));
  const int64_t one[] = {1};
  EXPECT_THAT(words_of((*split_rows(words({"x", "y"}), one))[0]), ElementsAre("x"));
}

TEST(Rows, ArePaddedWithTheFirstElement) {
  const Tensor x = serving::floats({1, 2, 3, 4, 5, 6}, {1, 2, 3});
  const Tensor padded = pad_rows(x, {9, 3, 4});
  EXPECT_THAT(padded.shape(), ElementsAre(1, 3, 4));
  EXPECT_THAT(padded.values<float>(), ElementsAre(1, 2, 3, 1, 4, 5, 6, 1, 1, 1, 1, 1));
  EXPECT_THAT(pad_rows(x, {9, 2, 3}).values<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(pad_rows(serving::floats({1, 2}, {2, 1}), {0, 3}).values<float>(), ElementsAre(1, 1, 1, 2, 1, 1));
  Tensor texts = words({"a", "b"});
  texts.shape() = {2, 1};
  EXPECT_THAT(words_of(pad_rows(texts, {2, 2})), ElementsAre("a", "a", "b", "a"));
}

// y = x / 2 + 2; its runs can be held up, and it fails for a negative x.
class SlowModel : public LoadedModel {
 public:
  explicit SlowModel(std::vector<int64_t> shape = {-1}) {
    model::TensorSpec spec = float_spec("x");
    spec.shape = std::move(shape);
    signatures_.push_back({"serving_default", "tensorflow/serving/predict", {spec}, {spec}});
  }
  const std::vector<model::Signature>& signatures() const override { return signatures_; }
  absl::StatusOr<std::vector<Tensor>> run(size_t, std::span<Tensor> inputs, std::span<const uint64_t>) const override {
    {
      std::unique_lock lock(mutex);
      runs.push_back(inputs[0].shape()[0]);
      changed.notify_all();
      changed.wait(lock, [this] { return !held; });
    }
    AlignedBuffer data;
    for (const float x : inputs[0].values<float>()) {
      if (x < 0) return absl::InvalidArgumentError("negative");
      data.push(x / 2 + 2);
    }
    std::vector<Tensor> results;
    const int64_t rows = one_row ? 1 : inputs[0].shape()[0];
    data.resize(static_cast<size_t>(rows) * sizeof(float));
    results.emplace_back(model::DataType::kFloat, Shape{rows}, std::move(data));
    return results;
  }
  void release() {
    std::lock_guard lock(mutex);
    held = false;
    changed.notify_all();
  }
  void wait_for_runs(size_t count) {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(30), [&] { return runs.size() >= count; }));
  }

  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  mutable std::vector<int64_t> runs;  // the rows of each
  bool held = false;
  bool one_row = false;

 private:
  std::vector<model::Signature> signatures_;
};

// The first output of one input.
using Answer = absl::StatusOr<std::vector<float>>;
Answer answer_of(const BatchedModel& model, const std::vector<float>& x) {
  Tensor inputs[] = {floats(x)};
  const uint64_t outputs[] = {0};
  auto results = model.run(0, inputs, outputs);
  if (!results.ok()) return results.status();
  return to_vector((*results)[0]);
}

class BatchedModelTest : public testing::Test {
 protected:
  BatchedModel& start(BatchingOptions options, std::vector<int64_t> shape = {-1}) {
    auto slow = std::make_unique<SlowModel>(std::move(shape));
    slow_ = slow.get();
    options.on_batch = [this](const BatchRun& run) { reported_ += run.rows, waits_ += run.queued.size(); };
    model_ = std::make_unique<BatchedModel>(std::move(slow), std::move(options), clock_);
    return *model_;
  }
  Answer ask(const std::vector<float>& x) { return answer_of(*model_, x); }
  std::future<Answer> ask_soon(std::vector<float> x) {
    return std::async(std::launch::async, [this, x = std::move(x)] { return ask(x); });
  }

  std::atomic<int64_t> reported_{0};
  std::atomic<size_t> waits_{0};  // of requests
  SlowModel* slow_ = nullptr;
  base::ManualClock clock_;
  std::unique_ptr<BatchedModel> model_;
};

TEST_F(BatchedModelTest, RunsTogetherWhatFillsABatchAndGivesEachItsOwnRows) {
  start({.max_batch_size = 3, .batch_timeout = absl::Hours(1)});
  auto one = ask_soon({2});
  auto two = ask_soon({4, 6});
  EXPECT_THAT(*one.get(), ElementsAre(3));
  EXPECT_THAT(*two.get(), ElementsAre(4, 5));
  EXPECT_THAT(slow_->runs, ElementsAre(3));
  EXPECT_EQ(reported_, 3);
  EXPECT_EQ(waits_, 2u);
}

TEST_F(BatchedModelTest, RunsAtOnceWhenNothingElseRunsAndNobodyIsWaitedFor) {
  start({.max_batch_size = 8});
  EXPECT_THAT(*ask({2}), ElementsAre(3));
  EXPECT_THAT(*ask({}), ElementsAre()) << "without rows it runs alone";
  EXPECT_THAT(slow_->runs, ElementsAre(1, 0));
}

TEST_F(BatchedModelTest, GathersWhatArrivesWhileAnotherBatchRuns) {
  start({.max_batch_size = 2});
  slow_->held = true;
  auto first = ask_soon({0});
  slow_->wait_for_runs(1);
  auto second = ask_soon({2});
  auto third = ask_soon({4});
  // The two meet in one batch whichever comes first: only then is the model let go.
  auto fourth = ask_soon({6, 8});
  slow_->release();
  EXPECT_THAT(*first.get(), ElementsAre(2));
  EXPECT_THAT(*second.get(), ElementsAre(3));
  EXPECT_THAT(*third.get(), ElementsAre(4));
  EXPECT_THAT(*fourth.get(), ElementsAre(5, 6));
}

TEST_F(BatchedModelTest, FillsUpToAnAllowedSize) {
  start({.max_batch_size = 8, .allowed_batch_sizes = {4, 8}});
  EXPECT_THAT(*ask({2, 4, 6}), ElementsAre(3, 4, 5));
  EXPECT_THAT(*ask({1, 1, 1, 1, 1}), testing::SizeIs(5));
  EXPECT_THAT(slow_->runs, ElementsAre(4, 8));
}

TEST_F(BatchedModelTest, SplitsARequestThatIsTooLargeOrRefusesIt) {
  start({.max_batch_size = 2});
  EXPECT_THAT(*ask({0, 2, 4, 6, 8}), ElementsAre(2, 3, 4, 5, 6));
  EXPECT_THAT(slow_->runs, ElementsAre(2, 2, 1));
  start({.max_batch_size = 2, .enable_large_batch_splitting = false});
  EXPECT_EQ(ask({0, 0, 0}).status().message(), "Task size 3 is larger than maximum input batch size 2");
}

TEST_F(BatchedModelTest, LetsNobodySufferFromAnothersFault) {
  start({.max_batch_size = 2, .batch_timeout = absl::Hours(1)});
  auto good = ask_soon({2});
  auto bad = ask_soon({-1});
  EXPECT_THAT(*good.get(), ElementsAre(3));
  EXPECT_EQ(bad.get().status().message(), "negative");
}

TEST_F(BatchedModelTest, RunsAloneWhatTheModelDoesNotAnswerRowByRow) {
  start({.max_batch_size = 2, .batch_timeout = absl::Hours(1)});
  slow_->one_row = true;
  auto one = ask_soon({2});
  auto two = ask_soon({4});
  EXPECT_THAT(*one.get(), ElementsAre(3));
  EXPECT_THAT(*two.get(), ElementsAre(4));
  start({.max_batch_size = 2, .batch_timeout = absl::Hours(1)}, {1});
  EXPECT_THAT(*ask({2}), ElementsAre(3)) << "the signature's first dimension is fixed";
}

TEST_F(BatchedModelTest, RefusesWhenTooManyBatchesWait) {
  start({.max_batch_size = 1, .max_enqueued_batches = 1});
  slow_->held = true;
  auto running = ask_soon({0});
  slow_->wait_for_runs(1);
  // One of these waits, the other is refused; which one is open.
  std::future<Answer> two[] = {ask_soon({2}), ask_soon({2})};
  const auto ended = [](const std::future<Answer>& answer) {
    return answer.wait_for(std::chrono::milliseconds(1)) == std::future_status::ready;
  };
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  while (!ended(two[0]) && !ended(two[1]) && absl::Now() < give_up) {
  }
  const size_t refused = ended(two[0]) ? 0 : 1;
  ASSERT_TRUE(ended(two[refused]));
  EXPECT_THAT(two[refused].get().status().message(), HasSubstr("queue to which this task was submitted is full"));
  slow_->release();
  EXPECT_THAT(*two[1 - refused].get(), ElementsAre(3));
  EXPECT_TRUE(running.get().ok());
}

// The elements of x above 0, each so many times.
class SelectingModel : public LoadedModel {
 public:
  explicit SelectingModel(int copies) : copies_(copies) {
    model::TensorSpec spec = float_spec("x");
    spec.shape = {-1};
    signatures_.push_back({"serving_default", "tensorflow/serving/predict", {spec}, {spec}});
  }
  const std::vector<model::Signature>& signatures() const override { return signatures_; }
  absl::StatusOr<std::vector<Tensor>> run(size_t, std::span<Tensor> inputs, std::span<const uint64_t>) const override {
    std::vector<float> selected;
    for (const float x : inputs[0].values<float>()) {
      if (x > 0) selected.insert(selected.end(), copies_, x);
    }
    std::vector<Tensor> results;
    results.push_back(floats(selected));
    return results;
  }

 private:
  const size_t copies_;
  std::vector<model::Signature> signatures_;
};

class SelectionTest : public testing::Test {
 protected:
  void start(int copies, BatchingOptions options) {
    model_ = std::make_unique<BatchedModel>(std::make_unique<SelectingModel>(copies), std::move(options), clock_);
  }
  Answer ask(const std::vector<float>& x) { return answer_of(*model_, x); }

  base::ManualClock clock_;
  std::unique_ptr<BatchedModel> model_;
};

TEST_F(SelectionTest, RunsAloneWhatHasMoreRowsThanItsInput) {
  start(3, {.max_batch_size = 2, .batch_timeout = absl::Hours(1)});
  auto one = std::async(std::launch::async, [this] { return ask({1}); });
  auto two = std::async(std::launch::async, [this] { return ask({2}); });
  EXPECT_THAT(*one.get(), ElementsAre(1, 1, 1));
  EXPECT_THAT(*two.get(), ElementsAre(2, 2, 2));
}

TEST_F(SelectionTest, ShowsNothingOfRowsThatWereAdded) {
  start(1, {.max_batch_size = 4, .allowed_batch_sizes = {4}});
  EXPECT_THAT(*ask({2, -1, 3}), ElementsAre(2, 3));
}

TEST_F(SelectionTest, RefusesPiecesOfARequestThatDoNotFitTogether) {
  start(1, {.max_batch_size = 2});
  EXPECT_THAT(*ask({1, 2, 3}), ElementsAre(1, 2, 3));
  for (const std::vector<float>& x : std::vector<std::vector<float>>{{-1, -1, -1}, {1, -1, 1}}) {
    const auto answer = ask(x);
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(answer.status().message(), HasSubstr("not a row for each of theirs"));
  }
}

// y = x, with its shape.
class EchoModel : public LoadedModel {
 public:
  explicit EchoModel(std::vector<int64_t> shape) {
    model::TensorSpec spec = float_spec("x");
    spec.shape = std::move(shape);
    signatures_.push_back({"serving_default", "tensorflow/serving/predict", {spec}, {spec}});
  }
  const std::vector<model::Signature>& signatures() const override { return signatures_; }
  absl::StatusOr<std::vector<Tensor>> run(size_t, std::span<Tensor> inputs, std::span<const uint64_t>) const override {
    {
      std::lock_guard lock(mutex_);
      shapes_.push_back(inputs[0].shape());
    }
    std::vector<Tensor> results;
    results.push_back(copy_of(inputs[0]));
    const auto values = inputs[0].values<float>();
    if (!values.empty() && values[0] < 0) results[0].shape().back() = 1;  // as if the size depended on the values
    return results;
  }
  std::vector<Shape> shapes() const {
    std::lock_guard lock(mutex_);
    return shapes_;
  }

 private:
  std::vector<model::Signature> signatures_;
  mutable std::mutex mutex_;
  mutable std::vector<Shape> shapes_;
};

class PaddedBatchTest : public testing::Test {
 protected:
  void start(BatchingOptions options, std::vector<int64_t> shape = {-1, -1}) {
    auto echo = std::make_unique<EchoModel>(std::move(shape));
    echo_ = echo.get();
    options.pad_variable_length_inputs = true;
    model_ = std::make_unique<BatchedModel>(std::move(echo), std::move(options), clock_);
  }
  absl::StatusOr<Tensor> ask(std::vector<float> x, Shape shape) {
    Tensor inputs[] = {serving::floats(std::move(x), std::move(shape))};
    const uint64_t outputs[] = {0};
    auto results = model_->run(0, inputs, outputs);
    if (!results.ok()) return results.status();
    return std::move(results->front());
  }
  std::future<absl::StatusOr<Tensor>> ask_soon(std::vector<float> x, Shape shape) {
    return std::async(std::launch::async, [this, x = std::move(x), shape = std::move(shape)] { return ask(x, shape); });
  }

  EchoModel* echo_ = nullptr;
  base::ManualClock clock_;
  std::unique_ptr<BatchedModel> model_;
};

TEST_F(PaddedBatchTest, RunsRowsOfDifferentLengthsTogether) {
  start({.max_batch_size = 3, .batch_timeout = absl::Hours(1)});
  auto longer = ask_soon({1, 2, 3}, {1, 3});
  auto shorter = ask_soon({7, 8}, {2, 1});
  const auto a = longer.get(), b = shorter.get();
  EXPECT_THAT(a->values<float>(), ElementsAre(1, 2, 3));
  EXPECT_THAT(b->shape(), ElementsAre(2, 3)) << "what the model made of the padded rows";
  EXPECT_THAT(b->values<float>(), ElementsAre(7, 7, 7, 8, 7, 7));
  EXPECT_THAT(echo_->shapes(), ElementsAre(ElementsAre(3, 3)));
}

TEST_F(PaddedBatchTest, PadsInEveryDirectionAndFillsUpToAnAllowedSize) {
  start({.max_batch_size = 4, .batch_timeout = absl::Hours(1), .allowed_batch_sizes = {4}}, {-1, -1, -1});
  auto tall = ask_soon({1, 2, 3, 4}, {2, 2, 1});
  auto wide = ask_soon({5, 6, 7, 8}, {2, 1, 2});
  EXPECT_THAT(tall.get()->values<float>(), ElementsAre(1, 1, 2, 1, 3, 1, 4, 1));
  EXPECT_THAT(wide.get()->values<float>(), ElementsAre(5, 6, 5, 5, 7, 8, 5, 5));
  EXPECT_THAT(echo_->shapes(), ElementsAre(ElementsAre(4, 2, 2)));
}

TEST_F(PaddedBatchTest, LeavesSizesAloneThatTheSignatureFixes) {
  start({.max_batch_size = 2, .batch_timeout = absl::Hours(1)}, {-1, 2});
  auto right = ask_soon({1, 2, 3, 4}, {2, 2});
  auto wrong = ask_soon({5, 6}, {2, 1});
  EXPECT_THAT(right.get()->shape(), ElementsAre(2, 2));
  EXPECT_THAT(wrong.get()->shape(), ElementsAre(2, 1)) << "the model may say what it thinks of that";
  EXPECT_THAT(echo_->shapes(), testing::UnorderedElementsAre(ElementsAre(2, 2), ElementsAre(2, 1)));
}

TEST_F(PaddedBatchTest, RunsAloneWhatHasNoElementHoweverManyRowsItClaims) {
  start({.max_batch_size = 2, .batch_timeout = absl::Hours(1)});
  EXPECT_TRUE(ask({}, {1, 0}).ok());
  EXPECT_TRUE(ask({}, {int64_t{1} << 48, 0}).ok());
  EXPECT_THAT(echo_->shapes(), ElementsAre(ElementsAre(1, 0), ElementsAre(int64_t{1} << 48, 0)));
}

TEST_F(PaddedBatchTest, RunsAloneWhatPaddingWouldMakeHuge) {
  start({.max_batch_size = 1000, .batch_timeout = absl::Hours(1)});
  auto one_long = ask_soon(std::vector<float>(1 << 20, 1.0f), {1, 1 << 20});
  auto many_short = ask_soon(std::vector<float>(999, 2.0f), {999, 1});
  EXPECT_THAT(one_long.get()->shape(), ElementsAre(1, 1 << 20));
  EXPECT_THAT(many_short.get()->shape(), ElementsAre(999, 1));
  EXPECT_THAT(echo_->shapes(), testing::SizeIs(2));
}

TEST_F(PaddedBatchTest, GivesTheRowsOfALargeRequestOneShape) {
  start({.max_batch_size = 2, .batch_timeout = absl::ZeroDuration()});
  EXPECT_THAT(ask({1, 2, 3, 4, 5, 6}, {3, 2})->values<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(echo_->shapes(), ElementsAre(ElementsAre(2, 2), ElementsAre(1, 2)));
  EXPECT_THAT(ask({1, 2, 3, 4, -5, 6}, {3, 2}).status().message(), HasSubstr("outputs of different shapes"));
}

TEST(Batching, IsCheckedByItsFields) {
  EXPECT_TRUE(check(BatchingOptions{}).ok());
  EXPECT_THAT(check({.max_batch_size = 0}).message(), HasSubstr("max_batch_size must be positive"));
  EXPECT_THAT(check({.max_batch_size = 8, .allowed_batch_sizes = {2, 4}}).message(), HasSubstr("allowed_batch_sizes"));
  EXPECT_FALSE(check({.max_batch_size = 4, .allowed_batch_sizes = {4, 4}}).ok());
  EXPECT_TRUE(check({.max_batch_size = 4, .allowed_batch_sizes = {2, 4}}).ok());
}

}  // namespace
}  // namespace tidegate::serving
