#include "serving-runtime/backends/tensorflow/tensorflow_tensor.h"

#include <cstring>
#include <memory>
#include <vector>

namespace tidegate::serving {
namespace {

struct Release {
  void (*function)(void*);
  void* owner;
};

void release_later(void*, size_t, void* argument) {
  std::unique_ptr<Release> release(static_cast<Release*>(argument));
  if (release->function) release->function(release->owner);
}

// A string tensor whose TF_TStrings are freed with it: TensorFlow's own destructor of a tensor that the C API made
// frees the array, not the strings in it.
struct StringBlock {
  const TensorflowLibrary& library;
  std::vector<TF_TString> strings;
  StringBlock(const TensorflowLibrary& l, size_t count) : library(l), strings(count) {}
  StringBlock(const StringBlock&) = delete;
  StringBlock& operator=(const StringBlock&) = delete;
  ~StringBlock() {
    for (TF_TString& string : strings) library.TF_StringDealloc(&string);
  }
};

TF_Tensor* strings_to_tensorflow(const TensorflowLibrary& library, const TidegateTensor& tensor) {
  size_t count = tensor.bytes / sizeof(TidegateString);
  auto* source = static_cast<const TidegateString*>(tensor.data);
  auto block = std::make_unique<StringBlock>(library, count);
  for (size_t i = 0; i < count; ++i) {
    library.TF_StringInit(&block->strings[i]);
    library.TF_StringCopy(&block->strings[i], source[i].data, source[i].size);
  }
  release(tensor);
  TF_TString* data = block->strings.data();
  return library.TF_NewTensor(
      TF_STRING, tensor.dims, tensor.rank, data, count * sizeof(TF_TString),
      [](void*, size_t, void* argument) { delete static_cast<StringBlock*>(argument); }, block.release());
}

// What an output tensor that the host holds keeps alive.
struct HeldTensor {
  const TensorflowLibrary& library;
  TF_Tensor* tensor;
  std::vector<int64_t> dims;
  std::vector<TidegateString> strings;
  HeldTensor(const TensorflowLibrary& l, TF_Tensor* t) : library(l), tensor(t) {}
  HeldTensor(const HeldTensor&) = delete;
  HeldTensor& operator=(const HeldTensor&) = delete;
  ~HeldTensor() { library.TF_DeleteTensor(tensor); }
};

}  // namespace

TF_Tensor* to_tensorflow(const TensorflowLibrary& library, const TidegateTensor& tensor) {
  if (tensor.dtype == TF_STRING) return strings_to_tensorflow(library, tensor);
  auto* release = new Release{tensor.release, tensor.owner};
  return library.TF_NewTensor(static_cast<TF_DataType>(tensor.dtype), tensor.dims, tensor.rank, tensor.data,
                              tensor.bytes, release_later, release);
}

TidegateTensor from_tensorflow(const TensorflowLibrary& library, TF_Tensor* tensor) {
  auto held = std::make_unique<HeldTensor>(library, tensor);
  for (int i = 0; i < library.TF_NumDims(tensor); ++i) held->dims.push_back(library.TF_Dim(tensor, i));
  TidegateTensor out{};
  out.dtype = library.TF_TensorType(tensor);
  out.rank = static_cast<int32_t>(held->dims.size());
  out.data = library.TF_TensorData(tensor);
  out.bytes = library.TF_TensorByteSize(tensor);
  if (out.dtype == TF_STRING) {
    auto* strings = static_cast<const TF_TString*>(out.data);
    held->strings.resize(static_cast<size_t>(library.TF_TensorElementCount(tensor)));
    for (size_t i = 0; i < held->strings.size(); ++i) {
      held->strings[i] = {library.TF_StringGetDataPointer(&strings[i]), library.TF_StringGetSize(&strings[i])};
    }
    out.data = held->strings.data();
    out.bytes = held->strings.size() * sizeof(TidegateString);
  }
  out.dims = held->dims.data();
  out.release = [](void* owner) { delete static_cast<HeldTensor*>(owner); };
  out.owner = held.release();
  return out;
}

}  // namespace tidegate::serving
