#pragma once
// How much two models' answers to the same inputs differ, over any number of them. Pure.
#include <absl/status/status.h>

#include <cstdint>

#include "serving-runtime/core/tensor.h"

namespace tidegate::serving {

// Of one output. Numbers are compared as doubles, whatever the two types are; NaN equals NaN. Strings are equal or not.
struct OutputDifference {
  int64_t elements = 0;
  int64_t unequal = 0;      // not the same number or string
  int64_t strings = 0;      // all elements or none
  int64_t one_is_nan = 0;   // NaN, or infinite, on one side alone; not in the figures below
  double sum_absolute = 0;  // of |a - b|
  double max_absolute = 0;
  double max_relative = 0;  // of |a - b| / |a|, where |a| > 0
  // Rows whose last dimension has two or more numbers: the index of the largest (the first of equals) is the label.
  // With NaN on one side alone they do not agree.
  int64_t labels = 0;
  int64_t labels_agree = 0;

  double mean_absolute() const;
  // 0..1; 1 when there are no labels.
  double label_agreement() const;

  // Adds one more pair of answers. INVALID_ARGUMENT when their shapes differ, or one is of strings and the other not.
  absl::Status add(const Tensor& a, const Tensor& b);

 private:
  absl::Status add_strings(const Tensor& a, const Tensor& b);
  void add_number(double a, double b);
  void add_labels(const std::vector<double>& a, const std::vector<double>& b, size_t width);
};

}  // namespace tidegate::serving
