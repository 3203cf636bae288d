// Classify, regress and multi-inference: tf.Example protos from JSON and gRPC into a model that was made up, and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <map>

#include "fake_backend.h"
#include "serving-runtime/api/tfs/example_batch.h"
#include "serving-runtime/api/tfs/example_messages.h"
#include "serving-runtime/api/tfs/examples_json.h"
#include "tensorflow.pb.h"

namespace tidegate::serving::tfs {
namespace {

namespace pb = tensorflow::serving;
using model::DataType;
using tensorflow::Example;
using tensorflow::Feature;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kClassify = "tensorflow/serving/classify";
constexpr const char* kRegress = "tensorflow/serving/regress";

model::TensorSpec spec(std::string name, DataType type) { return {name, name + ":0", type, false, {-1}}; }

model::Signature signature(std::string name, std::string method, std::vector<std::string> outputs,
                           std::string input = "inputs") {
  model::Signature made{std::move(name), std::move(method), {spec(std::move(input), DataType::kString)}, {}};
  for (std::string& output : outputs) {
    made.outputs.push_back(spec(output, output == "classes" ? DataType::kString : DataType::kFloat));
  }
  return made;
}

Tensor words(std::vector<std::string> texts, Shape shape) {
  StringList list;
  for (const std::string& text : texts) list.push(text);
  return Tensor(std::move(shape), std::move(list));
}

// Answers each output with what its name is told to be, whatever the examples say.
class ExampleModel : public LoadedModel {
 public:
  using Answer = std::function<Tensor()>;
  ExampleModel(std::vector<model::Signature> signatures, std::map<std::string, Answer> answers)
      : signatures_(std::move(signatures)), answers_(std::move(answers)) {}
  const std::vector<model::Signature>& signatures() const override { return signatures_; }
  absl::StatusOr<std::vector<Tensor>> run(size_t signature, std::span<Tensor>,
                                          std::span<const uint64_t> outputs) const override {
    std::vector<Tensor> results;
    for (uint64_t output : outputs) results.push_back(answers_.at(signatures_[signature].outputs[output].name)());
    return results;
  }

 private:
  std::vector<model::Signature> signatures_;
  std::map<std::string, Answer> answers_;
};

std::shared_ptr<const Servable> servable(std::vector<model::Signature> signatures,
                                         std::map<std::string, ExampleModel::Answer> answers, int64_t version = 1) {
  return std::make_shared<const Servable>("m", version, "", "fake",
                                          std::make_unique<ExampleModel>(std::move(signatures), std::move(answers)));
}

// For two examples.
std::map<std::string, ExampleModel::Answer> good_answers() {
  return {{"classes", [] { return words({"a", "b", "c", "d"}, {2, 2}); }},
          {"scores", [] { return floats({1, 2, 3, 4}, {2, 2}); }},
          {"outputs", [] { return floats({5, 6}, {2, 1}); }}};
}

std::vector<model::Signature> good_signatures() {
  return {signature("both", kClassify, {"classes", "scores"}), signature("labels", kClassify, {"classes"}),
          signature("numbers", kClassify, {"scores", "other"}), signature("regress", kRegress, {"outputs"}),
          signature("serving_default", "tensorflow/serving/predict", {"outputs"})};
}

Tensor two_examples() { return words({"", ""}, {2}); }

absl::StatusOr<Tensor> decode(std::string_view body) {
  auto document = RequestDocument::scan(body);
  if (!document.ok()) return document.status();
  return decode_examples(*document);
}

std::string decode_error(std::string_view body) { return std::string(decode(body).status().message()); }

Example parsed(const Tensor& tensor, size_t index) {
  Example example;
  const TidegateString& text = tensor.strings()[index];
  EXPECT_TRUE(example.ParseFromArray(text.data, static_cast<int>(text.size)));
  return example;
}

const Feature& feature(const Example& example, const std::string& name) {
  return example.features().feature().at(name);
}

TEST(DecodeExamples, GivesEachFeatureTheTypeOfItsJson) {
  auto tensor = decode(R"({"examples":[{"f":[1.5,2.0,NaN],"i":[3,-9223372036854775808],"yes":true,"w":"word",
                           "b":["x",{"b64":"AP8="}],"none":[]},{}]})");
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_THAT(tensor->shape(), ElementsAre(2));
  Example example = parsed(*tensor, 0);
  EXPECT_THAT(feature(example, "f").float_list().value(), ElementsAre(1.5f, 2.0f, testing::IsNan()));
  EXPECT_THAT(feature(example, "i").int64_list().value(), ElementsAre(3, std::numeric_limits<int64_t>::min()));
  EXPECT_THAT(feature(example, "yes").int64_list().value(), ElementsAre(1));
  EXPECT_THAT(feature(example, "w").bytes_list().value(), ElementsAre("word"));
  EXPECT_THAT(feature(example, "b").bytes_list().value(), ElementsAre("x", std::string("\0\xff", 2)));
  EXPECT_EQ(feature(example, "none").kind_case(), Feature::KIND_NOT_SET);
  EXPECT_EQ(parsed(*tensor, 1).features().feature_size(), 0);
}

