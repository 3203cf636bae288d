#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "base/scratch_folder.h"
#include "fake_backend.h"
#include "serving-runtime/tools/latencies.h"
#include "serving-runtime/tools/output_difference.h"
#include "serving-runtime/tools/sample_inputs.h"

namespace tidegate::serving {
namespace {

using model::DataType;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

template <class T>
Tensor tensor_of(DataType type, Shape shape, const std::vector<T>& values) {
  AlignedBuffer data;
  for (const T value : values) data.push(value);
  return Tensor(type, std::move(shape), std::move(data));
}

Tensor floats(Shape shape, const std::vector<float>& values) {
  return tensor_of(DataType::kFloat, std::move(shape), values);
}

TEST(OutputDifference, AddsUpOverAnswersAndTypes) {
  OutputDifference difference;
  ASSERT_TRUE(difference.add(floats({2}, {1, 2}), floats({2}, {1, 2.5})).ok());
  ASSERT_TRUE(difference.add(floats({2}, {4, 10}), tensor_of<double>(DataType::kDouble, {2}, {3, 10})).ok());
  EXPECT_EQ(difference.elements, 4);
  EXPECT_EQ(difference.unequal, 2);
  EXPECT_DOUBLE_EQ(difference.mean_absolute(), 1.5 / 4);
  EXPECT_DOUBLE_EQ(difference.max_absolute, 1);
  EXPECT_DOUBLE_EQ(difference.max_relative, 0.25);
  EXPECT_EQ(difference.labels, 0) << "there are no rows";
  EXPECT_EQ(difference.label_agreement(), 1);
}

TEST(OutputDifference, ComparesTheLabelsOfRows) {
  OutputDifference difference;
  ASSERT_TRUE(difference
                  .add(floats({3, 2}, {0.9f, 0.1f, 0.4f, 0.6f, 0.5f, 0.5f}),
                       floats({3, 2}, {0.6f, 0.4f, 0.7f, 0.3f, 0.5f, 0.5f}))
                  .ok());
  EXPECT_EQ(difference.labels, 3);
  EXPECT_EQ(difference.labels_agree, 2);
}

TEST(OutputDifference, FindsNoLabelInARowOfNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  OutputDifference difference;
  ASSERT_TRUE(difference.add(floats({2, 2}, {0.9f, 0.1f, nan, nan}), floats({2, 2}, {nan, nan, nan, nan})).ok());
  EXPECT_EQ(difference.labels, 2);
  EXPECT_EQ(difference.labels_agree, 1) << "the first row's is lost, the second has none on either side";
}

TEST(OutputDifference, CountsNanOnOneSideApart) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  OutputDifference difference;
  ASSERT_TRUE(difference.add(floats({3}, {nan, nan, 1}), floats({3}, {nan, 1, 3})).ok());
  EXPECT_EQ(difference.one_is_nan, 1);
  EXPECT_EQ(difference.unequal, 2);
  EXPECT_DOUBLE_EQ(difference.mean_absolute(), 1) << "of the two that can be compared";
}

TEST(OutputDifference, RefusesWhatCannotBeCompared) {
  OutputDifference difference;
  EXPECT_THAT(difference.add(floats({1}, {1}), floats({1, 1}, {1})).message(),
              HasSubstr("shapes differ: [1] and [1,1]"));
  StringList words;
  words.push("x");
  EXPECT_THAT(difference.add(floats({1}, {1}), Tensor({1}, std::move(words))).message(), HasSubstr("float and string"));
}

TEST(OutputDifference, ComparesStrings) {
  const auto strings = [](const std::string& a, const std::string& b) {
    StringList words;
    words.push(a);
    words.push(b);
    return Tensor({2}, std::move(words));
  };
  OutputDifference difference;
  ASSERT_TRUE(difference.add(strings("a", "b"), strings("a", "c")).ok());
  EXPECT_EQ(difference.unequal, 1);
  EXPECT_EQ(difference.strings, 2);
}

TEST(SampleInputs, FollowTheSignatureAndTheSeed) {
  model::Signature signature{"s", "", {float_spec("x"), float_spec("words"), float_spec("image")}, {}};
  signature.inputs[1].type = DataType::kString;
  signature.inputs[2].type = DataType::kUint8;
  signature.inputs[2].shape = {-1, 2, -1};
  base::SeededRandom one(7), same(7);
  const auto inputs = *random_inputs(signature, 3, one);
  const auto again = *random_inputs(signature, 3, same);
  ASSERT_EQ(inputs.size(), 3u);
  EXPECT_THAT(inputs[0].tensor.shape(), ElementsAre(3));
  EXPECT_THAT(inputs[0].tensor.values<float>(), Each(testing::AllOf(testing::Ge(-1), testing::Lt(1))));
  EXPECT_THAT(inputs[1].tensor.strings(), testing::SizeIs(3));
  EXPECT_THAT(inputs[2].tensor.shape(), ElementsAre(3, 2, 1));
  EXPECT_EQ(inputs[2].tensor.bytes(), again[2].tensor.bytes());
  EXPECT_EQ(copy_of(inputs)[0].tensor.bytes(), inputs[0].tensor.bytes());
  signature.inputs[0].type = DataType::kVariant;
  EXPECT_THAT(random_inputs(signature, 3, one).status().message(), HasSubstr("input x: there are no sample values"));
}

TEST(SampleInputs, AreReadFromAFileWithAPlaceInErrors) {
  const base::ScratchFolder folder;
  const auto path = folder / "inputs.jsonl";
  const model::Signature signature{"s", "", {float_spec("x")}, {}};
  std::ofstream(path) << "{\"instances\": [1, 2]}\n\n  \r\n{\"inputs\": [3]}\n";
  const auto samples = read_inputs(path, "", signature);
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_THAT(samples->requests[1].inputs[0].tensor.values<float>(), ElementsAre(3));
  EXPECT_THAT(samples->requests[1].origin, testing::EndsWith("inputs.jsonl, line 4"));
  std::ofstream(path) << "{\"instances\": [1, 2]}\n{\"instances\": [\"a\"]}\n";
  EXPECT_THAT(read_inputs(path, "", signature).status().message(), HasSubstr("inputs.jsonl, line 2: "));
  std::ofstream(path, std::ios::trunc) << "";
  EXPECT_THAT(read_inputs(path, "", signature).status().message(), HasSubstr("holds no request"));
  EXPECT_THAT(read_inputs(folder.path(), "", signature).status().message(), HasSubstr("Is a directory"));
}

TEST(SampleInputs, OfALogAreThoseOfOneModelThatDidNotFail) {
  const base::ScratchFolder folder;
  const auto path = folder / "log.jsonl";
  const model::Signature signature{"s", "", {float_spec("x")}, {}};
  std::ofstream(path) << R"({"model":"a","code":"OK","inputs":{"x":[1]}})"
                      << "\n"
                      << R"({"model":"a","code":"INTERNAL","inputs":{"x":[2]}})"
                      << "\n"
                      << R"({"model":"a","code":"OK","payload":"too_large"})"
                      << "\n"
                      << R"({"model":"b","code":"OK","inputs":{"x":[3]}})"
                      << "\n";
  const auto of_a = read_inputs(path, "a", signature);
  ASSERT_TRUE(of_a.ok()) << of_a.status();
  ASSERT_EQ(of_a->requests.size(), 1u);
  EXPECT_THAT(of_a->requests[0].inputs[0].tensor.values<float>(), ElementsAre(1));
  EXPECT_EQ(of_a->failed, 1);
  EXPECT_THAT(read_inputs(path, "", signature).status().message(),
              HasSubstr("log.jsonl, line 4: this is a record of model b, and those before are of a; say with --model"));
  EXPECT_THAT(read_inputs(path, "c", signature).status().message(), HasSubstr("no request for signature s of model c"));
}

TEST(Latencies, GiveTheNearestRank) {
  Latencies latencies, more;
  EXPECT_EQ(latencies.quantile(0.5), absl::ZeroDuration());
  for (const int milliseconds : {3, 1}) latencies.add(absl::Milliseconds(milliseconds));
  for (const int milliseconds : {4, 2}) more.add(absl::Milliseconds(milliseconds));
  latencies.add(more);
  const auto at = [&latencies](double share) { return absl::ToDoubleMilliseconds(latencies.quantile(share)); };
  EXPECT_NEAR(at(0.5), 2, 1e-3);
  EXPECT_NEAR(at(0.51), 3, 1e-3);
  EXPECT_NEAR(at(0.99), 4, 1e-3);
  EXPECT_NEAR(at(0), 1, 1e-3);
}

}  // namespace
}  // namespace tidegate::serving
