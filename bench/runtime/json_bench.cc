// What it costs to read a request's numbers from JSON: the same 256 images, nested as TensorFlow Serving's rows and
// flat as the Open Inference Protocol's data, and to print an answer.
#include <benchmark/benchmark.h>

#include <string>

#include "base/strings.h"
#include "serving-runtime/api/json/json_tensor.h"
#include "serving-runtime/api/oip/infer_json.h"
#include "serving-runtime/api/tfs/predict_json.h"

namespace tidegate::serving {
namespace {

constexpr int kRows = 256, kColumns = 784;

// Grey values as people send them.
void append_grey(std::string& out, int row, int column) {
  const double value = (row * 37 + column * 101) % 256 / 255.0;
  base::append(out, static_cast<double>(static_cast<int>(value * 10'000 + 0.5)) / 10'000);
}

// `nested`: each image a list of its own.
std::string numbers(bool nested) {
  std::string out = "[";
  for (int row = 0; row < kRows; ++row) {
    if (row) out += ',';
    if (nested) out += '[';
    for (int column = 0; column < kColumns; ++column) {
      if (column) out += ',';
      append_grey(out, row, column);
    }
    if (nested) out += ']';
  }
  return out + "]";
}

void count_bytes(benchmark::State& state, const std::string& body) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(body.size()));
}

void ReadRows(benchmark::State& state) {
  const std::string body = R"({"instances":)" + numbers(true) + "}";
  model::Signature signature;
  signature.inputs = {{"x", "x", model::DataType::kFloat, false, {-1, kColumns}}};
  for (auto _ : state) {
    const auto document = tfs::RequestDocument::scan(body);
    auto inputs = tfs::decode_predict(*document, signature);
    if (!inputs.ok()) return state.SkipWithError("the request is refused");
    benchmark::DoNotOptimize(inputs);
  }
  count_bytes(state, body);
}
BENCHMARK(ReadRows)->Unit(benchmark::kMicrosecond);

void ReadFlatData(benchmark::State& state) {
  const std::string body = base::cat(R"({"inputs":[{"name":"x","datatype":"FP32","shape":[)", kRows, ",", kColumns,
                                     R"(],"data":)", numbers(false), "}]}");
  for (auto _ : state) {
    auto request = oip::parse_infer(body, std::nullopt);
    if (!request.ok()) return state.SkipWithError("the request is refused");
    benchmark::DoNotOptimize(request);
  }
  count_bytes(state, body);
}
BENCHMARK(ReadFlatData)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tidegate::serving
