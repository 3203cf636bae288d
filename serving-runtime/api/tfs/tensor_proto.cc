#include "serving-runtime/api/tfs/tensor_proto.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"

namespace tidegate::serving::tfs {
namespace {

using model::DataType;
using tensorflow::TensorProto;

absl::StatusOr<Shape> read_shape(const TensorProto& proto) {
  if (proto.tensor_shape().unknown_rank()) return absl::InvalidArgumentError("Tensor shape has an unknown rank");
  if (static_cast<size_t>(proto.tensor_shape().dim_size()) > kMostDimensions) {
    return absl::InvalidArgumentError(base::cat("A tensor has at most ", kMostDimensions, " dimensions"));
  }
  Shape shape;
  for (const auto& dim : proto.tensor_shape().dim()) shape.push_back(dim.size());
  return shape;
}

// Typed values into memory, `parts` of them an element; a short list repeats its last element, an empty one is zeros.
template <class To, int parts = 1, class Field>
absl::StatusOr<AlignedBuffer> expand(const Field& field, int64_t count, RepeatAllowance& allowance) {
  int64_t given = std::min<int64_t>(count, field.size() / parts);
  if (!allowance.take(static_cast<uint64_t>(count - given), sizeof(To) * parts)) {
    return absl::InvalidArgumentError(base::cat("A tensor of ", count, " elements came with only ", given, " values"));
  }
  AlignedBuffer data(static_cast<size_t>(count) * sizeof(To) * parts);
  auto* out = reinterpret_cast<To*>(data.data());
  for (int64_t i = 0; i < given * parts; ++i) out[i] = static_cast<To>(field.Get(static_cast<int>(i)));
  for (int64_t i = given * parts; i < count * parts; ++i) out[i] = given ? out[i - parts] : To{};
  return data;
}

absl::StatusOr<AlignedBuffer> read_numbers(const TensorProto& proto, DataType type, int64_t count,
                                           RepeatAllowance& allowance) {
  switch (type) {
    case DataType::kFloat:
      return expand<float>(proto.float_val(), count, allowance);
    case DataType::kDouble:
      return expand<double>(proto.double_val(), count, allowance);
    case DataType::kInt32:
    case DataType::kQint32:
      return expand<int32_t>(proto.int_val(), count, allowance);
    case DataType::kInt16:
    case DataType::kQint16:
      return expand<int16_t>(proto.int_val(), count, allowance);
    case DataType::kInt8:
    case DataType::kQint8:
      return expand<int8_t>(proto.int_val(), count, allowance);
    case DataType::kUint8:
    case DataType::kQuint8:
      return expand<uint8_t>(proto.int_val(), count, allowance);
    case DataType::kUint16:
    case DataType::kQuint16:
      return expand<uint16_t>(proto.int_val(), count, allowance);
    case DataType::kInt64:
      return expand<int64_t>(proto.int64_val(), count, allowance);
    case DataType::kBool:
      return expand<uint8_t>(proto.bool_val(), count, allowance);
    case DataType::kHalf:
    case DataType::kBfloat16:
      return expand<uint16_t>(proto.half_val(), count, allowance);
    case DataType::kUint32:
      return expand<uint32_t>(proto.uint32_val(), count, allowance);
    case DataType::kUint64:
      return expand<uint64_t>(proto.uint64_val(), count, allowance);
    case DataType::kComplex64:
      return expand<float, 2>(proto.scomplex_val(), count, allowance);
    case DataType::kComplex128:
      return expand<double, 2>(proto.dcomplex_val(), count, allowance);
    default:
      return absl::InvalidArgumentError(base::cat("Tensors of type ", model::tensorflow_name(type), " cannot be sent"));
  }
}

// String content: all lengths as varints, then all bytes (tensorflow::port::EncodeStringList).
absl::StatusOr<StringList> read_packed_strings(std::string_view content, int64_t count) {
  std::vector<uint64_t> sizes;
  size_t at = 0;
  while (static_cast<int64_t>(sizes.size()) < count && at < content.size()) {
    uint64_t size = 0;
    for (int shift = 0; at < content.size() && shift < 64; shift += 7) {
      auto byte = static_cast<unsigned char>(content[at++]);
      size |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (!(byte & 0x80)) break;
    }
    sizes.push_back(size);
  }
  StringList strings;
  for (uint64_t size : sizes) {
    if (size > content.size() - at) break;
    strings.push(content.substr(at, size));
    at += size;
  }
  if (static_cast<int64_t>(strings.size()) == count && at == content.size()) return strings;
  return absl::InvalidArgumentError("tensor_content does not hold the strings that the shape says");
}

absl::StatusOr<StringList> read_strings(const TensorProto& proto, int64_t count, RepeatAllowance& allowance) {
  if (!proto.tensor_content().empty()) return read_packed_strings(proto.tensor_content(), count);
  int64_t given = std::min<int64_t>(count, proto.string_val_size());
  std::string_view last = given == 0 ? std::string_view() : proto.string_val(static_cast<int>(given - 1));
  constexpr size_t kElement = sizeof(TidegateString) + sizeof(size_t);  // what a string takes beside its bytes
  if (!allowance.take(static_cast<uint64_t>(count - given), kElement + last.size())) {
    return absl::InvalidArgumentError(base::cat("A tensor of ", count, " strings came with only ", given));
  }
  StringList strings;
  for (int64_t i = 0; i < given; ++i) strings.push(proto.string_val(static_cast<int>(i)));
  for (int64_t i = given; i < count; ++i) strings.push(last);
  return strings;
}

// Kernels may do anything with a bool that is neither.
bool is_bool(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte == 0 || byte == 1; });
}

