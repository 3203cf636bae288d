#include "serving-runtime/api/oip/raw_tensor.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"

namespace tidegate::serving::oip {
namespace {

absl::StatusOr<StringList> split_strings(std::string_view bytes, int64_t count) {
  StringList strings;
  while (!bytes.empty() && static_cast<int64_t>(strings.size()) < count) {
    uint32_t size = 0;
    if (bytes.size() < sizeof size) break;
    std::memcpy(&size, bytes.data(), sizeof size);
    bytes.remove_prefix(sizeof size);
    if (size > bytes.size()) break;
    strings.push(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  if (static_cast<int64_t>(strings.size()) == count && bytes.empty()) return strings;
  return absl::InvalidArgumentError(base::cat("the raw bytes do not hold ", count, " strings, each behind its length"));
}

}  // namespace

absl::StatusOr<Tensor> from_raw(model::DataType type, Shape shape, std::string_view bytes) {
  TG_ASSIGN_OR_RETURN(int64_t count, element_count(shape));
  if (type == model::DataType::kString) {
    TG_ASSIGN_OR_RETURN(StringList strings, split_strings(bytes, count));
    return Tensor(std::move(shape), std::move(strings));
  }
  size_t expected = static_cast<size_t>(count) * model::size_of(type);
  if (bytes.size() != expected) {
    return absl::InvalidArgumentError(base::cat(bytes.size(), " raw bytes were sent; datatype ", model::oip_name(type),
                                                " and shape ", shape_text(shape), " need ", expected));
  }
  if (type == model::DataType::kBool &&
      !std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0 || c == 1; })) {
    return absl::InvalidArgumentError("a raw BOOL is a byte 0 or 1");
  }
  AlignedBuffer data;
  data.append(bytes);
  return Tensor(type, std::move(shape), std::move(data));
}

void append_raw(std::string& out, const Tensor& tensor) {
  if (tensor.type() != model::DataType::kString) {
    out.append(tensor.bytes());
    return;
  }
  for (const TidegateString& text : tensor.strings()) {
    auto size = static_cast<uint32_t>(text.size);
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
    out.append(text.data, text.size);
  }
}

absl::StatusOr<model::DataType> parse_type(std::string_view datatype, std::string_view input) {
  model::DataType type = model::from_oip_name(datatype);
  if (type != model::DataType::kInvalid) return type;
  return absl::InvalidArgumentError(base::cat("input '", input, "' has the unknown datatype '", datatype, "'"));
}

}  // namespace tidegate::serving::oip
