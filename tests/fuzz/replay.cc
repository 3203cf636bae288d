// fuzz_replay TARGET FOLDER...: gives every file in the folders to one fuzz target, by their names' order and without a
// fuzzer, so that any build finds out when an input that is known breaks something again. CTest runs it for each target
// with tests/fuzz/corpus and with the seeds that write_seeds makes. Names each file before it is read: the last one is
// what broke. Fails too when there is no file at all.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string_view>
#include <vector>

#define FUZZ_TARGET(name) extern "C" int fuzz_##name(const uint8_t* data, size_t size);
#include "fuzz_targets.inc"
#undef FUZZ_TARGET

namespace {

namespace fs = std::filesystem;

struct Target {
  std::string_view name;
  int (*run)(const uint8_t* data, size_t size);
};

constexpr Target kTargets[] = {
#define FUZZ_TARGET(name) {#name, fuzz_##name},
#include "fuzz_targets.inc"
#undef FUZZ_TARGET
};

// A folder that is not there has no files: not every target has text, and not every one seeds.
std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::exists(folder)) return files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void replay(const Target& target, const fs::path& file) {
  std::cerr << target.name << ' ' << file.string() << '\n';
  std::ifstream in(file, std::ios::binary);
  // No byte more than was sent, so that AddressSanitizer sees who reads on.
  const std::vector<uint8_t> input{std::istreambuf_iterator<char>(in), {}};
  target.run(input.data(), input.size());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  const auto* target =
      arguments.empty() ? std::end(kTargets) : std::ranges::find(kTargets, arguments[0], &Target::name);
  if (target == std::end(kTargets)) {
    std::cerr << "fuzz_replay TARGET FOLDER...; there are:";
    for (const Target& one : kTargets) std::cerr << ' ' << one.name;
    std::cerr << '\n';
    return 2;
  }
  size_t count = 0;
  for (size_t i = 1; i < arguments.size(); ++i) {
    for (const fs::path& file : files_in(arguments[i])) {
      replay(*target, file);
      ++count;
    }
  }
  std::cout << count << " inputs\n";
  return count > 0 ? 0 : 1;
}
