#include "serving-runtime/core/response_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_backend.h"
#include "serving-runtime/core/inference.h"
#include "ticking_clock.h"

namespace tidegate::serving {
namespace {

using testing::ElementsAre;

// y = x / 2 + 2 and z = -x, counted.
class CountedModel : public FakeModel {
 public:
  CountedModel(absl::Status failure, int& runs)
      : FakeModel(std::move(failure), std::make_shared<std::atomic<int>>()), runs_(runs) {}
  absl::StatusOr<std::vector<Tensor>> run(size_t signature, std::span<Tensor> inputs,
                                          std::span<const uint64_t> outputs) const override {
    ++runs_;
    return FakeModel::run(signature, inputs, outputs);
  }

 private:
  int& runs_;
};

// Such a model with a cache.
struct CachedModel {
  absl::StatusOr<std::vector<Tensor>> run(std::span<Tensor> inputs, std::span<const uint64_t> outputs) const {
    CacheUse use;
    return cache.run(*model, 0, inputs, outputs, use);
  }

  std::unique_ptr<CountedModel> model;
  ModelCache cache;
};

class ResponseCacheTest : public testing::Test {
 protected:
  CachedModel model(absl::Status failure = absl::OkStatus()) {
    return {std::make_unique<CountedModel>(std::move(failure), runs_), ModelCache(cache_, clock_)};
  }
  static absl::StatusOr<std::vector<float>> ask(const CachedModel& model, const std::vector<float>& x,
                                                std::vector<uint64_t> outputs = {0}) {
    Tensor inputs[] = {floats(x)};
    auto answer = model.run(inputs, outputs);
    if (!answer.ok()) return answer.status();
    const auto values = (*answer)[0].values<float>();
    return std::vector<float>(values.begin(), values.end());
  }

