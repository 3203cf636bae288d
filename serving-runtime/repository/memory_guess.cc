#include "serving-runtime/repository/memory_guess.h"

#include <algorithm>
#include <vector>

namespace tidegate::serving {

bool MemoryGuess::learn(const std::string& model, uint64_t file_bytes, uint64_t bytes) {
  const double ratio = static_cast<double>(bytes) / static_cast<double>(file_bytes);
  const auto [at, fresh] = ratios_.try_emplace(model, ratio);
  if (!fresh && at->second == ratio) return false;
  at->second = ratio;
  find_usual();
  return true;
}

void MemoryGuess::forget(const std::string& model) {
  if (ratios_.erase(model) > 0) find_usual();
}

// The lower median, since one of them, the first, tells more of its backend than of itself.
void MemoryGuess::find_usual() {
  usual_ = 1;
  if (ratios_.empty()) return;
  std::vector<double> ratios;
  for (const auto& [model, ratio] : ratios_) ratios.push_back(ratio);
  const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>((ratios.size() - 1) / 2);
  std::nth_element(ratios.begin(), middle, ratios.end());
  usual_ = *middle;
}

uint64_t MemoryGuess::expected_bytes(uint64_t file_bytes) const {
  return std::max(file_bytes, static_cast<uint64_t>(static_cast<double>(file_bytes) * usual_));
}

}  // namespace tidegate::serving
