// A backend that computes nothing: what a request then costs is the front end. Only bench/runtime/measure uses it, in
// the place of the onnx backend; it is in no image.
//
// A version's folder has one file *.onnx of two numbers, "INPUT OUTPUT": the columns of its input x and of its output
// y, or 0 for a tensor of one dimension. It answers each row with zeros.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "model/data_type.h"
#include "serving-runtime/backends/backend_support.h"

struct TidegateBackend {};

struct TidegateModel {
  int64_t input_dims[2] = {-1, 0}, output_dims[2] = {-1, 0};
  TidegateTensorSpec input{}, output{};
  TidegateSignature signature{};
};

namespace tidegate::serving {
namespace {

constexpr const char* kName = "null";
constexpr auto kFloat = static_cast<int32_t>(model::DataType::kFloat);

struct Zeros {
  int64_t dims[2];
  std::vector<float> values;
};

TidegateTensorSpec spec(const char* name, const int64_t (&dims)[2]) {
  return {name, name, kFloat, dims[1] == 0 ? 1 : 2, dims};
}

TidegateCode open_backend(const TidegateOption*, uint64_t, TidegateBackend** backend, TidegateError* error) noexcept {
  return guarded(kName, error, [&]() -> Failure {
    *backend = new TidegateBackend;
    return {};
  });
}

const char* library_version(TidegateBackend*) noexcept { return "0"; }

TidegateCode load(TidegateBackend*, const char* folder, TidegateModel** model, TidegateError* error) noexcept {
  return guarded(kName, error, [&]() -> Failure {
    auto loaded = std::make_unique<TidegateModel>();
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() != ".onnx") continue;
      std::ifstream file(entry.path());
      if (!(file >> loaded->input_dims[1] >> loaded->output_dims[1])) {
        return {kDataLoss, entry.path().string() + " does not hold two numbers"};
      }
    }
    loaded->input = spec("x", loaded->input_dims);
    loaded->output = spec("y", loaded->output_dims);
    loaded->signature = {"serving_default", "tensorflow/serving/predict", &loaded->input, 1, &loaded->output, 1};
    *model = loaded.release();
    return {};
  });
}

void unload(TidegateModel* model) noexcept { delete model; }

void signatures(TidegateModel* model, const TidegateSignature** signatures, uint64_t* count) noexcept {
  *signatures = &model->signature;
  *count = 1;
}

TidegateCode run(TidegateModel* model, uint64_t, const TidegateTensor* inputs, uint64_t num_inputs, const uint64_t*,
                 uint64_t num_outputs, TidegateTensor* outputs, TidegateError* error) noexcept {
  return guarded(kName, error, [&]() -> Failure {
    const int64_t rows = num_inputs == 1 && inputs[0].rank > 0 ? inputs[0].dims[0] : 0;
    for (uint64_t i = 0; i < num_inputs; ++i) inputs[i].release(inputs[i].owner);
    const int64_t columns = model->output_dims[1];
    for (uint64_t i = 0; i < num_outputs; ++i) {
      auto* zeros = new Zeros{{rows, columns}, std::vector<float>(static_cast<size_t>(rows * (columns ? columns : 1)))};
      outputs[i] = {kFloat,
                    model->output.rank,
                    zeros->dims,
                    zeros->values.data(),
                    zeros->values.size() * sizeof(float),
                    [](void* owner) { delete static_cast<Zeros*>(owner); },
                    zeros};
    }
    return {};
  });
}

constexpr TidegateBackendApi kApi = {sizeof(TidegateBackendApi),
                                     TIDEGATE_BACKEND_ABI_VERSION,
                                     kName,
                                     open_backend,
                                     library_version,
                                     load,
                                     unload,
                                     signatures,
                                     run};

}  // namespace
}  // namespace tidegate::serving

extern "C" __attribute__((visibility("default"))) const TidegateBackendApi* tidegate_backend_entry(
    uint32_t host_abi_version, uint64_t host_struct_size) {
  return tidegate::serving::offer(tidegate::serving::kApi, host_abi_version, host_struct_size);
}
