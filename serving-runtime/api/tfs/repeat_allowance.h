#pragma once
// How much memory a message, or a file of messages, may claim beyond what it sent: a few bytes may ask for a tensor of
// any size, or for many, by leaving its last value to be repeated, and for many copies of a long context. Handed
// through the decoders, one for all that is in memory at once.
#include <cstddef>
#include <cstdint>

namespace tidegate::serving::tfs {

class RepeatAllowance {
 public:
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  static constexpr size_t kBytes = 1 << 20;  // a fuzzer would spend its time on filling memory
#else
  static constexpr size_t kBytes = 256 << 20;
#endif

  explicit RepeatAllowance(size_t bytes = kBytes) : left_(bytes) {}
  // False, and nothing taken, when `count` elements of `element_bytes` each are more than is left.
  bool take(uint64_t count, size_t element_bytes) {
    if (count > left_ / element_bytes) return false;
    left_ -= count * element_bytes;
    return true;
  }

 private:
  size_t left_;
};

}  // namespace tidegate::serving::tfs
