// A backend that computes nothing: what a request then costs is the front end. Only bench/runtime/measure uses it, in
// the place of the onnx backend; it is in no image.
//
// A version's folder has one file *.onnx of two numbers, "INPUT OUTPUT": the columns of its input x and of its output
// y, or 0 for a tensor of one dimension. It answers each row with zeros.
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "model/data_type.h"
#include "serving-runtime/backends/backend_face.h"

namespace tidegate::serving {
namespace {

constexpr auto kFloat = static_cast<int32_t>(model::DataType::kFloat);

struct Zeros {
  int64_t dims[2];
  std::vector<float> values;
};

TidegateTensorSpec spec(const char* name, const int64_t (&dims)[2]) {
  return {name, name, kFloat, dims[1] == 0 ? 1 : 2, dims};
}

struct NullModel : TidegateModel {
  NullModel(int64_t input_columns, int64_t output_columns)
      : input_dims{-1, input_columns}, output_dims{-1, output_columns} {}

  std::span<const TidegateSignature> signatures() const override { return {&signature, 1}; }

  Failure run(uint64_t, std::span<const TidegateTensor> inputs, std::span<const uint64_t> wanted,
              TidegateTensor* outputs) const override {
    BorrowedInputs borrowed(inputs);
    const int64_t rows = inputs.size() == 1 && inputs[0].rank > 0 ? inputs[0].dims[0] : 0;
    const int64_t columns = output_dims[1];
    for (size_t i = 0; i < wanted.size(); ++i) {
      auto* zeros = new Zeros{{rows, columns}, std::vector<float>(static_cast<size_t>(rows * (columns ? columns : 1)))};
      outputs[i] = {kFloat,
                    output.rank,
                    zeros->dims,
                    zeros->values.data(),
                    zeros->values.size() * sizeof(float),
                    [](void* owner) { delete static_cast<Zeros*>(owner); },
                    zeros};
    }
    return {};
  }

  const int64_t input_dims[2], output_dims[2];
  const TidegateTensorSpec input = spec("x", input_dims), output = spec("y", output_dims);
  const TidegateSignature signature = {"serving_default", "tensorflow/serving/predict", &input, 1, &output, 1};
};

struct NullBackend : TidegateBackend {
  const char* library_version() const override { return "0"; }
  Failure load(const std::string& folder, std::unique_ptr<TidegateModel>& model) const override {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() != ".onnx") continue;
      std::ifstream file(entry.path());
      int64_t input_columns = 0, output_columns = 0;
      if (!(file >> input_columns >> output_columns)) {
        return {kDataLoss, entry.path().string() + " does not hold two numbers"};
      }
      model = std::make_unique<NullModel>(input_columns, output_columns);
      return {};
    }
    return {kNotFound, folder + " has no file *.onnx"};
  }
};

}  // namespace

const char* const kBackendName = "null";

Failure open_backend(std::span<const TidegateOption>, std::unique_ptr<TidegateBackend>& backend) {
  backend = std::make_unique<NullBackend>();
  return {};
}

}  // namespace tidegate::serving
