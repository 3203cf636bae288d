#pragma once
// backend_abi.h in C++, for backends: each derives its library and its models from the two types here and defines the
// name and the function at the end. backend_face.cc, compiled into each, makes the exported entry and the functions of
// the interface of them; an exception becomes INTERNAL there.
#include <memory>
#include <span>
#include <string>

#include "serving-runtime/backends/backend_support.h"

struct TidegateModel {
  virtual ~TidegateModel() = default;
  // As TidegateBackendApi::signatures.
  virtual std::span<const TidegateSignature> signatures() const = 0;
  // As TidegateBackendApi::run. `outputs` has room for those that `wanted` numbers.
  virtual tidegate::serving::Failure run(uint64_t signature, std::span<const TidegateTensor> inputs,
                                         std::span<const uint64_t> wanted, TidegateTensor* outputs) const = 0;
};

struct TidegateBackend {
  virtual ~TidegateBackend() = default;
  // As TidegateBackendApi::library_version.
  virtual const char* library_version() const = 0;
  // As TidegateBackendApi::load.
  virtual tidegate::serving::Failure load(const std::string& folder, std::unique_ptr<TidegateModel>& model) const = 0;
};

namespace tidegate::serving {

// What follows is the backend's to define.
extern const char* const kBackendName;  // "tensorflow"
// As TidegateBackendApi::open.
Failure open_backend(std::span<const TidegateOption> options, std::unique_ptr<TidegateBackend>& backend);

}  // namespace tidegate::serving
