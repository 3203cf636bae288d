#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "operator/controllers/modeldeployment/pod_report.h"
#include "operator/controllers/modeldeployment/traffic_versions.h"
#include "operator/observers/gateway_scraper.h"
#include "operator/observers/gateways.h"
#include "operator/observers/measurement_ledger.h"
#include "samples.h"

namespace tidegate::operator_ {
namespace {

using metrics::GatewayScrape;
using rollout::PodFailureKind;
using testing::ElementsAre;
using testing::HasSubstr;

const absl::Time kFrom = absl::FromUnixSeconds(1'000'000);
const base::ObjectKey kDigits{"demo", "digits"};
const std::vector<std::string> kObjects{"demo/digits"};

GatewayScrape scrape(const std::string& instance, int64_t uptime_seconds, uint64_t stable, uint64_t canary,
                     uint64_t canary_errors = 0) {
  GatewayScrape scrape{instance, {}, absl::Seconds(uptime_seconds), "5", {}};
  scrape.clusters["demo/digits/digits-s"].counters.finished = stable;
  metrics::Counters& counters = scrape.clusters["demo/digits/digits-c"].counters;
  counters.finished = canary;
  counters.ended[static_cast<size_t>(metrics::Outcome::kServerError)] = canary_errors;
  counters.latency = {{10'000, 1'000, canary}};
  return scrape;
}

class Ledger : public testing::Test {
 protected:
  Ledger() { ledger_.open(kDigits, window_); }
  void absorb(const std::string& pod, int after_seconds, GatewayScrape scrape) {
    scrape.asked_at = kFrom + absl::Seconds(after_seconds);
    ledger_.absorb(pod, kObjects, scrape);
  }
  MeasurementWindow window_{"digits-s", "digits-c", kFrom};
  MeasurementLedger ledger_;
};

TEST_F(Ledger, CountsOnlyWhatCameAfterTheFirstReadingOfTheWindow) {
  absorb("g1", -5, scrape("i1", 100, 10, 10));
  EXPECT_FALSE(ledger_.measurements(kDigits).has_value()) << "it was asked for before the weights were verified";
  absorb("g1", 1, scrape("i1", 106, 100, 50));
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 0);
  absorb("g1", 6, scrape("i1", 111, 150, 60, 3));
  const auto measured = ledger_.measurements(kDigits);
  EXPECT_EQ(measured->stable.requests, 50);
  EXPECT_EQ(measured->canary.requests, 10);
  EXPECT_EQ(measured->canary.errors.http_5xx, 3);
  EXPECT_EQ(measured->canary.latency.total(), 10);
  EXPECT_EQ(measured->canary_revision, "digits-c");
  EXPECT_EQ(measured->from, kFrom);
  EXPECT_EQ(measured->until, kFrom + absl::Seconds(6));
}

TEST_F(Ledger, AddsUpTheGateways) {
  absorb("g1", 1, scrape("i1", 100, 0, 0));
  absorb("g2", 1, scrape("i2", 100, 1000, 1000));
  absorb("g1", 6, scrape("i1", 105, 7, 1));
  absorb("g2", 6, scrape("i2", 105, 1010, 1002));
  EXPECT_EQ(ledger_.measurements(kDigits)->stable.requests, 17);
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 3);
}

TEST_F(Ledger, CountsAGatewayThatStartedInTheWindowFromZero) {
  absorb("g3", 60, scrape("i3", 20, 40, 8));
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 8);
}

TEST_F(Ledger, LosesOneIntervalAtMostWhenAGatewaysProcessIsReplaced) {
  absorb("g1", 1, scrape("i1", 100, 0, 0));
  absorb("g1", 6, scrape("i1", 105, 100, 10));
  absorb("g1", 11, scrape("i2", 2, 30, 4));
  EXPECT_EQ(ledger_.measurements(kDigits)->stable.requests, 130);
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 14);
}

// The container's id comes from the pod's status, which follows a restart with a delay.
TEST_F(Ledger, CountsARestartedGatewayOnceHoweverLateItsNewIdBecomesKnown) {
  absorb("g1", 1, scrape("i1", 100, 0, 0));
  absorb("g1", 6, scrape("i1", 105, 100, 10));
  absorb("g1", 11, scrape("i1", 3, 30, 4));
  absorb("g1", 16, scrape("i2", 8, 50, 7));
  EXPECT_EQ(ledger_.measurements(kDigits)->stable.requests, 150);
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 17);
}