  int runs_ = 0;
  TickingClock clock_;
  ResponseCache cache_{1500};
};

TEST_F(ResponseCacheTest, AnswersTheSameQuestionWithoutTheModel) {
  const CachedModel one = model();
  EXPECT_THAT(*ask(one, {2}), ElementsAre(3));
  EXPECT_THAT(*ask(one, {2}), ElementsAre(3));
  EXPECT_EQ(runs_, 1);
  EXPECT_EQ(cache_.counts().hits, 1u);
  EXPECT_EQ(cache_.counts().misses, 1u);
}

TEST_F(ResponseCacheTest, TellsStatisticsWhatItAnsweredAndWhatItCost) {
  auto counted = std::make_unique<CountedModel>(absl::OkStatus(), runs_);
  const auto servable =
      std::make_shared<const Servable>("m", 1, "", "fake", std::move(counted), ModelCache(cache_, clock_));
  EXPECT_TRUE(servable->has_cache());
  const auto request = [&](int runs) {
    Inference inference(clock_, clock_.uptime());
    inference.choose(servable);
    for (int run = 0; run < runs; ++run) {
      std::vector<NamedTensor> inputs;
      inputs.push_back({"x", floats({static_cast<float>(run)})});
      EXPECT_TRUE(inference.predict(servable->signatures()[0], std::move(inputs), {}).ok());
    }
    inference.end(absl::OkStatus());
  };
  request(1);  // looks for the answer 1 ms, and keeps it 1 ms
  request(1);  // 1 ms of queue and 4 for the rest
  request(2);  // its second run is new
  const InferenceStatistics::Totals totals = servable->statistics().read();
  EXPECT_EQ(totals.success.count, 3u);
  EXPECT_EQ(totals.queue.count, 3u);
  EXPECT_EQ(totals.infer.count, 2u);
  EXPECT_EQ(totals.executions, 2u);
  EXPECT_EQ(totals.cache_hit.count, 1u);
  EXPECT_EQ(totals.cache_hit.time, absl::Milliseconds(4));
  EXPECT_EQ(totals.cache_miss.count, 2u);
  EXPECT_EQ(totals.cache_miss.time, absl::Milliseconds(4));
  EXPECT_EQ(totals.success.time, totals.queue.time + totals.input.time + totals.infer.time + totals.output.time +
                                     totals.cache_hit.time + totals.cache_miss.time);
}

TEST_F(ResponseCacheTest, TellsQuestionsApart) {
  const CachedModel one = model(), other = model();
  EXPECT_THAT(*ask(one, {2}), ElementsAre(3));
  EXPECT_THAT(*ask(one, {4}), ElementsAre(4));
  EXPECT_THAT(*ask(one, {2}, {1}), ElementsAre(-2));
  EXPECT_THAT(*ask(one, {2, 2}), ElementsAre(3, 3));
  EXPECT_THAT(*ask(other, {2}), ElementsAre(3));
  EXPECT_EQ(runs_, 5);
}

TEST_F(ResponseCacheTest, KeepsNoErrors) {
  const CachedModel failing = model(absl::InternalError("broken"));
  EXPECT_FALSE(ask(failing, {2}).ok());
  EXPECT_FALSE(ask(failing, {2}).ok());
  EXPECT_EQ(runs_, 2);
}

TEST_F(ResponseCacheTest, ForgetsWhatWasAskedForLongestAgo) {
  const CachedModel one = model();
  for (float x = 0; x < 10; ++x) {
    EXPECT_TRUE(ask(one, {x}).ok());
    EXPECT_TRUE(ask(one, {0}).ok());
  }
  EXPECT_LE(cache_.counts().bytes, 1500u);
  const int before = runs_;
  EXPECT_TRUE(ask(one, {0}).ok());
  EXPECT_TRUE(ask(one, {9}).ok());
  EXPECT_EQ(runs_, before) << "these were asked for last";
  EXPECT_TRUE(ask(one, {1}).ok());
  EXPECT_EQ(runs_, before + 1);
}

TEST_F(ResponseCacheTest, DoesNotKeepWhatIsLargerThanItself) {
  const CachedModel one = model();
  EXPECT_TRUE(ask(one, std::vector<float>(1000)).ok());
  EXPECT_EQ(cache_.counts().bytes, 0u);
}

// A view of memory that it counts.
class ViewingModel : public FakeModel {
 public:
  explicit ViewingModel(std::weak_ptr<const Tensor>& whole)
      : FakeModel(absl::OkStatus(), std::make_shared<std::atomic<int>>()), whole_(whole) {}
  absl::StatusOr<std::vector<Tensor>> run(size_t, std::span<Tensor> inputs, std::span<const uint64_t>) const override {
    const auto whole = std::make_shared<const Tensor>(std::move(inputs[0]));
    whole_ = whole;
    std::vector<Tensor> outputs;
    outputs.push_back(Tensor::view_of(whole, {1}, 0, sizeof(float)));
    return outputs;
  }

 private:
  std::weak_ptr<const Tensor>& whole_;
};

TEST_F(ResponseCacheTest, KeepsNothingOfABatchButTheAnswer) {
  std::weak_ptr<const Tensor> whole;
  const ViewingModel model(whole);
  const ModelCache cache(cache_, clock_);
  Tensor inputs[] = {floats({2, 3, 4})};
  const uint64_t outputs[] = {0};
  CacheUse use;
  EXPECT_THAT((*cache.run(model, 0, inputs, outputs, use))[0].values<float>(), ElementsAre(2));
  EXPECT_TRUE(whole.expired());
}

TEST_F(ResponseCacheTest, GivesAnswersThatOutliveTheirEntry) {
  const CachedModel one = model();
  Tensor inputs[] = {floats({2})};
  const uint64_t outputs[] = {0};
  const auto answer = *one.run(inputs, outputs);
  for (float x = 10; x < 30; ++x) EXPECT_TRUE(ask(one, {x}).ok());
  EXPECT_THAT(answer[0].values<float>(), ElementsAre(3));
}

}  // namespace
}  // namespace tidegate::serving
