#pragma once
// Flags of tensorflow_model_server that have no counterpart here, so that its command lines need no change: those that
// only set how it does something are told to be without effect, those without which the server would not do what was
// asked for are refused. The others are options of their own, see options.h.
#include <absl/status/status.h>

#include <map>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tidegate::serving {

// What was given, by the flag's name; false or empty: nothing is asked for.
struct ForeignFlags {
  std::map<std::string, bool> switches;
  std::map<std::string, std::string> values;
};

void add_foreign_flags(CLI::App& app, ForeignFlags& flags);

// INVALID_ARGUMENT with the first flag that cannot be done without, and what to do instead.
absl::Status check(const ForeignFlags& flags);

// A line for each flag that is without effect, and why.
std::vector<std::string> notes(const ForeignFlags& flags);

}  // namespace tidegate::serving
