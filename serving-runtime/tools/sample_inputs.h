#pragma once
// Inputs for a model that nobody has sent: random ones from a seed, or recorded ones from a file.
#include <absl/status/statusor.h>

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

// A file with a request of TensorFlow Serving's REST predict in each line ({"instances": …} or {"inputs": …}), or with
// the records of a request log, which have that form. Lines for another signature_name, and records without inputs, are
// passed over; INVALID_ARGUMENT when no other is left. Errors name the file and the line.
absl::StatusOr<std::vector<std::vector<NamedTensor>>> read_inputs(const std::string& path,
                                                                  const model::Signature& signature);

// Those of the file, or, when `path` is empty, `runs` random ones from the seed.
absl::StatusOr<std::vector<std::vector<NamedTensor>>> gather_inputs(const std::string& path,
                                                                    const model::Signature& signature, int64_t rows,
                                                                    int runs, uint64_t seed);

}  // namespace tidegate::serving
