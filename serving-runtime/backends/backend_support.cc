#include "serving-runtime/backends/backend_support.h"

#include <dlfcn.h>

// Build trees know where pip put the library; installed backends do not.
#ifndef TIDEGATE_LIBRARY_DIR
#define TIDEGATE_LIBRARY_DIR ""
#endif

namespace tidegate::serving {
namespace {

// The folder that this shared object was loaded from.
std::string own_folder() {
  Dl_info info{};
  if (!dladdr(reinterpret_cast<void*>(&own_folder), &info) || !info.dli_fname) return ".";
  std::string path = info.dli_fname;
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace

std::vector<std::string> library_folders(const std::string& chosen, const std::string& library) {
  if (!chosen.empty()) return {chosen};
  std::string own = own_folder();
  std::vector<std::string> folders = {own, own + "/../" + library};
  if (std::string build_tree = TIDEGATE_LIBRARY_DIR; !build_tree.empty()) folders.push_back(build_tree);
  return folders;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

}  // namespace tidegate::serving
