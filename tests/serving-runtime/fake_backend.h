#pragma once
// A backend in this process: y = x / 2 + 2 and a few ways to fail, so that tests need no TensorFlow.

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "serving-runtime/core/backend.h"
#include "serving-runtime/core/servable.h"

namespace tidegate::serving {

inline model::TensorSpec float_spec(std::string name) {
  return {name, name + ":0", model::DataType::kFloat, false, {-1}};
}

// One signature serving_default: x -> y and z (= -x).
class FakeModel : public LoadedModel {
 public:
  FakeModel(absl::Status failure, std::shared_ptr<std::atomic<int>> alive)
      : failure_(std::move(failure)), alive_(std::move(alive)) {
    ++*alive_;
    signatures_.push_back(
        {"serving_default", "tensorflow/serving/predict", {float_spec("x")}, {float_spec("y"), float_spec("z")}});
  }
  ~FakeModel() override { --*alive_; }
  const std::vector<model::Signature>& signatures() const override { return signatures_; }
  absl::StatusOr<std::vector<Tensor>> run(size_t, std::span<Tensor> inputs,
                                          std::span<const uint64_t> outputs) const override {
    if (!failure_.ok()) return failure_;
    std::vector<Tensor> results;
    for (uint64_t output : outputs) {
      AlignedBuffer data;
      for (float x : inputs[0].values<float>()) data.push(output == 0 ? x / 2 + 2 : -x);
      results.emplace_back(model::DataType::kFloat, inputs[0].shape(), std::move(data));
    }
    return results;
  }

 private:
  absl::Status failure_;
  std::shared_ptr<std::atomic<int>> alive_;
  std::vector<model::Signature> signatures_;
};

// A version of FakeModel.
inline std::shared_ptr<const Servable> fake_servable(std::string name, int64_t version, absl::Status failure = {}) {
  auto model = std::make_unique<FakeModel>(std::move(failure), std::make_shared<std::atomic<int>>(0));
  return std::make_shared<const Servable>(std::move(name), version, "", "fake", std::move(model));
}

class FakeBackend : public Backend {
 public:
  std::string name() const override { return "fake"; }
  std::string library_version() const override { return "1"; }
  absl::StatusOr<std::unique_ptr<LoadedModel>> load(const std::string& folder) const override {
    ++loads;
    absl::Status result = on_load(folder);
    if (!result.ok()) return result;
    return std::make_unique<FakeModel>(run_failure, alive);
  }

  std::function<absl::Status(const std::string&)> on_load = [](const std::string&) { return absl::OkStatus(); };
  absl::Status run_failure;
  mutable std::atomic<int> loads = 0;
  std::shared_ptr<std::atomic<int>> alive = std::make_shared<std::atomic<int>>(0);
};

inline Tensor floats(std::vector<float> values, Shape shape = {}) {
  AlignedBuffer data;
  if (shape.empty()) shape = {static_cast<int64_t>(values.size())};
  for (float value : values) data.push(value);
  return Tensor(model::DataType::kFloat, std::move(shape), std::move(data));
}

inline std::vector<float> to_vector(const Tensor& tensor) {
  auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

inline std::vector<NamedTensor> one_input(std::string name, Tensor tensor) {
  std::vector<NamedTensor> inputs;
  inputs.push_back({std::move(name), std::move(tensor)});
  return inputs;
}

}  // namespace tidegate::serving
