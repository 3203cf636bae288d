#include "serving-runtime/core/response_cache.h"

#include "base/digest.h"
#include "base/strings.h"

namespace tidegate::serving {
namespace {

// What an entry takes beside its data.
constexpr uint64_t kOverhead = 256;

void add_number(base::Sha256& hash, uint64_t number) { hash.update(&number, sizeof number); }

void add_tensor(base::Sha256& hash, const Tensor& tensor) {
  add_number(hash, static_cast<uint64_t>(tensor.type()));
  add_number(hash, tensor.shape().size());
  for (const int64_t size : tensor.shape()) add_number(hash, static_cast<uint64_t>(size));
  if (tensor.type() != model::DataType::kString) return hash.update(tensor.raw(), tensor.raw_bytes());
  for (const TidegateString& text : tensor.strings()) {
    add_number(hash, text.size);
    hash.update(text.data, text.size);
  }
}

std::string key_of(uint64_t model, size_t signature, std::span<const Tensor> inputs,
                   std::span<const uint64_t> outputs) {
  base::Sha256 hash;
  add_number(hash, model);
  add_number(hash, signature);
  add_number(hash, outputs.size());
  for (const uint64_t output : outputs) add_number(hash, output);
  for (const Tensor& input : inputs) add_tensor(hash, input);
  return hash.finish();
}

uint64_t bytes_of(const std::vector<Tensor>& tensors) {
  uint64_t bytes = kOverhead;
  for (const Tensor& tensor : tensors) {
    bytes += tensor.shape().size() * sizeof(int64_t);
    bytes += memory_of(tensor);
  }
  return bytes;
}

// The answer's tensors once more, on the same memory.
std::vector<Tensor> share(const ResponseCache::Tensors& answer) {
  std::vector<Tensor> tensors;
  for (const Tensor& tensor : *answer) {
    const std::shared_ptr<const Tensor> whole(answer, &tensor);
    tensors.push_back(Tensor::view_of(whole, tensor.shape(), 0, tensor.raw_bytes()));
  }
  return tensors;
}

}  // namespace

ResponseCache::Tensors ResponseCache::find(const std::string& key) {
  std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    ++counts_.misses;
    return nullptr;
  }
  ++counts_.hits;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->answer;
}

void ResponseCache::keep(const std::string& key, Tensors answer) {
  const uint64_t bytes = bytes_of(*answer);
  if (bytes > max_bytes_) return;
  std::lock_guard lock(mutex_);
  if (by_key_.contains(key)) return;  // asked for twice at the same time
  while (counts_.bytes + bytes > max_bytes_) {
    counts_.bytes -= entries_.back().bytes;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
  entries_.push_front({key, std::move(answer), bytes});
  by_key_[key] = entries_.begin();
  counts_.bytes += bytes;
}

ResponseCache::Counts ResponseCache::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

absl::StatusOr<std::vector<Tensor>> ModelCache::run(const LoadedModel& model, size_t signature,
                                                    std::span<Tensor> inputs, std::span<const uint64_t> outputs,
                                                    CacheUse& use) const {
  const absl::Duration begin = clock_.uptime();
  const std::string key = key_of(number_, signature, inputs, outputs);
  if (const ResponseCache::Tensors known = cache_.find(key)) {
    use.kind = CacheUse::Kind::kHit;
    return share(known);
  }
  const absl::Duration looked = clock_.uptime();
  auto results = model.run(signature, inputs, outputs);
  if (!results.ok()) return results;
  const absl::Duration ran = clock_.uptime();
  // Copied: they may be views of a whole batch, which would stay in memory with them, uncounted.
  auto answer = std::make_shared<std::vector<Tensor>>();
  for (const Tensor& result : *results) answer->push_back(copy_of(result));
  cache_.keep(key, answer);
  use = {CacheUse::Kind::kMiss, looked - begin + (clock_.uptime() - ran)};
  return share(answer);
}

}  // namespace tidegate::serving