TEST_F(Ledger, CountsAGatewayThatIsFirstSeenAfterItsRestartOnceToo) {
  absorb("g1", 11, scrape("i1", 3, 30, 4));
  absorb("g1", 16, scrape("i2", 8, 50, 7));
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 7);
}

TEST_F(Ledger, CountsAGatewayThatRestartedLongBetweenTwoReadingsAsAnother) {
  absorb("g1", 1, scrape("i1", 2, 0, 0));
  absorb("g1", 6, scrape("i1", 7, 100, 10));
  absorb("g1", 66, scrape("i2", 50, 120, 12));
  EXPECT_EQ(ledger_.measurements(kDigits)->stable.requests, 220);
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 22);
}

TEST_F(Ledger, StartsAfreshForTheNextStep) {
  absorb("g1", 1, scrape("i1", 100, 0, 0));
  absorb("g1", 6, scrape("i1", 105, 100, 10));
  EXPECT_FALSE(ledger_.open(kDigits, window_)) << "the same window goes on";
  EXPECT_TRUE(ledger_.measurements(kDigits).has_value());
  window_.from += absl::Seconds(30);
  EXPECT_TRUE(ledger_.open(kDigits, window_));
  EXPECT_FALSE(ledger_.measurements(kDigits).has_value());
}

TEST_F(Ledger, LeavesOutWhatAScrapeDidNotAskFor) {
  GatewayScrape other = scrape("i1", 100, 5, 5);
  other.asked_at = kFrom + absl::Seconds(1);
  ledger_.absorb("g1", {"demo/other"}, other);
  EXPECT_FALSE(ledger_.measurements(kDigits).has_value());
  EXPECT_THAT(ledger_.objects(), ElementsAre("demo/digits"));
}

TEST_F(Ledger, AnotherLeaderGoesOnWhereTheLastOneWas) {
  absorb("g1", 1, scrape("i1", 100, 0, 0));
  absorb("g1", 6, scrape("i1", 105, 100, 10, 2));
  ASSERT_TRUE(ledger_.dirty(kDigits));
  const std::string evidence = ledger_.evidence(kDigits);
  EXPECT_FALSE(ledger_.dirty(kDigits));

  MeasurementLedger next;
  next.open(kDigits, window_);
  ASSERT_TRUE(next.restore(kDigits, evidence).ok());
  EXPECT_EQ(next.measurements(kDigits)->canary.requests, 10);
  EXPECT_EQ(next.measurements(kDigits)->canary.errors.http_5xx, 2);
  // What the gateway counted while nobody led is not lost.
  GatewayScrape later = scrape("i1", 129, 400, 40, 2);
  later.asked_at = kFrom + absl::Seconds(30);
  next.absorb("g1", kObjects, later);
  EXPECT_EQ(next.measurements(kDigits)->stable.requests, 400);
  EXPECT_EQ(next.measurements(kDigits)->canary.requests, 40);
  EXPECT_EQ(next.measurements(kDigits)->canary.latency.total(), 40);
}

TEST_F(Ledger, DoesNotUseEvidenceOfAnotherStepOrSomebodyElsesText) {
  absorb("g1", 1, scrape("i1", 100, 0, 0));
  const std::string evidence = ledger_.evidence(kDigits);
  MeasurementLedger next;
  window_.from += absl::Seconds(1);
  next.open(kDigits, window_);
  EXPECT_TRUE(next.restore(kDigits, evidence).ok());
  EXPECT_FALSE(next.measurements(kDigits).has_value());
  for (const char* text : {"", "{}", "[1]", R"({"stable": 1})"}) EXPECT_FALSE(next.restore(kDigits, text).ok()) << text;
}

TEST_F(Ledger, TakesTheBaseLineOfANewWindowAlone) {
  EXPECT_TRUE(ledger_.lacks_base_line("g1"));
  absorb("g1", 1, scrape("i1", 100, 10, 10));
  EXPECT_FALSE(ledger_.lacks_base_line("g1"));
  EXPECT_TRUE(ledger_.lacks_base_line("g2"));
  ledger_.open({"demo", "cats"}, window_);
  EXPECT_THAT(ledger_.objects_without_base_line("g1"), ElementsAre("demo/cats"));
  EXPECT_THAT(ledger_.objects_without_base_line("g2"), ElementsAre("demo/cats", "demo/digits"));
}

