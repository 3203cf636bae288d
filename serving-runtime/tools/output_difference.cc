#include "serving-runtime/tools/output_difference.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "serving-runtime/tools/numbers.h"

namespace tidegate::serving {

double OutputDifference::mean_absolute() const {
  const int64_t compared = elements - one_is_nan;
  return compared > 0 ? sum_absolute / static_cast<double>(compared) : 0;
}

double OutputDifference::label_agreement() const {
  return labels > 0 ? static_cast<double>(labels_agree) / static_cast<double>(labels) : 1;
}

absl::Status OutputDifference::add(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) {
    return absl::InvalidArgumentError(
        base::cat("shapes differ: ", shape_text(a.shape()), " and ", shape_text(b.shape())));
  }
  if (a.type() == model::DataType::kString && b.type() == model::DataType::kString) return add_strings(a, b);
  if (!has_numbers(a.type()) || !has_numbers(b.type())) {
    return absl::InvalidArgumentError(base::cat("types cannot be compared: ", model::tensorflow_name(a.type()), " and ",
                                                model::tensorflow_name(b.type())));
  }
  const std::vector<double> of_a = numbers_of(a), of_b = numbers_of(b);
  for (size_t i = 0; i < of_a.size(); ++i) add_number(of_a[i], of_b[i]);
  const size_t width = a.shape().empty() ? 0 : static_cast<size_t>(a.shape().back());
  if (width >= 2 && a.shape().size() >= 2) add_labels(of_a, of_b, width);
  return absl::OkStatus();
}

absl::Status OutputDifference::add_strings(const Tensor& a, const Tensor& b) {
  const auto of_a = a.strings(), of_b = b.strings();
  elements += static_cast<int64_t>(of_a.size());
  strings += static_cast<int64_t>(of_a.size());
  for (size_t i = 0; i < of_a.size(); ++i) {
    if (std::string_view(of_a[i].data, of_a[i].size) != std::string_view(of_b[i].data, of_b[i].size)) ++unequal;
  }
  return absl::OkStatus();
}

void OutputDifference::add_number(double a, double b) {
  ++elements;
  if (a == b || (std::isnan(a) && std::isnan(b))) return;
  ++unequal;
  if (!std::isfinite(a) || !std::isfinite(b)) {
    ++one_is_nan;
    return;
  }
  const double difference = std::abs(a - b);
  sum_absolute += difference;
  max_absolute = std::max(max_absolute, difference);
  if (a != 0) max_relative = std::max(max_relative, difference / std::abs(a));
}

void OutputDifference::add_labels(const std::vector<double>& a, const std::vector<double>& b, size_t width) {
  const auto label = [width](const std::vector<double>& numbers, size_t row) {
    const auto begin = numbers.begin() + static_cast<std::ptrdiff_t>(row * width);
    return std::max_element(begin, begin + static_cast<std::ptrdiff_t>(width)) - begin;
  };
  const auto has_nan = [width](const std::vector<double>& numbers, size_t row) {
    const auto begin = numbers.begin() + static_cast<std::ptrdiff_t>(row * width);
    return std::any_of(begin, begin + static_cast<std::ptrdiff_t>(width), [](double x) { return std::isnan(x); });
  };
  for (size_t row = 0; row < a.size() / width; ++row) {
    ++labels;
    if (has_nan(a, row) == has_nan(b, row) && label(a, row) == label(b, row)) ++labels_agree;
  }
}

}  // namespace tidegate::serving
