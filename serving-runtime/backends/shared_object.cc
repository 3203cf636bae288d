#include "serving-runtime/backends/shared_object.h"

#include <dlfcn.h>
#include <elf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <vector>

namespace tidegate::serving {
namespace {

// The size that the file needs at least, from the segments that will be mapped and the table of sections, which is last
// in it; 0: that is for dlopen to find out.
uint64_t bytes_needed(std::istream& file) {
  Elf64_Ehdr header{};
  if (!file.read(reinterpret_cast<char*>(&header), sizeof header)) return 0;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) return 0;
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return 0;
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  const uint64_t table_bytes = segments.size() * sizeof(Elf64_Phdr);
  const uint64_t sections_bytes = uint64_t{header.e_shnum} * header.e_shentsize;
  uint64_t needed = std::max(header.e_phoff + table_bytes, header.e_shoff + sections_bytes);
  file.seekg(static_cast<std::streamoff>(header.e_phoff));
  if (!file.read(reinterpret_cast<char*>(segments.data()), static_cast<std::streamsize>(table_bytes))) return needed;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_LOAD) needed = std::max(needed, segment.p_offset + segment.p_filesz);
  }
  return needed;
}

}  // namespace

std::string fault_of_shared_object(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto size = file.tellg();
  if (size < 0) return {};
  file.seekg(0);
  const uint64_t needed = bytes_needed(file);
  if (needed <= static_cast<uint64_t>(size)) return {};
  return path + " is cut short: it has " + std::to_string(size) + " of at least " + std::to_string(needed) + " bytes";
}

void* open_shared_object(const std::string& path, std::string& error) {
  if (error = fault_of_shared_object(path); !error.empty()) return nullptr;
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) error = dlerror();
  return handle;
}

}  // namespace tidegate::serving