TEST(Scrapes, AreFrequentOnlyWhereTheyAreNeeded) {
  ScrapeState idle;
  idle.since_versions = idle.since_counts = absl::Seconds(29);
  EXPECT_EQ(next_scrape(idle), ScrapeKind::kNone);
  idle.since_versions = absl::Seconds(30);
  EXPECT_EQ(next_scrape(idle), ScrapeKind::kVersions);

  ScrapeState unconfirmed;
  unconfirmed.unconfirmed_for = absl::Seconds(1);
  unconfirmed.since_versions = absl::Seconds(1);
  EXPECT_EQ(next_scrape(unconfirmed), ScrapeKind::kVersions);
  unconfirmed.since_versions = absl::Milliseconds(500);
  EXPECT_EQ(next_scrape(unconfirmed), ScrapeKind::kNone);
  unconfirmed.since_versions = absl::Seconds(20);
  unconfirmed.unconfirmed_for = absl::Milliseconds(10);
  EXPECT_EQ(next_scrape(unconfirmed), ScrapeKind::kNone) << "the proxy is about to say it by itself";

  ScrapeState measuring;
  measuring.measuring = true;
  measuring.since_versions = measuring.since_counts = absl::Seconds(4);
  EXPECT_EQ(next_scrape(measuring), ScrapeKind::kNone);
  measuring.base_line_wanted = true;
  EXPECT_EQ(next_scrape(measuring), ScrapeKind::kBaseLines);
  measuring.since_versions = absl::Milliseconds(50);
  EXPECT_EQ(next_scrape(measuring), ScrapeKind::kNone) << "others may open theirs, too";
  measuring = {absl::Seconds(1), absl::Seconds(5), true, false, std::nullopt};
  EXPECT_EQ(next_scrape(measuring), ScrapeKind::kCounts);
}

TEST(Scrapes, AreDueExactlyWhenTheyWereSaidToBe) {
  base::SeededRandom random(1);
  const auto some = [&random](absl::Duration most) {
    return absl::Floor(most * random.uniform(), absl::Milliseconds(1));
  };
  for (int i = 0; i < 1000; ++i) {
    ScrapeState state{some(absl::Seconds(40)), some(absl::Seconds(8)), random.next() % 2 == 0, random.next() % 2 == 0,
                      std::nullopt};
    if (random.next() % 2 == 0) state.unconfirmed_for = some(absl::Seconds(2));
    const absl::Duration wait = until_next_scrape(state);
    ASSERT_EQ(next_scrape(state) == ScrapeKind::kNone, wait > absl::ZeroDuration());
    const auto later = [&state](absl::Duration by) {
      ScrapeState moved = state;
      moved.since_versions += by;
      moved.since_counts += by;
      if (moved.unconfirmed_for) *moved.unconfirmed_for += by;
      return next_scrape(moved);
    };
    if (wait == absl::ZeroDuration()) continue;
    EXPECT_EQ(later(wait - absl::Milliseconds(1)), ScrapeKind::kNone);
    EXPECT_NE(later(wait), ScrapeKind::kNone);
  }
}

std::shared_ptr<kube::Pod> gateway(const std::string& name) {
  auto pod = std::make_shared<kube::Pod>();
  pod->meta.name = name;
  pod->ready = true;
  pod->phase = "Running";
  return pod;
}

TEST(Gateways, ThatAreGoingStillCountUntilTheirContainersHaveEnded) {
  auto leaving = gateway("g1");
  leaving->meta.deleted = kFrom;
  auto gone = gateway("g2");
  gone->phase = "Succeeded";
  const auto found = gateway_states({leaving, gone}, {}, {}, kFrom);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].name, "g1");
  EXPECT_FALSE(found[0].ready);
}

