#pragma once
// How many times the size of their files models take in memory, learned from those that were loaded, so that room can
// be made for one that never was. Pure.
#include <cstdint>
#include <map>
#include <string>

namespace tidegate::serving {

class MemoryGuess {
 public:
  // A model of `file_bytes` > 0 has turned out to take `bytes`. False when that was known.
  bool learn(const std::string& model, uint64_t file_bytes, uint64_t bytes);
  // It is to tell nothing any more.
  void forget(const std::string& model);

  bool knows_any() const { return !ratios_.empty(); }
  // Never less than the files; just these before anything was learned.
  uint64_t expected_bytes(uint64_t file_bytes) const;

 private:
  void find_usual();

  std::map<std::string, double> ratios_;
  double usual_ = 1;
};

}  // namespace tidegate::serving
