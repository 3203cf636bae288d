#include "serving-runtime/api/tfs/tensor_proto.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"

namespace tidegate::serving::tfs {
namespace {

using model::DataType;
using tensorflow::TensorProto;

// A few bytes may claim a tensor of any size by repeating their last value; larger ones must send their content.
constexpr int64_t kMostRepeatedBytes = 256 << 20;
constexpr size_t kMaxRank = 254;

absl::StatusOr<Shape> read_shape(const TensorProto& proto) {
  if (proto.tensor_shape().unknown_rank()) return absl::InvalidArgumentError("Tensor shape has an unknown rank");
  if (static_cast<size_t>(proto.tensor_shape().dim_size()) > kMaxRank) {
    return absl::InvalidArgumentError(base::cat("A tensor has at most ", kMaxRank, " dimensions"));
  }
  Shape shape;
  for (const auto& dim : proto.tensor_shape().dim()) shape.push_back(dim.size());
  return shape;
}

// Typed values into memory; a short list repeats its last value, an empty one is zeros.
template <class To, class Field>
absl::StatusOr<AlignedBuffer> expand(const Field& field, int64_t count) {
  if (count > field.size() && count > kMostRepeatedBytes / static_cast<int64_t>(sizeof(To))) {
    return absl::InvalidArgumentError(
        base::cat("A tensor of ", count, " elements came with only ", field.size(), " values"));
  }
  AlignedBuffer data(static_cast<size_t>(count) * sizeof(To));
  auto* out = reinterpret_cast<To*>(data.data());
  int64_t given = std::min<int64_t>(count, field.size());
  for (int64_t i = 0; i < given; ++i) out[i] = static_cast<To>(field.Get(static_cast<int>(i)));
  std::fill(out + given, out + count, given ? out[given - 1] : To{});
  return data;
}

absl::StatusOr<AlignedBuffer> read_numbers(const TensorProto& proto, DataType type, int64_t count) {
  switch (type) {
    case DataType::kFloat:
      return expand<float>(proto.float_val(), count);
    case DataType::kDouble:
      return expand<double>(proto.double_val(), count);
    case DataType::kInt32:
      return expand<int32_t>(proto.int_val(), count);
    case DataType::kInt16:
      return expand<int16_t>(proto.int_val(), count);
    case DataType::kInt8:
      return expand<int8_t>(proto.int_val(), count);
    case DataType::kUint8:
      return expand<uint8_t>(proto.int_val(), count);
    case DataType::kUint16:
      return expand<uint16_t>(proto.int_val(), count);
    case DataType::kInt64:
      return expand<int64_t>(proto.int64_val(), count);
    case DataType::kBool:
      return expand<uint8_t>(proto.bool_val(), count);
    case DataType::kHalf:
    case DataType::kBfloat16:
      return expand<uint16_t>(proto.half_val(), count);
    case DataType::kUint32:
      return expand<uint32_t>(proto.uint32_val(), count);
    case DataType::kUint64:
      return expand<uint64_t>(proto.uint64_val(), count);
    case DataType::kComplex64:
      return expand<float>(proto.scomplex_val(), 2 * count);
    case DataType::kComplex128:
      return expand<double>(proto.dcomplex_val(), 2 * count);
    default:
      return absl::UnimplementedError(base::cat("Tensors of type ", model::tensorflow_name(type), " cannot be sent"));
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

absl::StatusOr<StringList> read_strings(const TensorProto& proto, int64_t count) {
  if (!proto.tensor_content().empty()) return read_packed_strings(proto.tensor_content(), count);
  int given = proto.string_val_size();
  if (count > given && count > (1 << 20)) {
    return absl::InvalidArgumentError(base::cat("A tensor of ", count, " strings came with only ", given));
  }
  StringList strings;
  for (int64_t i = 0; i < count; ++i) {
    strings.push(given == 0 ? std::string_view()
                            : std::string_view(proto.string_val(static_cast<int>(std::min<int64_t>(i, given - 1)))));
  }
  return strings;
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
      return fill<int32_t>(tensor, proto.mutable_int_val());
    case DataType::kInt16:
      return fill<int16_t>(tensor, proto.mutable_int_val());
    case DataType::kInt8:
      return fill<int8_t>(tensor, proto.mutable_int_val());
    case DataType::kUint8:
      return fill<uint8_t>(tensor, proto.mutable_int_val());
    case DataType::kUint16:
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

absl::StatusOr<Tensor> from_proto(const TensorProto& proto) {
  auto type = static_cast<DataType>(proto.dtype());
  TG_ASSIGN_OR_RETURN(Shape shape, read_shape(proto));
  TG_ASSIGN_OR_RETURN(int64_t count, element_count(shape));
  if (type == DataType::kString) {
    TG_ASSIGN_OR_RETURN(StringList strings, read_strings(proto, count));
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
    data.append(proto.tensor_content());
  } else {
    TG_ASSIGN_OR_RETURN(data, read_numbers(proto, type, count));
  }
  return Tensor(type, std::move(shape), std::move(data));
}

void to_proto(const Tensor& tensor, TensorProto& proto) {
  proto.set_dtype(static_cast<int32_t>(tensor.type()));
  auto* shape = proto.mutable_tensor_shape();
  for (int64_t size : tensor.shape()) shape->add_dim()->set_size(size);
  if (tensor.type() != DataType::kString) return write_numbers(tensor, proto);
  for (const TidegateString& text : tensor.strings()) proto.add_string_val(text.data, text.size);
}

}  // namespace tidegate::serving::tfs
