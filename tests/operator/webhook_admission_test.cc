// The language of webhooks: what is understood, what is refused, and that nothing else can happen.
#include "operator/webhooks/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "base/strings.h"
#include "operator/webhooks/judge.h"
#include "webhook_samples.h"

namespace tidegate::operator_ {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const Change<api::ModelDeployment>& change_of(const Review& review) {
  return std::get<Change<api::ModelDeployment>>(review.change);
}

TEST(Admission, ReadsWhatIsCreated) {
  const absl::StatusOr<Review> review = parse_review(good_review());
  ASSERT_TRUE(review.ok()) << review.status();
  EXPECT_EQ(review->uid, "705ab4f5-6393-11e8-b7cc-42010a800002");
  ASSERT_TRUE(change_of(*review).object.ok()) << change_of(*review).object.status();
  EXPECT_EQ(change_of(*review).object->spec, sample_object().spec);
  EXPECT_FALSE(change_of(*review).before.has_value());
}

TEST(Admission, ReadsWhatIsChangedAndWhatItWasBefore) {
  api::ModelDeployment after = sample_object();
  after.spec.model.version = "4";
  const auto review = parse_review(review_json(object_json(after), object_json(sample_object())).dump());
  ASSERT_TRUE(review.ok()) << review.status();
  EXPECT_EQ(change_of(*review).object->spec.model.version, "4");
  EXPECT_EQ(change_of(*review).before->spec.model.version, "3");
}

TEST(Admission, ReadsRuntimesOfBothKinds) {
  for (const char* kind : {"ServingRuntime", "ClusterServingRuntime"}) {
    json review = review_json({{"metadata", {{"name", "tensorflow"}}}, {"spec", api::to_json(sample_runtime().spec)}});
    review["request"]["kind"]["kind"] = kind;
    const auto read = parse_review(review.dump());
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(std::get<Change<api::ServingRuntime>>(read->change).object->spec, sample_runtime().spec);
  }
}

TEST(Admission, KeepsTheParsersWordsForAnObjectThatOurTypesCannotHold) {
  json object = object_json(sample_object());
  object["spec"]["rollout"]["progressDeadline"] = "half an hour";
  const auto review = parse_review(review_json(object, object).dump());
  ASSERT_TRUE(review.ok());
  EXPECT_THAT(std::string(base::view(change_of(*review).object.status().message())),
              HasSubstr("spec.rollout.progressDeadline: "));
  EXPECT_TRUE(change_of(*review).before_was_unreadable);
}

TEST(Admission, DoesNotMindAStatusOfANewerOperator) {
  json object = object_json(sample_object());
  object["status"]["phase"] = "Meditating";
  const auto review = parse_review(review_json(object).dump());
  ASSERT_TRUE(review.ok());
  EXPECT_TRUE(change_of(*review).object.ok()) << change_of(*review).object.status();
}

TEST(Admission, RefusesWhatIsNoReviewAndSaysWhy) {
  const auto spoiled = [](const std::function<void(json&)>& spoil) {
    json review = json::parse(good_review());
    spoil(review);
    return review.dump();
  };
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "not JSON"},
      {"{", "not JSON"},
      {"\xff\xfe", "not JSON"},
      {std::string("{\"a\":\0}", 7), "not JSON"},
      {"[]", "no object"},
      {"null", "no object"},
      {"{}", "apiVersion"},
      {spoiled([](json& r) { r["apiVersion"] = "admission.k8s.io/v1beta1"; }), "apiVersion"},
      {spoiled([](json& r) { r["kind"] = "ConversionReview"; }), "kind is another one"},
      {spoiled([](json& r) { r.erase("request"); }), "request is missing"},
      {spoiled([](json& r) { r["request"] = 7; }), "request is missing"},
      {spoiled([](json& r) { r["request"].erase("uid"); }), "uid"},
      {spoiled([](json& r) { r["request"]["operation"] = "DELETE"; }), "'DELETE'"},
      {spoiled([](json& r) { r["request"]["object"] = nullptr; }), "object is missing"},
      {spoiled([](json& r) { r["request"]["object"] = "s3://"; }), "object is missing"},
      {spoiled([](json& r) { r["request"]["kind"]["kind"] = "Pod"; }), "Pod"},
      {spoiled([](json& r) { r["request"]["kind"]["group"] = "apps"; }), "apps"},
  };
  for (const auto& [text, words] : cases) {
    const auto review = parse_review(text);
    ASSERT_FALSE(review.ok()) << text;
    EXPECT_EQ(review.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(base::view(review.status().message())), HasSubstr(words)) << text;
  }
}

