#pragma once
// One input of all requests of a batch, as one tensor.
#include <cstdint>
#include <utility>
#include <vector>

#include "serving-runtime/core/tensor.h"

namespace tidegate::serving {

class BatchInput {
 public:
  // One tensor a request, of one type and number of dimensions, with a row each at least. They must outlive it.
  explicit BatchInput(std::vector<const Tensor*> parts) : parts_(std::move(parts)) {}

  // Makes the rows of all parts as large as the largest in each dimension, with elements behind theirs (see
  // pad_rows()); each part must have elements. False, and nothing is changed, when that would take more than 256 MiB.
  bool pad();
  // As join_rows().
  Tensor join(int64_t rows) const;

 private:
  std::vector<const Tensor*> parts_;  // in memory that is the requests', or of padded_
  std::vector<Tensor> padded_;
};

}  // namespace tidegate::serving