TEST(Gateways, AreAsFarAsTheirAnswersOrTheirAcknowledgementsSay) {
  xds::ServerStatus xds;
  xds.nodes.resize(1);
  xds.nodes[0].node_id = "g1";
  xds.nodes[0].applied.resource_version = 12;
  std::map<std::string, GatewayReading> readings{{"g1", {kFrom, {11, {}}, std::nullopt, ""}},
                                                 {"g2", {kFrom, {13, {}}, std::nullopt, ""}}};
  const auto found = gateway_states({gateway("g1"), gateway("g2"), gateway("g3")}, readings, xds, kFrom);
  EXPECT_EQ(found[0].applied.resource_version, 12u);
  EXPECT_EQ(found[1].applied.resource_version, 13u);
  EXPECT_EQ(found[2].applied.resource_version, 0u);
}

TEST(Gateways, ThatRefuseAnObjectHaveAppliedNothingOfItAndAllOfTheOthers) {
  xds::ServerStatus xds;
  xds.nodes.resize(1);
  xds.nodes[0].node_id = "g1";
  xds.nodes[0].applied = {12, {"demo/digits"}};
  xds.nodes[0].rejections = {{traffic::ResourceType::kVirtualHost, "demo/digits", "no good"}};
  // Of one that another replica serves, the reason is not known here.
  std::map<std::string, GatewayReading> readings{{"g2", {kFrom, {13, {"demo/digits"}}, std::nullopt, ""}}};
  const auto found = gateway_states({gateway("g1"), gateway("g2")}, readings, xds, kFrom);
  const auto of_digits = proxies_for("demo/digits", found);
  EXPECT_EQ(of_digits[0].applied_resource_version, 0u);
  EXPECT_EQ(of_digits[0].rejection, "no good");
  EXPECT_EQ(of_digits[1].applied_resource_version, 0u);
  EXPECT_THAT(of_digits[1].rejection, HasSubstr("refused"));
  const auto of_cats = proxies_for("demo/cats", found);
  EXPECT_EQ(of_cats[0].applied_resource_version, 12u);
  EXPECT_EQ(of_cats[1].applied_resource_version, 13u);
  EXPECT_EQ(of_cats[1].rejection, "");
  EXPECT_EQ(applied_by_all(found), 12u);
}

TEST(Gateways, ThatWereRestartedHaveAppliedNothingYet) {
  auto restarted = gateway("g1");
  kube::ContainerStatus envoy;
  envoy.name = "envoy";
  envoy.container_id = "containerd://second";
  restarted->containers = {envoy};
  std::map<std::string, GatewayReading> readings{{"g1", {kFrom, {11, {}}, std::nullopt, "", "containerd://first"}}};
  EXPECT_EQ(gateway_states({restarted}, readings, {}, kFrom)[0].applied.resource_version, 0u);
  readings["g1"].instance = "containerd://second";
  EXPECT_EQ(gateway_states({restarted}, readings, {}, kFrom)[0].applied.resource_version, 11u);
}

TEST(Gateways, WhoseContainerEndedStillCountBecauseItIsStartedAgain) {
  auto crashed = gateway("g1");
  kube::ContainerStatus envoy;
  envoy.state = kube::ContainerStatus::State::kTerminated;
  crashed->containers = {envoy};
  EXPECT_EQ(gateway_states({crashed}, {}, {}, kFrom).size(), 1u);
  crashed->meta.deleted = kFrom;
  EXPECT_EQ(gateway_states({crashed}, {}, {}, kFrom).size(), 0u);
}

TEST(Gateways, AreGivenUpOnlyWhenUnreachableForLongAndNotReady) {
  auto lost = gateway("g1");
  std::map<std::string, GatewayReading> readings{{"g1", {std::nullopt, {}, kFrom, "connection refused"}}};
  const absl::Time later = kFrom + kGatewayGivenUpAfter;
  EXPECT_FALSE(gateway_states({lost}, readings, {}, later)[0].excluded) << "users' requests may still go there";
  EXPECT_THAT(measurement_error(gateway_states({lost}, readings, {}, later), readings)->message,
              HasSubstr("connection refused"));
  lost->ready = false;
  EXPECT_TRUE(gateway_states({lost}, readings, {}, later)[0].excluded);
  EXPECT_FALSE(gateway_states({lost}, readings, {}, later - absl::Seconds(1))[0].excluded);
}

