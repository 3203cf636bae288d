// What the verdicts cost and risk over whole rollouts with a look every 5 s: the promises of the analysis, counted on
// seeded streams. The numbers are printed and recorded as test properties.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "rollout/verdict.h"
#include "stats/wald_sprt.h"

namespace tidegate::rollout {
namespace {

constexpr int kStreams = 2000;
constexpr double kRequestsPerLook = 1000;  // 200/s, a look every 5 s
constexpr int kLooksPerStep = 360;         // 30 minutes

// One arm: its error rate, and how its latencies spread.
struct Arm {
  double error_rate = 0;
  double latency_factor = 1;
};

// Log-normal latencies about 20 ms in buckets three per cent wide, the spread of an ordinary model.
class LatencyShape {
 public:
  explicit LatencyShape(double factor) {
    constexpr double kSigma = .35, kMedianMs = 20;
    const auto cdf = [&](double ms) {
      return .5 * std::erfc(-std::log(ms / (kMedianMs * factor)) / (kSigma * std::sqrt(2.)));
    };
    for (double edge = 4; edge < 200; edge *= 1.12) {
      lower_.push_back(edge);
      upper_.push_back(edge * 1.12);
      share_.push_back(cdf(edge * 1.12) - cdf(edge));
    }
  }

  void send(double requests, stats::LatencyHistogram& histogram, std::mt19937_64& random) const {
    for (size_t i = 0; i < share_.size(); ++i) {
      const double mean = requests * share_[i];
      if (mean > 0) histogram.add(lower_[i], upper_[i], std::poisson_distribution<int64_t>(mean)(random));
    }
  }

 private:
  std::vector<double> lower_, upper_, share_;
};

struct Result {
  int rolled_back = 0;
  int promoted = 0;
  std::vector<int64_t> requests_to_rollback;  // of the canary, all steps

  int64_t quantile(double q) {
    if (requests_to_rollback.empty()) return 0;
    std::sort(requests_to_rollback.begin(), requests_to_rollback.end());
    return requests_to_rollback[static_cast<size_t>(q * static_cast<double>(requests_to_rollback.size() - 1))];
  }
};

class Rollouts {
 public:
  Rollouts(Arm stable, Arm canary)
      : stable_(stable), canary_(canary), stable_shape_(stable.latency_factor), canary_shape_(canary.latency_factor) {}

  Result run(int streams) {
    Result result;
    for (int i = 0; i < streams; ++i) run_one(result);
    return result;
  }

 private:
  void send(const Arm& arm, const LatencyShape& shape, double requests, ArmMeasurement& to) {
    const int64_t before = to.latency.total();
    shape.send(requests, to.latency, random_);
    const int64_t sent = to.latency.total() - before;
    to.requests += sent;
    to.errors.http_5xx += std::binomial_distribution<int64_t>(sent, arm.error_rate)(random_);
  }

  api::Verdict run_step(int step, int64_t& canary_requests) {
    const double weight = api::RolloutSpec{}.steps[static_cast<size_t>(step)].weight / 100.0;
    Measurements measurements;
    for (int look = 0; look < kLooksPerStep; ++look) {
      send(stable_, stable_shape_, kRequestsPerLook * (1 - weight), measurements.stable);
      send(canary_, canary_shape_, kRequestsPerLook * weight, measurements.canary);
      const StepVerdict verdict = judge(analysis_, kSteps, step == kSteps - 1, measurements);
      if (verdict.verdict == api::Verdict::kUndecided) continue;
      canary_requests += measurements.canary.requests;
      return verdict.verdict;
    }
    return api::Verdict::kUndecided;
  }

  void run_one(Result& result) {
    int64_t canary_requests = 0;
    for (int step = 0; step < kSteps; ++step) {
      const api::Verdict verdict = run_step(step, canary_requests);
      if (verdict == api::Verdict::kUndecided) return;
      if (verdict == api::Verdict::kFail) {
        ++result.rolled_back;
        result.requests_to_rollback.push_back(canary_requests);
        return;
      }
    }
    ++result.promoted;
  }