template <class From, class Field>
void fill(const Tensor& tensor, Field* field) {
  auto values = tensor.values<From>();
  field->Reserve(static_cast<int>(values.size()));
  for (From value : values) field->AddAlreadyReserved(value);
}

void write_numbers(const Tensor& tensor, TensorProto& proto) {
  switch (tensor.type()) {
    case DataType::kFloat:
      return fill<float>(tensor, proto.mutable_float_val());
    case DataType::kDouble:
      return fill<double>(tensor, proto.mutable_double_val());
    case DataType::kInt32:
    case DataType::kQint32:
      return fill<int32_t>(tensor, proto.mutable_int_val());
    case DataType::kInt16:
    case DataType::kQint16:
      return fill<int16_t>(tensor, proto.mutable_int_val());
    case DataType::kInt8:
    case DataType::kQint8:
      return fill<int8_t>(tensor, proto.mutable_int_val());
    case DataType::kUint8:
    case DataType::kQuint8:
      return fill<uint8_t>(tensor, proto.mutable_int_val());
    case DataType::kUint16:
    case DataType::kQuint16:
      return fill<uint16_t>(tensor, proto.mutable_int_val());
    case DataType::kInt64:
      return fill<int64_t>(tensor, proto.mutable_int64_val());
    case DataType::kBool:
      return fill<uint8_t>(tensor, proto.mutable_bool_val());
    case DataType::kHalf:
    case DataType::kBfloat16:
      return fill<uint16_t>(tensor, proto.mutable_half_val());
    case DataType::kUint32:
      return fill<uint32_t>(tensor, proto.mutable_uint32_val());
    case DataType::kUint64:
      return fill<uint64_t>(tensor, proto.mutable_uint64_val());
    case DataType::kComplex64:
      return fill<float>(tensor, proto.mutable_scomplex_val());
    case DataType::kComplex128:
      return fill<double>(tensor, proto.mutable_dcomplex_val());
    default:
      proto.set_tensor_content(std::string(tensor.bytes()));
  }
}

}  // namespace

absl::StatusOr<Tensor> from_proto(const TensorProto& proto, RepeatAllowance& allowance) {
  auto type = static_cast<DataType>(proto.dtype());
  TG_ASSIGN_OR_RETURN(Shape shape, read_shape(proto));
  TG_ASSIGN_OR_RETURN(int64_t count, element_count(shape));
  if (type == DataType::kString) {
    TG_ASSIGN_OR_RETURN(StringList strings, read_strings(proto, count, allowance));
    return Tensor(std::move(shape), std::move(strings));
  }
  AlignedBuffer data;
  if (!proto.tensor_content().empty()) {
    auto expected = static_cast<size_t>(count) * model::size_of(type);
    if (proto.tensor_content().size() != expected || expected == 0) {
      return absl::InvalidArgumentError(base::cat("tensor_content has ", proto.tensor_content().size(), " bytes; type ",
                                                  model::tensorflow_name(type), " and shape ", shape_text(shape),
                                                  " need ", expected));
    }
    if (type == DataType::kBool && !is_bool(proto.tensor_content())) {
      return absl::InvalidArgumentError("tensor_content of type bool has a byte other than 0 and 1");
    }
    data.append(proto.tensor_content());
  } else {
    TG_ASSIGN_OR_RETURN(data, read_numbers(proto, type, count, allowance));
  }
  return Tensor(type, std::move(shape), std::move(data));
}

void to_proto(const Tensor& tensor, TensorProto& proto, ProtoForm form) {
  proto.set_dtype(static_cast<int32_t>(tensor.type()));
  auto* shape = proto.mutable_tensor_shape();
  for (int64_t size : tensor.shape()) shape->add_dim()->set_size(size);
  if (tensor.type() != DataType::kString) {
    if (form == ProtoForm::kTyped) return write_numbers(tensor, proto);
    return proto.set_tensor_content(std::string(tensor.bytes()));
  }
  for (const TidegateString& text : tensor.strings()) proto.add_string_val(text.data, text.size);
}

}  // namespace tidegate::serving::tfs
