#include "serving-runtime/command_line.h"

#include <cmath>
#include <iostream>
#include <string>

#include "base/strings.h"

namespace tidegate::serving {
namespace {

using base::cat;

// CLI11's own ranges take NaN, and tell the largest double in full.
CLI::Validator number(std::string description, std::string wanted, bool (*fits)(double)) {
  const auto check = [wanted = std::move(wanted), fits](std::string& text) {
    double value = 0;
    const bool good = CLI::detail::lexical_cast(text, value) && std::isfinite(value) && fits(value);
    return good ? std::string() : cat(text, " is not ", wanted);
  };
  return {check, std::move(description)};
}

// CLI11's words, but for a flag that is given twice.
std::string words_of(const CLI::ParseError& error) {
  const std::string text = error.what();
  const size_t twice = text.find(": At Most 1 required but received");
  return twice == std::string::npos ? text : cat(text.substr(0, twice), " is given more than once");
}

}  // namespace

CLI::Validator non_negative_number() {
  return number("NONNEGATIVE", "a number from 0 on", [](double value) { return value >= 0; });
}

CLI::Validator positive_number() {
  return number("POSITIVE", "a number above 0", [](double value) { return value > 0; });
}

CLI::Validator share() {
  return number("0 to 1", "a number from 0 to 1", [](double value) { return value >= 0 && value <= 1; });
}

CLI::Validator size_in_bytes(uint64_t least) {
  const auto convert = [least](std::string& text) {
    const std::string given = text;
    uint64_t bytes = 0;
    // CLI11 takes -1 for the largest number.
    if (text.find('-') == std::string::npos) {
      if (std::string wrong = CLI::AsSizeValue(false)(text); !wrong.empty()) return wrong;
      if (CLI::detail::lexical_cast(text, bytes) && bytes >= least) return std::string();
    }
    return cat(given, " is not a size from ", least, " bytes on, such as 64MB");
  };
  return {convert, CLI::AsSizeValue(false).get_description()};
}

int tell(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);
  std::string command = app.get_name();
  for (const CLI::App* used : app.get_subcommands()) base::append(command, cat(" ", used->get_name()));
  std::cerr << command << ": " << words_of(error) << "\nSee " << command << " --help\n";
  return 2;
}

}  // namespace tidegate::serving