constexpr auto kUnbroken = TrafficVersions::Continuity::kUnbroken;
constexpr auto kMayHaveMissed = TrafficVersions::Continuity::kMayHaveMissed;

TEST(TrafficVersions, AreThoseOfTheWriteThatChangedTheShares) {
  TrafficVersions versions;
  api::ModelDeployment object = sample_object();
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(1));
  EXPECT_EQ(versions.of(kDigits), 0u);
  object.status.traffic = {{"digits-s", 100}};
  object.metadata.resource_version = "20";
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(2));
  object.metadata.resource_version = "30";  // something else changed
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(3));
  EXPECT_EQ(versions.of(kDigits), 20u);
  EXPECT_EQ(versions.highest(), 20u);
  object.metadata.uid = "uid-2";  // made again
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(4));
  EXPECT_EQ(versions.of(kDigits), 30u);
}

// A rollout may have begun and been taken back meanwhile, and a gateway may have its shares still.
TEST(TrafficVersions, AreNewAfterAGapThoughTheSharesAreTheSame) {
  TrafficVersions versions;
  api::ModelDeployment object = sample_object();
  object.status.traffic = {{"digits-s", 100}};
  object.metadata.resource_version = "20";
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(1));
  object.metadata.resource_version = "30";
  versions.saw(kDigits, object, kMayHaveMissed, absl::Seconds(2));
  EXPECT_EQ(versions.of(kDigits), 30u);
  EXPECT_EQ(versions.highest(), 30u);
  EXPECT_THAT(versions.confirmed(30, absl::Seconds(3)), testing::IsEmpty()) << "nobody saw it being written";
}

TEST(TrafficVersions, TellHowLongEachWriteTookOnce) {
  TrafficVersions versions;
  api::ModelDeployment object = sample_object();
  object.status.traffic = {{"digits-s", 100}};
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(1));
  EXPECT_THAT(versions.confirmed(7, absl::Seconds(2)), testing::IsEmpty()) << "nobody saw it being written";
  object.status.traffic = {{"digits-s", 90}, {"digits-c", 10}};
  object.metadata.resource_version = "8";
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(3));
  EXPECT_THAT(versions.confirmed(7, absl::Seconds(4)), testing::IsEmpty());
  EXPECT_THAT(versions.confirmed(8, absl::Seconds(5)), ElementsAre(absl::Seconds(2)));
  EXPECT_THAT(versions.confirmed(9, absl::Seconds(6)), testing::IsEmpty());
}

kube::Pod pod_with(kube::ContainerStatus container) {
  kube::Pod pod;
  pod.meta.name = "digits-1-x";
  pod.phase = "Running";
  pod.containers = {std::move(container)};
  return pod;
}

kube::ContainerStatus ended(const std::string& name, bool init, int exit_code, const std::string& message) {
  kube::ContainerStatus container;
  container.name = name;
  container.init = init;
  container.state = kube::ContainerStatus::State::kTerminated;
  container.reason = exit_code == 0 ? "Completed" : "Error";
  container.exit_code = exit_code;
  container.message = message;
  return container;
}

TEST(PodReport, TellsAFetchThatFailedInItsOwnWords) {
  const auto failure = pod_failure(
      pod_with(ended("fetch", true, 1, R"({"error":"CorruptObject","message":"variables.data: digest differs"})")));
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->kind, PodFailureKind::kFetchFailed);
  EXPECT_EQ(failure->reason, "CorruptObject");
  EXPECT_EQ(failure->message, "variables.data: digest differs");
}

TEST(PodReport, TellsAModelThatDoesNotLoadAlsoWhileTheContainerIsStartedAgain) {
  kube::ContainerStatus container;
  container.name = "runtime";
  container.state = kube::ContainerStatus::State::kWaiting;
  container.reason = "CrashLoopBackOff";
  container.restart_count = 2;
  container.last_termination = {"Error", R"({"error":"ModelLoadFailed","message":"no tag serve"})", 1, kFrom};
  const auto failure = pod_failure(pod_with(container));
  EXPECT_EQ(failure->kind, PodFailureKind::kModelLoadFailed);
  EXPECT_EQ(failure->message, "no tag serve");
  container.state = kube::ContainerStatus::State::kRunning;
  EXPECT_TRUE(pod_failure(pod_with(container)).has_value());
  container.ready = true;
  EXPECT_FALSE(pod_failure(pod_with(container)).has_value());
}

