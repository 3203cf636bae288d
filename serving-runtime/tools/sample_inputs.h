#pragma once
// Inputs for a model that nobody has sent: random ones from a seed, or recorded ones from a file.
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/signature.h"
#include "serving-runtime/core/tensor.h"

namespace tidegate::serving {

// One tensor for each input of the signature. An open first dimension becomes `rows`, every other open one 1. Floats
// are uniform in [-1, 1), integers in 0..9, bytes (uint8) in 0..255, strings are short words. INVALID_ARGUMENT, with
// the input's name, for a type without values of a fixed size or a shape that is too large.
absl::StatusOr<std::vector<NamedTensor>> random_inputs(const model::Signature& signature, int64_t rows,
                                                       base::Random& random);

// A request's inputs, and where it stands: "FILE, line 7"; empty for a random one.
struct Sample {
  std::vector<NamedTensor> inputs;
  std::string origin;
};
struct Samples {
  std::vector<Sample> requests;
  int failed = 0;  // records of requests that had failed, which are not among them
};

// A file with a request of TensorFlow Serving's REST predict in each line ({"instances": …} or {"inputs": …}), or with
// the records of a request log, which have that form. Passed over are lines for another signature_name, records without
// inputs, those that failed, and, if `model` is not empty, those of other models. INVALID_ARGUMENT when nothing is
// left, or when `model` is empty and there are records of two. Errors name the file and the line.
absl::StatusOr<Samples> read_inputs(const std::string& path, const std::string& model,
                                    const model::Signature& signature);

// What `compare` and `bench` ask.
struct SampleOptions {
  std::string file;   // for read_inputs(); empty: random ones
  std::string model;  // of the file's records
  int64_t rows = 1;   // of random ones, each
  int runs = 1;       // random ones
  uint64_t seed = 1;
};
absl::StatusOr<Samples> gather_inputs(const SampleOptions& options, const model::Signature& signature);

}  // namespace tidegate::serving
