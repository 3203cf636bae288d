#pragma once
// Signatures that take serialized tf.Example protos: classify gives classes with scores, regress one number an example.
// Rules and error texts are TensorFlow Serving's (tensorflow_serving/servables/tensorflow/{classifier,regressor}.cc).
// Called by the front ends; no protocol in sight.
#include <absl/status/statusor.h>

#include <optional>
#include <string_view>

#include "serving-runtime/api/tfs/rules.h"
#include "serving-runtime/core/inference.h"

namespace tidegate::serving::tfs {

// The input of such signatures.
inline constexpr std::string_view kExamplesInput = "inputs";

enum class ExampleMethod { kClassify, kRegress };

// "tensorflow/serving/classify", "tensorflow/serving/regress".
std::string_view name_of(ExampleMethod method);
std::optional<ExampleMethod> to_example_method(std::string_view name);

// Whether `signature` can answer `method`: INVALID_ARGUMENT when it has a wrong number of tensors, when these have
// other names or, if the rules ask for it, when it is of another method. The model's error if the signature claims to
// be of that method.
absl::Status check_signature(const model::Signature& signature, ExampleMethod method, const Rules& rules);

// The signature of that name (empty: serving_default), checked. INVALID_ARGUMENT when there is none.
absl::StatusOr<const model::Signature*> find_signature(const Servable& servable, std::string_view name,
                                                       ExampleMethod method, const Rules& rules = {});

struct Classification {
  int64_t examples = 0;
  int64_t classes = 0;           // of each example
  std::optional<Tensor> labels;  // strings, [examples, classes]; models give labels, scores or both
  std::optional<Tensor> scores;  // floats, [examples, classes]

  // Of class `index` in row-major order. What the model does not give is "" and 0.
  std::string_view label(size_t index) const;
  float score(size_t index) const;
};

// `signature` is one that check_signature() let pass, `examples` a batch as ExampleBatch makes it. What the model
// returns in a wrong type or shape is INVALID_ARGUMENT and marked as the model's error.
absl::StatusOr<Classification> run_classify(Inference& inference, const model::Signature& signature, Tensor examples);
// One float for each example.
absl::StatusOr<Tensor> run_regress(Inference& inference, const model::Signature& signature, Tensor examples);

}  // namespace tidegate::serving::tfs
