#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "base/scratch_folder.h"
#include "fake_backend.h"
#include "serving-runtime/repository/batching_parameters.h"
#include "serving-runtime/repository/load_planner.h"
#include "serving-runtime/repository/model_repository.h"
#include "serving-runtime/repository/server_config.h"
#include "serving-runtime/repository/version_folders.h"

namespace tidegate::serving {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1000);
const LoadRetries kRetries;

TEST(LoadPlanner, LoadsTheNewVersionBeforeItUnloadsTheOldOne) {
  std::map<int64_t, VersionProgress> present = {{1, {VersionState::kAvailable}}};
  auto action = next_action({2}, present, kRetries, kNow);
  ASSERT_TRUE(action);
  EXPECT_EQ(action->step, Step::kLoad);
  EXPECT_EQ(action->version, 2);
  present[2].state = VersionState::kAvailable;
  action = next_action({2}, present, kRetries, kNow);
  EXPECT_EQ(action->step, Step::kUnload);
  EXPECT_EQ(action->version, 1);
  present[1].state = VersionState::kUnloading;
  EXPECT_FALSE(next_action({2}, present, kRetries, kNow));
}

TEST(LoadPlanner, KeepsAnOldVersionWhileTheNewOneCannotBeLoaded) {
  std::map<int64_t, VersionProgress> present = {{1, {VersionState::kAvailable}},
                                                {2, {VersionState::kEnd, 1, kNow + kRetries.interval}}};
  EXPECT_FALSE(next_action({2}, present, kRetries, kNow));
  EXPECT_EQ(next_action({2}, present, kRetries, kNow + kRetries.interval)->step, Step::kLoad);
  present[2].failures = kRetries.times + 1;
  EXPECT_FALSE(next_action({2}, present, kRetries, kNow + kRetries.interval));
}

TEST(LoadPlanner, LoadsTheNewestFirst) { EXPECT_EQ(next_action({1, 2, 3}, {}, kRetries, kNow)->version, 3); }

class RepositoryTest : public testing::Test {
 protected:
  void add(const std::string& version) { fs::create_directories(base_ / version); }
  ModelVersions repository() { return {config("m"), backends_, directory_, clock_, loading_}; }
  ModelConfig config(const std::string& name) const {
    ModelConfig config;
    config.name = name;
    config.base_path = base_.string();
    return config;
  }
  std::vector<std::pair<int64_t, VersionState>> states() {
    std::vector<std::pair<int64_t, VersionState>> out;
    for (const auto& [version, entry] : directory_.read()->models.at("m").versions)
      out.emplace_back(version, entry.state);
    return out;
  }

  const base::ScratchFolder base_;
  FakeBackend backend_;
  const BackendSource backends_ = [this](const std::string&) { return &backend_; };
  ServableDirectory directory_;
  LoadOptions loading_;
  base::ManualClock clock_;
};