TEST(Admission, CountsNestingOutsideOfStringsOnly) {
  EXPECT_EQ(nesting_of(""), 0);
  EXPECT_EQ(nesting_of("7"), 0);
  EXPECT_EQ(nesting_of(R"({"a":[{}],"b":[]})"), 3);
  EXPECT_EQ(nesting_of(R"({"a":"[[[[","b":"\"[[[","c":"\\"})"), 1);
  EXPECT_EQ(nesting_of("]]]][["), 0) << "no JSON, but defined";
  EXPECT_EQ(nesting_of(std::string(100'000, '[')), 100'000);
}

TEST(Admission, RefusesDeepNestingBeforeItIsParsed) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_THAT(std::string(base::view(parse_review(deep).status().message())), HasSubstr("deeper than 100"));
  std::string text = good_review();
  text.insert(text.find("\"uid\""), "\"x\":" + deep + ",");
  EXPECT_THAT(std::string(base::view(parse_review(text).status().message())), HasSubstr("deeper than 100"));
}

// ---- answers

TEST(Admission, AnswersWithTheRequestsUid) {
  const json answer = json::parse(review_answer("u-1", {}));
  EXPECT_EQ(answer, json::parse(R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview",
                                    "response":{"uid":"u-1","allowed":true}})"));
}

TEST(Admission, AnswersADenialAsTheApiServerDoesItself) {
  const Findings findings{{Severity::kWarn, "W3", "spec.replicas", "0: nothing serves"},
                          {Severity::kDeny, "V5", "spec.traffic.hosts[0]", "a.b.c: taken"},
                          {Severity::kDeny, "V2", "spec.model.uri", "not a URI"}};
  const json response = json::parse(review_answer("u-1", findings))["response"];
  EXPECT_EQ(response["allowed"], false);
  EXPECT_EQ(response["status"]["code"], 422);
  EXPECT_EQ(response["status"]["reason"], "Invalid");
  EXPECT_EQ(response["status"]["message"], "spec.traffic.hosts[0]: a.b.c: taken [V5]; spec.model.uri: not a URI [V2]");
  EXPECT_EQ(response["status"]["details"]["causes"][0]["field"], "spec.traffic.hosts[0]");
  EXPECT_EQ(response["warnings"], json::array({"spec.replicas: 0: nothing serves [W3]"}));
}

TEST(Admission, AnswersInJsonWhateverBytesItQuotes) {
  const Findings findings{{Severity::kDeny, "V9", "spec.x", "'\xff\"\n' is no quantity"}};
  EXPECT_TRUE(json::accept(review_answer("\xff", findings)));
}

// ---- whatever else comes

References nothing_known(const api::ModelDeployment&) { return {}; }

// Bytes of a valid review, some of them changed, removed, doubled.
std::string mutated(std::string text, base::Random& random) {
  static constexpr std::string_view kPieces[] = {"{",    "}",    "[",     "]",  "\"",   ",",  ":", "\\",
                                                 "\xff", "null", "1e999", "-1", "\"\"", "{}", "[]"};
  for (uint64_t changes = 1 + random.next() % 6; changes > 0; --changes) {
    const size_t at = random.next() % text.size();
    const size_t length = random.next() % std::min<size_t>(text.size() - at, 1 + random.next() % 40);
    switch (random.next() % 4) {
      case 0:
        text[at] = static_cast<char>(random.next());
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, text.substr(at, length));
        break;
      default:
        text.replace(at, length, kPieces[random.next() % std::size(kPieces)]);
    }
    if (text.empty()) text = "{";
  }
  return text;
}

// A value somewhere in the review becomes another one, so that the text stays JSON.
void mutate_value(json& at, base::Random& random) {
  static const std::vector<json> kValues{nullptr,
                                         true,
                                         -1,
                                         1e308,
                                         "",
                                         "9999999999999999h",
                                         json::array(),
                                         json::object(),
                                         18446744073709551615u,
                                         "s3://",
                                         std::string(5000, 'x'),
                                         json::array({json::array()})};
  if (at.is_structured() && !at.empty() && random.next() % 8 != 0) {
    auto child = at.begin();
    std::advance(child, static_cast<long>(random.next() % at.size()));
    return mutate_value(*child, random);
  }
  at = kValues[random.next() % kValues.size()];
}

void expect_total(const std::string& text, int& understood) {
  const absl::StatusOr<Review> review = parse_review(text);
  if (!review.ok()) {
    EXPECT_EQ(review.status().code(), absl::StatusCode::kInvalidArgument) << text;
    return;
  }
  ++understood;
  const json answer = json::parse(review_answer(review->uid, judge(*review, nothing_known)), nullptr, false);
  ASSERT_FALSE(answer.is_discarded()) << text;
  EXPECT_TRUE(answer["response"]["allowed"].is_boolean());
}

TEST(Admission, GivesEveryMutationOfAReviewAnAnswerOrARefusal) {
  base::SeededRandom random(20'261);
  api::ModelDeployment object = sample_object();
  object.metadata.annotations = {{"tidegate.dev/resume", "1"}};
  object.spec.traffic.hosts = {"a.example.com"};
  object.spec.runtime.resources.requests = {{"memory", "1Gi"}};
  object.status.canary.emplace();
  const json valid = review_json(object_json(object), object_json(sample_object()));
  const std::string text = valid.dump();
  int understood = 0;
  for (int i = 0; i < 20'000; ++i) expect_total(mutated(text, random), understood);
  for (int i = 0; i < 20'000; ++i) {
    json changed = valid;
    mutate_value(changed, random);
    expect_total(changed.dump(), understood);
  }
  EXPECT_GT(understood, 5'000) << "most mutations of values are still reviews";
}

}  // namespace
}  // namespace tidegate::operator_
