// tensorflow.TensorProto, from the bytes on the wire.
#include "fuzz/tensor_checks.h"
#include "serving-runtime/api/tfs/tensor_proto.h"

namespace tidegate::fuzz {
namespace {

namespace tfs = serving::tfs;
using serving::Tensor;

Tensor decode_again(const tensorflow::TensorProto& proto) {
  tfs::RepeatAllowance allowance(0);  // all elements are there
  auto tensor = tfs::from_proto(proto, allowance);
  require(tensor.ok(), "what was written can be read", tensor.status().ToString());
  return *std::move(tensor);
}

// TensorFlow has two forms of numbers; what is served comes in either.
void require_same_raw(const Tensor& tensor) {
  if (tensor.type() == model::DataType::kString || tensor.raw_bytes() == 0) return;
  tensorflow::TensorProto raw;
  raw.set_dtype(static_cast<int32_t>(tensor.type()));
  for (int64_t size : tensor.shape()) raw.mutable_tensor_shape()->add_dim()->set_size(size);
  raw.set_tensor_content(std::string(tensor.bytes()));
  require_same(tensor, decode_again(raw));
}

}  // namespace
}  // namespace tidegate::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate::fuzz;
  constexpr size_t kAllowance = 1 << 20;
  tensorflow::TensorProto proto;
  if (!proto.ParseFromArray(data, static_cast<int>(size))) return 0;
  tfs::RepeatAllowance allowance(kAllowance);
  auto tensor = tfs::from_proto(proto, allowance);
  if (!tensor.ok()) return require_client_error(tensor.status()), 0;
  require_whole(*tensor);
  require(tensor->raw_bytes() <= kAllowance + 16 * size, "a tensor is no larger than what was sent and was allowed");
  tensorflow::TensorProto written;
  tfs::to_proto(*tensor, written);
  require_same(*tensor, decode_again(written));
  require_same_raw(*tensor);
  return 0;
}
