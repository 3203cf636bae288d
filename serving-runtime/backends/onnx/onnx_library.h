#pragma once
// ONNX Runtime's C API, opened at run time: the library belongs to an image flavour, not to our binary. Only the onnx
// backend includes this.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "serving-runtime/backends/backend_support.h"

#include <onnxruntime_c_api.h>

namespace tidegate::serving {

struct OnnxLibrary {
  const OrtApi* api = nullptr;
  std::string version;  // "1.31.1"

  // Looks in `folders` in their order for libonnxruntime.so, with a version behind it or without. NOT_FOUND says where
  // it looked; FAILED_PRECONDITION: it cannot be opened or is too old. The library stays open for ever.
  static Failure open(const std::vector<std::string>& folders, OnnxLibrary& library);

  // What a call returned, by canonical code; frees it.
  Failure failure(OrtStatus* status) const;
};

// Owns one of ONNX Runtime's objects; `release` is the API's function for its kind.
template <class Object>
class OrtOwned {
 public:
  explicit OrtOwned(void (*release)(Object*), Object* object = nullptr) : release_(release), object_(object) {}
  OrtOwned(OrtOwned&& other) noexcept : release_(other.release_), object_(std::exchange(other.object_, nullptr)) {}
  OrtOwned& operator=(OrtOwned&&) = delete;
  ~OrtOwned() {
    if (object_) release_(object_);
  }
  Object* get() const { return object_; }
  // For a call that makes the object.
  Object** out() { return &object_; }

 private:
  void (*release_)(Object*);
  Object* object_;
};

}  // namespace tidegate::serving

// Returns the Failure of a call of ONNX Runtime, or another Failure, to the caller.
#define TIDEGATE_ORT_TRY(library, call)                                                    \
  do {                                                                                     \
    if (auto ort_failed_ = (library).failure(call); !ort_failed_.ok()) return ort_failed_; \
  } while (0)
