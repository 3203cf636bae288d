#pragma once
// What the flags of all commands have in common: which numbers they take, and how a mistake is told.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

namespace tidegate::serving {

// Flags that are added to `app` while it lives stand under that heading of its help.
class OptionGroup {
 public:
  OptionGroup(CLI::App& app, const std::string& name)
      : defaults_(*app.option_defaults()), before_(defaults_.get_group()) {
    defaults_.group(name);
  }
  ~OptionGroup() { defaults_.group(before_); }
  OptionGroup(const OptionGroup&) = delete;
  OptionGroup& operator=(const OptionGroup&) = delete;

 private:
  CLI::OptionDefaults& defaults_;
  const std::string before_;
};

// Finite numbers from 0 on, or above it; also of integer flags.
CLI::Validator non_negative_number();
CLI::Validator positive_number();
// Numbers from 0 to 1.
CLI::Validator share();
// "64MB", "2gib" or a number of bytes, at least so many; to transform() a flag with.
CLI::Validator size_in_bytes(uint64_t least = 0);

// Prints the help or version that was asked for and returns 0; or tells a mistake on standard error, with the name of
// the command, and returns 2.
int tell(const CLI::App& app, const CLI::ParseError& error);

}  // namespace tidegate::serving
