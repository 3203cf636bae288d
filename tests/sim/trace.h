#pragma once
// What happened in one run: a line each, "when, who, what", for a person; and a hash over all of it, so that two runs
// of one seed can be compared. The first violated invariant ends the run.
#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::sim {

struct Violation {
  std::string invariant;  // "I4 drain": the number in docs/simulation.md and a word
  std::string what;
  absl::Time at;
};

class Trace {
 public:
  explicit Trace(absl::Time start) : start_(start) {}

  // Lines that tell the story.
  void note(absl::Time now, std::string_view who, std::string_view what);
  // Goes into the hash only: too much to read.
  void mix(absl::Time now, std::string_view what);
  void violate(absl::Time now, std::string invariant, std::string what);

  bool failed() const { return !violations_.empty(); }
  const std::vector<Violation>& violations() const { return violations_; }
  uint64_t hash() const { return hash_; }
  // The last `lines` lines, oldest first; 0: all.
  std::string text(size_t lines) const;
  // "  12:03.250": minutes and seconds since the start.
  std::string clock(absl::Time time) const;

 private:
  void add_to_hash(std::string_view bytes);

  absl::Time start_;
  std::vector<std::string> lines_;
  std::vector<Violation> violations_;
  uint64_t hash_ = 14695981039346656037ull;  // FNV-1a
};

}  // namespace tidegate::sim