TEST(DecodeExamples, MergesTheContextIntoEveryExampleAndTheExampleWins) {
  auto tensor = decode(R"({"context":{"c":1,"x":2},"examples":[{"x":3},{"y":4.0}]})");
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  Example first = parsed(*tensor, 0), second = parsed(*tensor, 1);
  EXPECT_THAT(feature(first, "c").int64_list().value(), ElementsAre(1));
  EXPECT_THAT(feature(first, "x").int64_list().value(), ElementsAre(3));
  EXPECT_THAT(feature(second, "x").int64_list().value(), ElementsAre(2));
  EXPECT_THAT(feature(second, "y").float_list().value(), ElementsAre(4.0f));
}

TEST(DecodeExamples, RefusesDocumentsInTensorflowServingsWords) {
  EXPECT_EQ(decode_error(""), "JSON Parse error: The document is empty");
  EXPECT_EQ(decode_error("[]"), "JSON Value: [] Is not object");
  EXPECT_EQ(decode_error("{}"), "JSON Value: {} When method is classify, key 'examples' is expected and was not found");
  EXPECT_THAT(decode_error(R"({"examples":{}})"), HasSubstr("Expecting 'examples' value to be an list/array"));
  EXPECT_THAT(decode_error(R"({"examples":[]})"), HasSubstr("'examples' value is an empty array"));
  EXPECT_EQ(decode_error(R"({"examples":[{},[1]]})"), "Example must be JSON object but got JSON Array");
  EXPECT_EQ(decode_error(R"({"examples":[{}],"context":7})"), "Example must be JSON object but got JSON Number");
}

TEST(DecodeExamples, RefusesFeaturesInTensorflowServingsWords) {
  auto message = [](std::string value) { return decode_error(R"({"examples":[{"x":)" + value + "}]}"); };
  EXPECT_EQ(message("null"), "Feature: x has element with unexpected JSON type: Null");
  EXPECT_EQ(message("[[1]]"), "Feature: x has element with unexpected JSON type: Array");
  EXPECT_EQ(message(R"({"b64":"AA==","c":1})"), "Feature: x has element with unexpected JSON type: Object");
  EXPECT_EQ(message(R"({"b64":"?"})"), "Unable to base64 decode");
  EXPECT_EQ(message("[1,2.0]"), "Unexpected element type in feature: x expecting type: int64");
  EXPECT_EQ(message("[2.0,true]"), "Unexpected element type in feature: x expecting type: float");
  EXPECT_EQ(message(R"(["a",1])"), "Unexpected element type in feature: x expecting type: bytes");
  EXPECT_EQ(message("9223372036854775808"), "Feature: x has uint64 element. Only int64 is supported.");
  EXPECT_EQ(message("1e39"), "Cannot convert JSON value: 1e39 to float without loss of precision.");
}

TEST(DecodeExamples, RefusesANameThatNoProtoCanHold) {
  EXPECT_THAT(decode_error("{\"examples\":[{\"\xff\":1}]}"), HasSubstr("has a name that is not UTF-8"));
}