TEST_F(RepositoryTest, ListsNumbersOnly) {
  for (const char* name : {"1", "00000002", "x", "3.tmp", "-4"}) add(name);
  auto folders = list_version_folders(base_.string());
  EXPECT_THAT(*folders, ElementsAre(testing::Pair(1, testing::_), testing::Pair(2, testing::EndsWith("/00000002"))));
  EXPECT_EQ(list_version_folders(base_ / "none").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RepositoryTest, IsNotReadyBeforeAVersionWasLoadedAndWarmedUp) {
  auto models = repository();
  EXPECT_FALSE(directory_.read()->ready());
  EXPECT_THAT(models.step().message(), HasSubstr("No versions of model m found under base path"));
  add("1");
  EXPECT_TRUE(models.step().ok());
  EXPECT_TRUE(directory_.read()->ready());
  EXPECT_THAT(states(), ElementsAre(std::pair(int64_t{1}, VersionState::kAvailable)));
}

TEST_F(RepositoryTest, FreesAnOldVersionOnlyWhenNoRequestUsesIt) {
  add("1");
  auto models = repository();
  ASSERT_TRUE(models.step().ok());
  auto in_flight = *directory_.read()->find({"m", {}, {}});
  add("2");
  ASSERT_TRUE(models.step().ok());
  EXPECT_EQ((*directory_.read()->find({"m", {}, {}}))->version(), 2);
  EXPECT_THAT(states(), ElementsAre(std::pair(int64_t{2}, VersionState::kAvailable),
                                    std::pair(int64_t{1}, VersionState::kUnloading)));
  EXPECT_EQ(*backend_.alive, 2);
  in_flight.reset();
  ASSERT_TRUE(models.step().ok());
  EXPECT_THAT(states(),
              ElementsAre(std::pair(int64_t{2}, VersionState::kAvailable), std::pair(int64_t{1}, VersionState::kEnd)));
  EXPECT_EQ(*backend_.alive, 1);
}

TEST_F(RepositoryTest, KeepsServingWhenTheBasePathVanishes) {
  add("1");
  auto models = repository();
  ASSERT_TRUE(models.step().ok());
  fs::remove_all(base_.path());
  EXPECT_FALSE(models.step().ok());
  EXPECT_TRUE(directory_.read()->ready());
}

TEST_F(RepositoryTest, RetriesALoadThatFailedAfterAPauseAndThenGivesUp) {
  add("1");
  backend_.on_load = [](const std::string&) { return absl::DataLossError("torn"); };
  auto models = repository();
  EXPECT_EQ(models.step().message(), "Model m version 1: torn");
  EXPECT_EQ(models.step().message(), "Model m version 1: torn") << "nothing is due, and nothing serves";
  EXPECT_EQ(backend_.loads, 1);
  for (int i = 0; i < 20; ++i) {
    clock_.advance(kRetries.interval);
    models.step().IgnoreError();
  }
  EXPECT_EQ(backend_.loads, 1 + kRetries.times);
  EXPECT_EQ(directory_.read()->models.at("m").versions.at(1).error.code(), absl::StatusCode::kDataLoss);
}

TEST_F(RepositoryTest, LoadsAModelThatRefusesZerosButNotOneThatLacksVariables) {
  add("1");
  backend_.run_failure = absl::InvalidArgumentError("zeros are bad input");
  auto lenient = repository();
  EXPECT_TRUE(lenient.step().ok());
  backend_.run_failure = absl::FailedPreconditionError("variable was uninitialized");
  auto strict = repository();
  EXPECT_THAT(strict.step().message(), HasSubstr("warm-up: signature serving_default: variable was uninitialized"));
}

TEST_F(RepositoryTest, CutShortRecordedRequestsAreSaid) {
  fs::create_directories(base_ / "1/assets.extra");
  std::ofstream(base_ / "1/assets.extra/tf_serving_warmup_requests") << "short";
  auto models = repository();
  EXPECT_THAT(models.step().message(), HasSubstr("is cut short after 0 requests"));
}

TEST_F(RepositoryTest, ServesWhatThePolicyChooses) {
  for (const char* version : {"1", "3", "5"}) add(version);
  auto models = repository();
  ModelConfig wanted = config("m");
  const auto serving = [&] {
    models.set_config(wanted);
    EXPECT_TRUE(models.step().ok());
    EXPECT_TRUE(models.step().ok());
    std::vector<int64_t> versions;
    for (const auto& [version, entry] : directory_.read()->models.at("m").versions) {
      if (entry.servable) versions.push_back(version);
    }
    return versions;
  };
  EXPECT_THAT(serving(), ElementsAre(5));
  wanted.versions.latest = 2;
  EXPECT_THAT(serving(), ElementsAre(5, 3));
  wanted.versions.kind = VersionPolicy::Kind::kSpecific;
  wanted.versions.specific = {1, 4};
  EXPECT_THAT(serving(), ElementsAre(1)) << "there is no version 4";
  wanted.versions.kind = VersionPolicy::Kind::kAll;
  EXPECT_THAT(serving(), ElementsAre(5, 3, 1));
  wanted.versions.kind = VersionPolicy::Kind::kSpecific;
  wanted.versions.specific = {4};
  models.set_config(wanted);
  EXPECT_THAT(models.step().message(), HasSubstr("that its version policy names"));
  EXPECT_TRUE(directory_.read()->ready()) << "it unloads nothing";
}

TEST_F(RepositoryTest, ReplacesAVersionByThatOfTheNewBasePathBeforeItGoes) {
  add("a/1");
  add("b/1");
  ModelConfig wanted = config("m");
  wanted.base_path = base_ / "a";
  ModelVersions models(wanted, backends_, directory_, clock_, loading_);
  ASSERT_TRUE(models.step().ok());
  const auto in_flight = *directory_.read()->find({"m", {}, {}});
  wanted.base_path = base_ / "b";
  models.set_config(wanted);
  backend_.on_load = [](const std::string&) { return absl::DataLossError("torn"); };
  EXPECT_FALSE(models.step().ok());
  EXPECT_EQ(*directory_.read()->find({"m", {}, {}}), in_flight);
  clock_.advance(kRetries.interval);
  backend_.on_load = [](const std::string&) { return absl::OkStatus(); };
  EXPECT_TRUE(models.step().ok());
  EXPECT_THAT((*directory_.read()->find({"m", {}, {}}))->folder(), testing::EndsWith("/b/1"));
  EXPECT_EQ(*backend_.alive, 2) << "a request uses the old one";
}

TEST_F(RepositoryTest, RefusesFilesForAnotherPlatformThanTheConfigSays) {
  add("1");
  ModelConfig wanted = config("m");
  wanted.platform = "onnx";
  ModelVersions models(wanted, backends_, directory_, clock_, loading_);
  EXPECT_THAT(models.step().message(), HasSubstr("is a model for fake, not for onnx"));
}

class ManyModelsTest : public RepositoryTest {
 protected:
  absl::Status reload(std::vector<ModelConfig> models) {
    std::optional<absl::Status> result;
    repository_.reload(std::move(models), [&result](const auto& outcome) { result = outcome.status; });
    step_all();
    EXPECT_TRUE(result.has_value());
    return result.value_or(absl::UnknownError("nothing was said"));
  }
  void step_all() {
    while (!repository_.run_one()) {
    }
  }
  ModelConfig in(const std::string& folder) {
    add(folder + "/1");
    ModelConfig model = config(folder);
    model.base_path = base_ / folder;
    return model;
  }
  std::vector<std::string> names() {
    std::vector<std::string> names;
    for (const auto& [name, entry] : directory_.read()->models) names.push_back(name);
    return names;
  }

  ModelRepository repository_{backends_, directory_, clock_, {}};
};

TEST_F(ManyModelsTest, HasExactlyTheModelsOfTheLastReload) {
  EXPECT_TRUE(reload({in("a"), in("b")}).ok());
  EXPECT_TRUE(directory_.read()->ready());
  EXPECT_EQ(backend_.loads, 2);
  EXPECT_TRUE(reload({in("b"), in("c")}).ok());
  EXPECT_THAT(names(), ElementsAre("b", "c"));
  EXPECT_EQ(backend_.loads, 3) << "b was left alone";
  EXPECT_EQ(*backend_.alive, 2);
  EXPECT_TRUE(reload({}).ok());
  EXPECT_THAT(names(), ElementsAre());
  EXPECT_EQ(*backend_.alive, 0);
}

TEST_F(ManyModelsTest, KeepsAModelThatLeftUntilItsRequestsAreAnswered) {
  EXPECT_TRUE(reload({in("a")}).ok());
  auto in_flight = *directory_.read()->find({"a", {}, {}});
  EXPECT_TRUE(reload({}).ok());
  EXPECT_THAT(names(), ElementsAre());
  EXPECT_EQ(*backend_.alive, 1);
  in_flight.reset();
  clock_.advance(absl::Seconds(1));
  step_all();
  EXPECT_EQ(*backend_.alive, 0);
}

TEST_F(ManyModelsTest, ServesAModelAgainThatCameBackWhileItWasLeaving) {
  EXPECT_TRUE(reload({in("a")}).ok());
  auto in_flight = *directory_.read()->find({"a", {}, {}});
  EXPECT_TRUE(reload({}).ok());
  std::optional<absl::Status> back;
  repository_.reload({in("a")}, [&back](const auto& outcome) { back = outcome.status; });
  step_all();
  EXPECT_FALSE(back.has_value()) << "the old one is still leaving";
  in_flight.reset();
  clock_.advance(absl::Seconds(1));
  step_all();
  EXPECT_TRUE(back && back->ok());
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(ManyModelsTest, SaysWhichNewModelCouldNotBeLoadedAndKeepsTheConfig) {
  EXPECT_TRUE(reload({in("a")}).ok());
  backend_.on_load = [](const std::string&) { return absl::DataLossError("torn"); };
  const absl::Status result = reload({in("a"), in("b")});
  EXPECT_EQ(result.code(), absl::StatusCode::kUnknown);
  EXPECT_THAT(result.message(), HasSubstr("1 model(s) did not become available: {{name: b due to error: DATA_LOSS: "));
  EXPECT_EQ(repository_.models().size(), 2u);
  backend_.on_load = [](const std::string&) { return absl::OkStatus(); };
  clock_.advance(kRetries.interval);
  step_all();
  EXPECT_TRUE(directory_.read()->ready()) << "it was tried again";
}

TEST_F(ManyModelsTest, RefusesAListThatCannotBeAndChangesNothing) {
  EXPECT_TRUE(reload({in("a")}).ok());
  EXPECT_EQ(reload({in("b"), in("b")}).message(), "Illegal to list model b multiple times in config list");
  ModelConfig other = in("a");
  other.platform = "fake";
  EXPECT_TRUE(reload({other}).ok()) << "it did not say before";
  other.platform = "onnx";
  EXPECT_THAT(reload({other}).message(),
              HasSubstr("Illegal to change a model's platform. For model a platform was fake"));
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(ManyModelsTest, GivesALabelOnlyToAVersionThatServes) {
  ModelConfig model = in("a");
  model.labels = {{"stable", 1}};
  EXPECT_TRUE(reload({model}).ok()) << "at the start any";
  add("a/2");
  model.versions.kind = VersionPolicy::Kind::kAll;
  model.labels = {{"stable", 1}, {"canary", 2}};
  EXPECT_EQ(reload({model}).message(),
            "Request to assign label to version 2 of model a, which is not currently available for inference");
  model.labels = {{"stable", 1}};
  EXPECT_TRUE(reload({model}).ok());
  model.labels = {{"stable", 2}};
  EXPECT_TRUE(reload({model}).ok());
  EXPECT_EQ((*directory_.read()->find({"a", {}, "stable"}))->version(), 2);
}

TEST_F(ManyModelsTest, AnswersByALabelAsSoonAsTheReloadThatGivesItIsAnswered) {
  ModelConfig model = in("a");
  ASSERT_TRUE(reload({model}).ok());
  model.labels = {{"stable", 1}};
  std::optional<absl::Status> answered;
  repository_.reload({model}, [&answered](const auto& outcome) { answered = outcome.status; });
  ASSERT_EQ(answered, absl::OkStatus()) << "no thread has looked at the model yet";
  EXPECT_TRUE(directory_.read()->find({"a", {}, "stable"}).ok());
}

TEST_F(ManyModelsTest, GivesANewLabelToAVersionThatIsComingIfItMay) {
  ModelRepository lenient(backends_, directory_, clock_, {absl::Seconds(1), {}, true});
  const auto refused = [&lenient](ModelConfig model) {
    absl::Status status;
    lenient.reload({std::move(model)}, [&status](const auto& outcome) { status = outcome.status; });
    while (!lenient.run_one()) {
    }
    return !status.ok();
  };
  ModelConfig model = in("a");
  model.labels = {{"stable", 1}};
  EXPECT_FALSE(refused(model));
  model.labels = {{"stable", 1}, {"canary", 2}};
  EXPECT_FALSE(refused(model));
  model.labels = {{"stable", 2}, {"canary", 2}};
  EXPECT_TRUE(refused(model)) << "requests use it";
}

TEST_F(ManyModelsTest, TellsWhoWaitsThatTheServerEnds) {
  std::optional<absl::Status> result;
  repository_.reload({in("a")}, [&result](const auto& outcome) { result = outcome.status; });
  repository_.stop();
  EXPECT_EQ(result->code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(repository_.run_one().has_value()) << "nothing is loaded any more";
  EXPECT_EQ(backend_.loads, 0);
}

TEST_F(ManyModelsTest, UnloadsAndLoadsWhatIsConfiguredOnRequest) {
  EXPECT_TRUE(reload({in("a"), in("b")}).ok());
  std::optional<absl::Status> result;
  const auto done = [&result](absl::Status status) { result = status; };
  auto in_flight = *directory_.read()->find({"a", {}, {}});
  repository_.unload("a", done);
  step_all();
  EXPECT_FALSE(result.has_value()) << "a request uses it";
  EXPECT_THAT(names(), ElementsAre("b"));
  in_flight.reset();
  clock_.advance(absl::Seconds(1));
  step_all();
  EXPECT_TRUE(result && result->ok());
  EXPECT_EQ(*backend_.alive, 1);
  clock_.advance(absl::Minutes(5));
  step_all();
  EXPECT_THAT(names(), ElementsAre("b")) << "it stays away";
  result.reset();
  repository_.load("a", done);
  step_all();
  EXPECT_TRUE(result && result->ok());
  EXPECT_THAT(names(), ElementsAre("a", "b"));
  repository_.load("c", done);
  EXPECT_EQ(result->code(), absl::StatusCode::kNotFound);
  repository_.unload("c", done);
  EXPECT_EQ(result->code(), absl::StatusCode::kNotFound);
}

TEST_F(ManyModelsTest, TriesALoadThatFailedAgainWhenAskedTo) {
  backend_.on_load = [](const std::string&) { return absl::DataLossError("torn"); };
  EXPECT_FALSE(reload({in("a")}).ok());
  std::optional<absl::Status> result;
  const auto done = [&result](absl::Status status) { result = status; };
  repository_.load("a", done);
  step_all();
  EXPECT_EQ(result->code(), absl::StatusCode::kDataLoss);
  backend_.on_load = [](const std::string&) { return absl::OkStatus(); };
  repository_.load("a", done);
  step_all();
  EXPECT_TRUE(result->ok());
}

TEST_F(ManyModelsTest, ServesAnUnloadedModelThatAReloadNames) {
  EXPECT_TRUE(reload({in("a")}).ok());
  repository_.unload("a", [](absl::Status) {});
  step_all();
  EXPECT_THAT(names(), ElementsAre());
  EXPECT_TRUE(reload({in("a")}).ok());
  EXPECT_THAT(names(), ElementsAre("a"));
}

class ServerConfigTest : public testing::Test {
 protected:
  absl::StatusOr<std::vector<ModelConfig>> read(const std::string& text) {
    auto config = parse_server_config(text, "models.config");
    if (!config.ok()) return config.status();
    return to_model_configs(*config, {.warm_up = true, .request_log = request_log_});
  }
  bool request_log_ = false;
  const base::ScratchFolder folder_;
  const fs::path path_ = folder_ / "models.config";
};

TEST_F(ServerConfigTest, IsTensorFlowServings) {
  const auto models = read(R"(model_config_list {
    config { name: "a" base_path: "/m/a" model_platform: "tensorflow"
             model_version_policy { specific { versions: 2 versions: 4 } }
             version_labels { key: "stable" value: 2 } }
    config { name: "b" base_path: "/m/b" model_version_policy { latest { num_versions: 3 } } }
    config { name: "c" base_path: "/m/c" model_version_policy { all {} } model_type: TENSORFLOW }
    config { name: "d" base_path: "/m/d" model_platform: "tflite" }
  })");
  ASSERT_TRUE(models.ok()) << models.status();
  ASSERT_EQ(models->size(), 4u);
  EXPECT_EQ((*models)[0].platform, "tensorflow");
  EXPECT_THAT((*models)[0].versions.specific, ElementsAre(2, 4));
  EXPECT_THAT((*models)[0].labels, ElementsAre(testing::Pair("stable", 2)));
  EXPECT_EQ((*models)[1].versions.latest, 3u);
  EXPECT_EQ((*models)[1].platform, "");
  EXPECT_EQ((*models)[2].versions.kind, VersionPolicy::Kind::kAll);
  EXPECT_EQ((*models)[3].platform, "litert");
}

TEST_F(ServerConfigTest, SaysWhereItIsWrong) {
  EXPECT_THAT(read("model_config_list {\n  config { nam: \"a\" } }").status().message(),
              testing::AllOf(HasSubstr("models.config: line 2, column "), HasSubstr("nam")));
  EXPECT_THAT(read(R"(model_config_list { config { name: "a" model_platform: "caffe" } })").status().message(),
              HasSubstr("Model a: model_platform \"caffe\" is none of"));
}

TEST_F(ServerConfigTest, SaysHowManyRequestsOfAModelAreRecorded) {
  const auto read_logging = [this](const std::string& logging) {
    return read("model_config_list { config { name: \"a\" base_path: \"/a\" logging_config {" + logging + "} } }");
  };
  EXPECT_THAT(read_logging("sampling_config { sampling_rate: 0.5 }").status().message(),
              HasSubstr("Model a: logging_config.sampling_config.sampling_rate needs --request-log"));
  request_log_ = true;
  EXPECT_EQ(read_logging("sampling_config { sampling_rate: 0.5 }")->at(0).record_rate, 0.5);
  EXPECT_EQ(read_logging("")->at(0).record_rate, 0.0);
  EXPECT_EQ(read("model_config_list { config { name: \"a\" base_path: \"/a\" } }")->at(0).record_rate, std::nullopt);
  EXPECT_THAT(read_logging("sampling_config { sampling_rate: 1.5 }").status().message(),
              HasSubstr("must be between 0 and 1, not 1.5"));
  EXPECT_THAT(read_logging("sampling_config { attributes: 1 }").status().message(), HasSubstr("attributes"));
  EXPECT_THAT(read_logging("log_collector_config { filename_prefix: \"/x\" }").status().message(),
              HasSubstr("logging_config.log_collector_config is not supported"));
}

TEST_F(ServerConfigTest, SurvivesConfigsInConfigs) {
  std::string begin, end;
  for (int i = 0; i < 20'000; ++i) {
    begin += "custom_model_config { [type.googleapis.com/tensorflow.serving.ModelServerConfig] {";
    end += "}}";
  }
  EXPECT_FALSE(read(begin + end).ok());
}

TEST_F(ServerConfigTest, BatchingParametersAreTensorFlowServings) {
  const auto read_parameters = [this](const std::string& text, BatchingOptions& options) {
    std::ofstream(path_) << text;
    return read_batching_parameters(path_, options);
  };
  BatchingOptions options;
  options.num_batch_threads = 7;
  EXPECT_TRUE(read_parameters("max_batch_size { value: 8 } batch_timeout_micros { value: 2500 } "
                              "allowed_batch_sizes: 4 allowed_batch_sizes: 8 thread_pool_name { value: \"x\" }",
                              options)
                  .ok());
  EXPECT_EQ(options.max_batch_size, 8);
  EXPECT_EQ(options.batch_timeout, absl::Microseconds(2500));
  EXPECT_EQ(options.num_batch_threads, 7);
  EXPECT_THAT(options.allowed_batch_sizes, ElementsAre(4, 8));
  EXPECT_THAT(read_parameters("max_batch_size { value: 0 }", options).message(),
              HasSubstr("models.config: max_batch_size must be positive"));
  EXPECT_FALSE(options.pad_variable_length_inputs);
  BatchingOptions padded;
  EXPECT_TRUE(read_parameters("pad_variable_length_inputs: true", padded).ok());
  EXPECT_TRUE(padded.pad_variable_length_inputs);
  EXPECT_THAT(read_parameters("max_batch_size: 8", options).message(), HasSubstr("line 1"));
  BatchingOptions split;
  EXPECT_TRUE(read_parameters("max_batch_size { value: 100 } max_execution_batch_size { value: 4 } "
                              "enable_large_batch_splitting { value: true } allowed_batch_sizes: 4",
                              split)
                  .ok());
  EXPECT_EQ(split.max_batch_size, 4) << "of a run";
}

TEST_F(ServerConfigTest, IsCheckedAsAWhole) {
  ModelConfig model;
  EXPECT_FALSE(check_models({model}).ok());
  model.name = "a";
  EXPECT_THAT(check_models({model}).message(), HasSubstr("Model a: base_path is empty"));
  model.base_path = "/a";
  EXPECT_TRUE(check_models({model}).ok());
  model.versions.kind = VersionPolicy::Kind::kSpecific;
  EXPECT_THAT(check_models({model}).message(), HasSubstr("names no version"));
}

}  // namespace
}  // namespace tidegate::serving