TEST(PodReport, TellsCrashesWithoutWordsOfTheirOwn) {
  kube::ContainerStatus container = ended("runtime", false, 139, "");
  container.restart_count = 3;
  const auto crash = pod_failure(pod_with(container));
  EXPECT_EQ(crash->kind, PodFailureKind::kCrashLoop);
  EXPECT_EQ(crash->reason, "CrashLoopBackOff");
  EXPECT_THAT(crash->message, HasSubstr("exit code 139"));
  container.reason = "OOMKilled";
  EXPECT_EQ(pod_failure(pod_with(container))->reason, "OOMKilled");
}

TEST(PodReport, DoesNotTakeOneRestartForACrashLoop) {
  kube::ContainerStatus container;
  container.name = "runtime";
  container.state = kube::ContainerStatus::State::kRunning;
  container.restart_count = 1;
  container.last_termination = {"Error", "", 255, kFrom};  // the node was restarted
  EXPECT_FALSE(pod_failure(pod_with(container)).has_value());
  container.restart_count = 2;
  EXPECT_TRUE(pod_failure(pod_with(container)).has_value());
}

TEST(PodReport, SaysNothingOfPodsThatWereReplacedAndAreOnlyRemembered) {
  auto evicted = std::make_shared<kube::Pod>();
  evicted->phase = "Failed";
  evicted->reason = "Evicted";
  EXPECT_THAT(report_of({evicted}, Serving({evicted})).failures, testing::IsEmpty());
}

TEST(PodReport, TellsImagesAndPlacesThatAreMissing) {
  kube::ContainerStatus container;
  container.name = "runtime";
  container.state = kube::ContainerStatus::State::kWaiting;
  container.reason = "ImagePullBackOff";
  EXPECT_EQ(pod_failure(pod_with(container))->kind, PodFailureKind::kImagePull);

  kube::Pod pending;
  pending.conditions = {{"PodScheduled", "False", "Unschedulable", "0/1 nodes: Insufficient nvidia.com/gpu", kFrom}};
  EXPECT_EQ(pod_failure(pending)->kind, PodFailureKind::kUnschedulable);
  EXPECT_THAT(pod_failure(pending)->message, HasSubstr("nvidia.com/gpu"));
  EXPECT_FALSE(pod_failure(kube::Pod{}).has_value());
}

// What an API server that was away leaves behind: the node controller has heard of no kubelet.
TEST(PodReport, GoesByTheKubeletsLastWordWhenKubernetesCallsEveryPodOfTheObjectNotReady) {
  const auto unheard = [](const std::string& containers_ready) {
    auto pod = std::make_shared<kube::Pod>();
    pod->phase = "Running";
    pod->ip = "10.0.0.1";
    pod->conditions = {{"Ready", "False", "", "", kFrom}, {"ContainersReady", containers_ready, "", "", kFrom}};
    return pod;
  };
  const PodPointers all{unheard("True"), unheard("False")};
  EXPECT_EQ(report_of(all, Serving(all)).serving, 1) << "one of them is not ready by its kubelet's own word";
  auto ready = unheard("True");
  ready->ready = true;
  EXPECT_EQ(report_of(all, Serving({all[0], all[1], ready})).serving, 0) << "there is somewhere else to send to";
  auto leaving = unheard("True");
  leaving->meta.deleted = kFrom;
  EXPECT_EQ(report_of({leaving}, Serving({leaving})).serving, 0);
}

TEST(PodReport, CountsReadyPodsThatStay) {
  auto ready =
      std::make_shared<kube::Pod>(pod_with(ended("fetch", true, 0, R"({"digest":"sha256:abc","bytes":1,"files":1})")));
  ready->ready = true;
  ready->ip = "10.0.0.1";
  auto leaving = std::make_shared<kube::Pod>(*ready);
  leaving->meta.deleted = kFrom;
  const PodReport report = report_of({ready, leaving}, Serving({ready, leaving}));
  EXPECT_EQ(report.serving, 1);
  EXPECT_EQ(report.content_digest, "sha256:abc");
  EXPECT_THAT(report.failures, testing::IsEmpty());
}

}  // namespace
}  // namespace tidegate::operator_