  static constexpr int kSteps = 3;
  const api::AnalysisSpec analysis_;
  const Arm stable_, canary_;
  const LatencyShape stable_shape_, canary_shape_;
  std::mt19937_64 random_{20'260'102};
};

void report(const char* what, Result& result, int streams) {
  printf("%s: rolled back %d, promoted %d of %d; canary requests to rollback: median %ld, p95 %ld\n", what,
         result.rolled_back, result.promoted, streams, static_cast<long>(result.quantile(.5)),
         static_cast<long>(result.quantile(.95)));
  testing::Test::RecordProperty("rolled_back", result.rolled_back);
  testing::Test::RecordProperty("promoted", result.promoted);
  testing::Test::RecordProperty("median_requests_to_rollback", std::to_string(result.quantile(.5)));
}

const double kAlpha = 1 - api::AnalysisSpec{}.confidence;

TEST(VerdictStatistics, EqualRevisionsAreRolledBackInAtMostAlphaOfRolloutsAndArePromoted) {
  Result result = Rollouts({.error_rate = .005}, {.error_rate = .005}).run(kStreams);
  report("equal", result, kStreams);
  EXPECT_LE(result.rolled_back, kAlpha * kStreams);
  EXPECT_GE(result.promoted, .95 * kStreams);
}

TEST(VerdictStatistics, ACanaryBeyondTheLimitByOnePerCentIsPromotedInAtMostAlphaOfRollouts) {
  Result result = Rollouts({.error_rate = .005}, {.error_rate = .025}).run(kStreams);
  report("limit + 1 % (five times the error rate)", result, kStreams);
  EXPECT_LE(result.promoted, kAlpha * kStreams);
  EXPECT_GE(result.rolled_back, .9 * kStreams);
}

// Median canary requests until Wald's test, which knows both rates and looks at each request, calls the bad one bad.
int64_t median_of_sprt(double good, double bad, double false_alarm) {
  const stats::WaldSprt test(good, bad, false_alarm, /*miss=*/.05);
  std::mt19937_64 random(20'260'103);
  std::bernoulli_distribution fails(bad);
  std::vector<int64_t> needed;
  while (needed.size() < kStreams) {
    double errors = 0;
    int64_t requests = 0;
    auto decision = stats::WaldSprt::Decision::kUndecided;
    while (decision == stats::WaldSprt::Decision::kUndecided) {
      errors += fails(random) ? 1 : 0;
      decision = test.decide(errors, static_cast<double>(++requests));
    }
    if (decision == stats::WaldSprt::Decision::kAcceptBad) needed.push_back(requests);
  }
  std::nth_element(needed.begin(), needed.begin() + kStreams / 2, needed.end());
  return needed[kStreams / 2];
}

TEST(VerdictStatistics, FiveTimesTheErrorsAreTakenBackWithinFourTimesTheRequestsOfATestThatKnowsTheRates) {
  constexpr int kFew = 500;
  constexpr double kStable = .02, kCanary = .1, kLimit = .01;
  Result result = Rollouts({.error_rate = kStable}, {.error_rate = kCanary}).run(kFew);
  report("five times 2 %", result, kFew);
  const int64_t least = median_of_sprt(kStable + kLimit, kCanary, kAlpha / 6);
  printf("Wald's test at the same level needs a median of %ld\n", static_cast<long>(least));
  EXPECT_EQ(result.promoted, 0);
  EXPECT_LE(result.quantile(.5), 4 * least);
}

TEST(VerdictStatistics, AThirdAndMoreOfLatencyIsTakenBack) {
  constexpr int kFew = 500;
  Result result = Rollouts({.error_rate = .002}, {.error_rate = .002, .latency_factor = 1.5}).run(kFew);
  report("p95 × 1.5", result, kFew);
  EXPECT_EQ(result.promoted, 0);
  EXPECT_GE(result.rolled_back, .98 * kFew);
}

}  // namespace
}  // namespace tidegate::rollout
