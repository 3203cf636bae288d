// Which format the operator takes the files of a version for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/observers/model_resolver.h"

namespace tidegate::operator_ {
namespace {

using testing::AllOf;
using testing::HasSubstr;

absl::StatusOr<api::ModelFormat> format(std::vector<std::string> paths) {
  storage::Manifest manifest;
  for (std::string& path : paths) manifest.files.push_back({std::move(path)});
  return format_of(manifest);
}

TEST(ModelFormat, IsThatOfTheFilesAtTheTopOfTheFolder) {
  EXPECT_EQ(*format({"assets/vocabulary.txt", "saved_model.pb", "variables/variables.index"}),
            api::ModelFormat::kSavedModel);
  EXPECT_EQ(*format({"saved_model.pb", "saved_model.pbtxt"}), api::ModelFormat::kSavedModel);
  EXPECT_EQ(*format({"bert.onnx", "bert.onnx.data", "config.json"}), api::ModelFormat::kOnnx);
  EXPECT_EQ(*format({"detector.tflite", "labels.txt"}), api::ModelFormat::kTflite);
  EXPECT_EQ(*format({"assets/teacher.onnx", "saved_model.pb"}), api::ModelFormat::kSavedModel);
  EXPECT_EQ(*format({"assets/teacher.tflite", "saved_model.pb"}), api::ModelFormat::kSavedModel);
}

TEST(ModelFormat, OfNoneOrSeveralIsRefusedWithThoseThatAreKnown) {
  EXPECT_THAT(format({"weights.bin", "sub/model.onnx"}).status().message(),
              AllOf(HasSubstr("has no model at its top"), HasSubstr("saved_model.pb"), HasSubstr("*.onnx"),
                    HasSubstr("*.tflite")));
  for (const auto& files : {std::vector<std::string>{"a.onnx", "b.onnx"},
                            {"a.onnx", "saved_model.pb"},
                            {"a.tflite", "b.tflite"},
                            {"a.tflite", "a.onnx"}}) {
    EXPECT_EQ(format(files).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(format(files).status().message(), HasSubstr("more than one model"));
  }
}

}  // namespace
}  // namespace tidegate::operator_
