#include "serving-runtime/backends/litert/litert_options.h"

#include <charconv>

namespace tidegate::serving::litert {
namespace {

constexpr int kMostThreads = 1024;

Failure wrong(const std::string& key, const std::string& value, const char* expected) {
  return {kInvalidArgument, "option " + key + " of the litert backend must be " + expected + ", not '" + value + "'"};
}

Failure read_count(const std::string& key, const std::string& value, int& count) {
  const char* end = value.data() + value.size();
  auto parsed = std::from_chars(value.data(), end, count);
  if (parsed.ec == std::errc() && parsed.ptr == end && count >= 1 && count <= kMostThreads) return {};
  return wrong(key, value, "a number from 1 to 1024");
}

Failure read_switch(const std::string& key, const std::string& value, bool& on) {
  on = value == "true";
  return on || value == "false" ? Failure{} : wrong(key, value, "true or false");
}

}  // namespace

Failure apply_option(const std::string& key, const std::string& value, LitertOptions& options) {
  if (key == "threads") return read_count(key, value, options.threads);
  if (key == "instances") return read_count(key, value, options.instances);
  if (key == "xnnpack") return read_switch(key, value, options.xnnpack);
  if (key == "raw_io") return read_switch(key, value, options.raw_io);
  if (key != "library_dir") return {kInvalidArgument, "the litert backend has no option '" + key + "'"};
  options.library_dir = value;
  return {};
}

}  // namespace tidegate::serving::litert