TEST(DecodeExamples, SurvivesDeepNesting) {
  std::string deep = R"({"examples":[{"x":)" + std::string(200'000, '[') + std::string(200'000, ']') + "}]}";
  EXPECT_THAT(decode_error(deep), HasSubstr("unexpected JSON type: Array"));
}

TEST(ExampleBatch, RefusesToRepeatALongContextWithoutBounds) {
  RepeatAllowance allowance(250);
  ExampleBatch batch(std::string(100, 'c'), allowance);
  EXPECT_TRUE(batch.add("").ok());
  EXPECT_TRUE(batch.add("").ok());
  EXPECT_EQ(batch.add("").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ExampleBatch("", allowance).finish().status().message(), "Input is empty.");
}

// A request that has chosen `model`, which must stay.
struct Asking {
  explicit Asking(const Servable& model) {
    inference.choose(std::shared_ptr<const Servable>(std::shared_ptr<void>(), &model));
  }

  base::ManualClock clock;
  Inference inference{clock, clock.uptime()};
};

// The document that a client of REST gets, or the error.
std::string classify_json(const Servable& model, std::string_view name, const Rules& rules = {}) {
  auto found = find_signature(model, name, ExampleMethod::kClassify, rules);
  if (!found.ok()) return std::string(found.status().message());
  Asking asking(model);
  auto result = run_classify(asking.inference, **found, two_examples());
  return result.ok() ? encode_classification(*result) : std::string(result.status().message());
}

TEST(Classify, GivesLabelsScoresOrBoth) {
  auto model = servable(good_signatures(), good_answers());
  EXPECT_EQ(classify_json(*model, "both"), R"({"results":[[["a",1.0],["b",2.0]],[["c",3.0],["d",4.0]]]})");
  EXPECT_EQ(classify_json(*model, "labels"), R"({"results":[[["a",0.0],["b",0.0]],[["c",0.0],["d",0.0]]]})");
  EXPECT_EQ(classify_json(*model, "numbers"), R"({"results":[[["",1.0],["",2.0]],[["",3.0],["",4.0]]]})");
}

TEST(Classify, RefusesSignaturesThatCannotClassify) {
  auto bad =
      servable({signature("input", kClassify, {"scores"}, "examples"), signature("outputs", kClassify, {"y"}),
                signature("three", kClassify, {"classes", "scores", "y"}), signature("s", kRegress, {"outputs"})},
               good_answers());
  EXPECT_EQ(classify_json(*bad, ""), "No signature was found with the name: serving_default");
  EXPECT_THAT(classify_json(*bad, "s"), HasSubstr("to contain at least one of \"classes\" or \"scores\""));
  EXPECT_EQ(classify_json(*bad, "s", {.check_method_names = true}),
            "Expected classification signature method_name to be tensorflow/serving/classify. Was: "
            "tensorflow/serving/regress");
  EXPECT_EQ(classify_json(*bad, "three"), "Expected one or two output Tensors, found 3");
  EXPECT_THAT(classify_json(*bad, "input"), HasSubstr("No classification inputs found in SignatureDef: input"));
  EXPECT_THAT(classify_json(*bad, "outputs"), HasSubstr("to contain at least one of \"classes\" or \"scores\""));
  auto status = [&](std::string_view name) { return find_signature(*bad, name, ExampleMethod::kClassify).status(); };
  EXPECT_EQ(status("input").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(is_model_error(status("input"))) << "no client can mend it";
  EXPECT_FALSE(is_model_error(status("s"))) << "the client asked with the wrong verb";
}

TEST(Classify, AsksSignaturesOfAnyMethodUnlessItIsToldNotTo) {
  auto model = servable({signature("s", "tensorflow/serving/predict", {"classes", "scores"})}, good_answers());
  EXPECT_EQ(classify_json(*model, "s"), R"({"results":[[["a",1.0],["b",2.0]],[["c",3.0],["d",4.0]]]})");
  EXPECT_EQ(classify_json(*model, "s", {.check_method_names = true}),
            "Expected classification signature method_name to be tensorflow/serving/classify. Was: "
            "tensorflow/serving/predict");
}

TEST(Classify, RefusesOutputsOfAWrongShapeOrTypeAndBlamesTheModel) {
  auto error = [](std::string output, ExampleModel::Answer answer) {
    auto answers = good_answers();
    answers[output] = std::move(answer);
    auto model = servable(good_signatures(), std::move(answers));
    Asking asking(*model);
    auto result = run_classify(asking.inference, *model->find_signature("both"), two_examples());
    EXPECT_TRUE(is_model_error(result.status()));
    return std::string(result.status().message());
  };
  EXPECT_EQ(error("scores", [] { return floats({1, 2}); }),
            "Expected Tensor shape: [batch_size num_classes] but got [2]");
  EXPECT_EQ(error("scores", [] { return words({"a", "b"}, {2, 1}); }),
            "Expected scores Tensor of DT_FLOAT. Got: DT_STRING");
  EXPECT_EQ(error("classes", [] { return floats({1, 2}, {2, 1}); }),
            "Expected classes Tensor of DT_STRING. Got: DT_FLOAT");
  EXPECT_EQ(error("classes", [] { return words({"a"}, {1, 1}); }), "Expected classes output batch size of 2. Got: 1");
  EXPECT_EQ(error("scores", [] { return floats({1, 2, 3}, {3, 1}); }),
            "Expected scores output batch size of 2. Got: 3");
  EXPECT_EQ(error("scores", [] { return floats({1, 2, 3, 4, 5, 6}, {2, 3}); }),
            "Tensors class and score should match in dim_size(1). Got 2 vs. 3");
}

std::string regress_json(const Servable& model, std::string_view name, const Rules& rules = {}) {
  auto found = find_signature(model, name, ExampleMethod::kRegress, rules);
  if (!found.ok()) return std::string(found.status().message());
  Asking asking(model);
  auto result = run_regress(asking.inference, **found, two_examples());
  return result.ok() ? encode_regression(*result) : std::string(result.status().message());
}

TEST(Regress, GivesOneNumberAnExample) {
  auto model = servable(good_signatures(), good_answers());
  EXPECT_EQ(regress_json(*model, "regress"), R"({"results":[5.0,6.0]})");
  EXPECT_EQ(regress_json(*model, "", {.check_method_names = true}),
            "Expected regression signature method_name to be tensorflow/serving/regress. Was: "
            "tensorflow/serving/predict");
  auto bad = servable({signature("input", kRegress, {"outputs"}, "x"), signature("output", kRegress, {"y"}),
                       signature("two", kRegress, {"outputs", "y"})},
                      good_answers());
  EXPECT_EQ(regress_json(*bad, "two"), "Expected one output Tensor.");
  EXPECT_THAT(regress_json(*bad, "input"), HasSubstr("No regression inputs found in SignatureDef: input"));
  EXPECT_THAT(regress_json(*bad, "output"), HasSubstr("No regression outputs found in SignatureDef: output"));
}

TEST(Regress, RefusesOutputsOfAWrongShapeOrTypeAndBlamesTheModel) {
  auto error = [](ExampleModel::Answer answer) {
    auto model = servable(good_signatures(), {{"outputs", std::move(answer)}});
    Asking asking(*model);
    auto result = run_regress(asking.inference, *model->find_signature("regress"), two_examples());
    EXPECT_TRUE(is_model_error(result.status()));
    return std::string(result.status().message());
  };
  EXPECT_EQ(error([] { return floats({1, 2, 3, 4}, {2, 2}); }),
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,2]");
  EXPECT_EQ(error([] { return floats({1}); }), "Input batch size did not match output batch size: 2 vs. 1");
  EXPECT_EQ(error([] { return words({"a", "b"}, {2}); }), "Expected output Tensor of DT_FLOAT.  Got: DT_STRING");
}

ServableTable table_of(std::vector<std::shared_ptr<const Servable>> versions) {
  ServableTable table;
  for (auto& version : versions)
    table.models["m"].versions[version->version()] = {VersionState::kAvailable, {}, version};
  return table;
}

pb::Input two_inputs() {
  pb::Input input;
  input.mutable_example_list()->add_examples();
  input.mutable_example_list()->add_examples();
  return input;
}

TEST(ClassifyMessage, AnswersWithClassesAndTheModelsVersion) {
  ServableTable table = table_of({servable(good_signatures(), good_answers(), 7)});
  pb::ClassificationRequest request;
  pb::ClassificationResponse response;
  base::ManualClock clock;
  Inference asked(clock, clock.uptime());
  EXPECT_EQ(classify(table, request, response, asked).message(), "Missing ModelSpec");
  request.mutable_model_spec()->set_name("m");
  request.mutable_model_spec()->set_signature_name("both");
  EXPECT_EQ(classify(table, request, response, asked).message(), "Input is empty.");
  EXPECT_EQ(asked.servable()->version(), 7) << "whoever counts requests needs it for malformed ones too";
  *request.mutable_input() = two_inputs();
  ASSERT_TRUE(classify(table, request, response, asked).ok());
  ASSERT_EQ(response.result().classifications_size(), 2);
  EXPECT_EQ(response.result().classifications(1).classes(0).label(), "c");
  EXPECT_EQ(response.result().classifications(1).classes(0).score(), 3);
  EXPECT_EQ(response.model_spec().version().value(), 7);
  EXPECT_EQ(response.model_spec().signature_name(), "both");
}

TEST(ClassifyMessage, BlamesTheClientForBytesThatAreNoExample) {
  auto answers = good_answers();
  answers["scores"] = [] { return floats({1}); };
  ServableTable table = table_of({servable(good_signatures(), std::move(answers))});
  pb::ClassificationRequest request;
  pb::ClassificationResponse response;
  base::ManualClock clock;
  Inference asked(clock, clock.uptime());
  request.mutable_model_spec()->set_name("m");
  request.mutable_model_spec()->set_signature_name("numbers");
  *request.mutable_input() = two_inputs();
  EXPECT_TRUE(is_model_error(classify(table, request, response, asked)));
  request.mutable_input()->mutable_example_list()->set_examples(1, "\xff");
  absl::Status refused = classify(table, request, response, asked);
  EXPECT_FALSE(is_model_error(refused));
  EXPECT_THAT(refused.message(), HasSubstr("input.examples[1] is no tf.Example"));
}

TEST(DecodeInput, PutsTheContextBeforeEachExample) {
  pb::Input input;
  Example context, example;
  (*context.mutable_features()->mutable_feature())["c"].mutable_int64_list()->add_value(1);
  (*example.mutable_features()->mutable_feature())["x"].mutable_int64_list()->add_value(2);
  input.mutable_example_list_with_context()->set_context(context.SerializeAsString());
  input.mutable_example_list_with_context()->add_examples(example.SerializeAsString());
  RepeatAllowance allowance;
  auto tensor = decode_examples(input, allowance);
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  Example merged = parsed(*tensor, 0);
  EXPECT_THAT(feature(merged, "c").int64_list().value(), ElementsAre(1));
  EXPECT_THAT(feature(merged, "x").int64_list().value(), ElementsAre(2));
}

class MultiInference : public testing::Test {
 protected:
  pb::InferenceTask& task(const std::string& name, const std::string& method) {
    pb::InferenceTask& task = *request_.add_tasks();
    task.mutable_model_spec()->set_name("m");
    task.mutable_model_spec()->set_signature_name(name);
    task.set_method_name(method);
    return task;
  }
  absl::Status run() {
    *request_.mutable_input() = two_inputs();
    base::ManualClock clock;
    Inference asked(clock, clock.uptime());
    return multi_inference(table_, request_, response_, asked);
  }

  ServableTable table_ =
      table_of({servable(good_signatures(), good_answers(), 1), servable(good_signatures(), good_answers(), 2)});
  pb::MultiInferenceRequest request_;
  pb::MultiInferenceResponse response_;
};

TEST_F(MultiInference, AnswersEveryTaskInItsOrder) {
  task("regress", kRegress).mutable_model_spec()->mutable_version()->set_value(1);
  task("both", kClassify);
  ASSERT_TRUE(run().ok());
  ASSERT_EQ(response_.results_size(), 2);
  EXPECT_EQ(response_.results(0).regression_result().regressions(1).value(), 6);
  EXPECT_EQ(response_.results(0).model_spec().signature_name(), "regress");
  EXPECT_EQ(response_.results(1).classification_result().classifications(0).classes(1).label(), "b");
  EXPECT_EQ(response_.results(1).model_spec().version().value(), 1) << "the first task chooses";
}

TEST_F(MultiInference, RefusesTasksOfAnotherModel) {
  task("both", kClassify);
  task("regress", kRegress).mutable_model_spec()->set_name("n");
  EXPECT_EQ(run().message(), "All ModelSpecs in a MultiInferenceRequest must access the same model name.");
}

TEST_F(MultiInference, RefusesTasksOfAnotherVersion) {
  task("both", kClassify);
  task("regress", kRegress).mutable_model_spec()->mutable_version()->set_value(1);
  EXPECT_EQ(run().message(),
            "All ModelSpecs in a MultiInferenceRequest must access the same version: 2 and 1 were asked for.");
}

TEST_F(MultiInference, RefusesATaskWithoutAModelAndARequestWithoutTasks) {
  EXPECT_EQ(run().message(), "ModelSpec has no name specified.");
  task("both", kClassify);
  task("regress", kRegress).mutable_model_spec()->clear_name();
  EXPECT_EQ(run().message(), "Found ModelSpec with an empty model name.");
}

TEST_F(MultiInference, RefusesASignatureThatComesTwiceOrIsNotThere) {
  task("both", kClassify);
  task("both", kClassify);
  EXPECT_EQ(run().message(), "Duplicate evaluation of signature: both");
  request_.mutable_tasks(1)->mutable_model_spec()->set_signature_name("nope");
  EXPECT_EQ(run().message(), "Requested signature not found in model graph: nope");
}

TEST_F(MultiInference, RefusesMethodsThatAreNeitherClassifyNorRegress) {
  task("", "tensorflow/serving/predict");
  absl::Status refused = run();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(refused.message(), "Unsupported signature method_name: tensorflow/serving/predict");
  request_.mutable_tasks(0)->set_method_name(kClassify);
  EXPECT_THAT(run().message(), HasSubstr("to contain at least one of \"classes\" or \"scores\""));
}

}  // namespace
}  // namespace tidegate::serving::tfs
