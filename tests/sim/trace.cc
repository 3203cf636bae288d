#include "sim/trace.h"

#include <cstdio>

#include "base/strings.h"

namespace tidegate::sim {

void Trace::add_to_hash(std::string_view bytes) {
  for (const unsigned char byte : bytes) hash_ = (hash_ ^ byte) * 1099511628211ull;
}

std::string Trace::clock(absl::Time time) const {
  const int64_t ms = absl::ToInt64Milliseconds(time - start_);
  char text[32];
  std::snprintf(text, sizeof text, "%4lld:%02lld.%03lld", static_cast<long long>(ms / 60000),
                static_cast<long long>(ms / 1000 % 60), static_cast<long long>(ms % 1000));
  return text;
}

void Trace::note(absl::Time now, std::string_view who, std::string_view what) {
  std::string line = base::cat(clock(now), "  ", who);
  if (who.size() < 12) line.append(12 - who.size(), ' ');
  line += base::cat(" ", what);
  add_to_hash(line);
  lines_.push_back(std::move(line));
}

void Trace::mix(absl::Time now, std::string_view what) {
  add_to_hash(base::cat(absl::ToUnixNanos(now)));
  add_to_hash(what);
}

void Trace::violate(absl::Time now, std::string invariant, std::string what) {
  note(now, "VIOLATED", base::cat(invariant, ": ", what));
  violations_.push_back({std::move(invariant), std::move(what), now});
}

std::string Trace::text(size_t lines) const {
  const size_t first = lines == 0 || lines_.size() <= lines ? 0 : lines_.size() - lines;
  std::string text;
  if (first > 0) text = base::cat("  … ", first, " earlier lines, see --trace\n");
  for (size_t i = first; i < lines_.size(); ++i) text += base::cat(lines_[i], "\n");
  return text;
}

}  // namespace tidegate::sim
