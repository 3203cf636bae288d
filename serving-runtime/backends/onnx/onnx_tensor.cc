#include "serving-runtime/backends/onnx/onnx_tensor.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "model/onnx_type.h"

namespace tidegate::serving {
namespace {

Failure strings_to_ort(const OnnxEnvironment& environment, const TidegateTensor& tensor, OrtOwned<OrtValue>& value) {
  const OrtApi& api = environment.api();
  TIDEGATE_ORT_TRY(environment.library(),
                   api.CreateTensorAsOrtValue(environment.allocator(), tensor.dims, static_cast<size_t>(tensor.rank),
                                              ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, value.out()));
  auto* strings = static_cast<const TidegateString*>(tensor.data);
  for (size_t i = 0; i < tensor.bytes / sizeof(TidegateString); ++i) {
    // Not FillStringTensor, which ends a string at its first NUL.
    char* buffer = nullptr;
    TIDEGATE_ORT_TRY(environment.library(),
                     api.GetResizedStringTensorElementBuffer(value.get(), i, strings[i].size, &buffer));
    if (strings[i].size > 0) std::memcpy(buffer, strings[i].data, strings[i].size);
  }
  return {};
}

// What an output tensor that the host holds keeps alive.
struct HeldValue {
  OrtOwned<OrtValue> value;
  std::string copy;  // strings, one after another, or numbers
  std::vector<TidegateString> strings;
};

Failure hold_strings(const OnnxEnvironment& environment, size_t count, HeldValue& held) {
  const OrtApi& api = environment.api();
  size_t size = 0;
  TIDEGATE_ORT_TRY(environment.library(), api.GetStringTensorDataLength(held.value.get(), &size));
  held.copy.resize(size);
  std::vector<size_t> begins(count + 1, size);
  if (count > 0) {
    TIDEGATE_ORT_TRY(environment.library(),
                     api.GetStringTensorContent(held.value.get(), held.copy.data(), size, begins.data(), count));
  }
  for (size_t i = 0; i < count; ++i) held.strings.push_back({held.copy.data() + begins[i], begins[i + 1] - begins[i]});
  return {};
}

bool lies_in(const void* data, std::span<const TidegateTensor> tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [&](const TidegateTensor& tensor) {
    auto* begin = static_cast<const char*>(tensor.data);
    return std::less_equal<const void*>()(begin, data) && std::less<const void*>()(data, begin + tensor.bytes);
  });
}

size_t element_count(const int64_t* dims, size_t rank) {
  size_t count = 1;
  for (size_t i = 0; i < rank; ++i) count *= static_cast<size_t>(dims[i]);
  return count;
}

}  // namespace

Failure to_ort(const OnnxEnvironment& environment, const TidegateTensor& tensor, OrtOwned<OrtValue>& value) {
  auto type = static_cast<model::DataType>(tensor.dtype);
  if (type == model::DataType::kString) return strings_to_ort(environment, tensor, value);
  int32_t number = model::to_onnx_type(type);
  if (number == 0) return {kInvalidArgument, "ONNX has no type for " + std::string(model::tensorflow_name(type))};
  // No request has empty data with a null pointer in mind.
  static char nothing = 0;
  return environment.library().failure(environment.api().CreateTensorWithDataAsOrtValue(
      environment.host_memory(), tensor.data ? tensor.data : &nothing, tensor.bytes, tensor.dims,
      static_cast<size_t>(tensor.rank), static_cast<ONNXTensorElementDataType>(number), value.out()));
}

Failure from_ort(const OnnxEnvironment& environment, OrtOwned<OrtValue> value, std::span<const TidegateTensor> inputs,
                 TidegateTensor& tensor) {
  const OrtApi& api = environment.api();
  auto held = std::make_unique<HeldValue>(HeldValue{std::move(value), {}, {}});
  ONNXTensorElementDataType number{};
  const int64_t* dims = nullptr;  // the value's own
  size_t rank = 0;
  TIDEGATE_ORT_TRY(environment.library(),
                   api.GetTensorElementTypeAndShapeDataReference(held->value.get(), &number, &dims, &rank));
  model::DataType type = model::from_onnx_type(number);
  size_t count = element_count(dims, rank);
  TidegateTensor out{};
  out.dtype = static_cast<int32_t>(type);
  out.rank = static_cast<int32_t>(rank);
  out.dims = dims;
  if (type == model::DataType::kString) {
    if (Failure failure = hold_strings(environment, count, *held); !failure.ok()) return failure;
    out.data = held->strings.data();
    out.bytes = count * sizeof(TidegateString);
  } else {
    TIDEGATE_ORT_TRY(environment.library(), api.GetTensorMutableData(held->value.get(), &out.data));
    out.bytes = count * model::size_of(type);
    if (lies_in(out.data, inputs)) {
      held->copy.assign(static_cast<const char*>(out.data), out.bytes);
      out.data = held->copy.data();
    }
  }
  out.release = [](void* owner) { delete static_cast<HeldValue*>(owner); };
  out.owner = held.release();
  tensor = out;
  return {};
}

}  // namespace tidegate::serving
