#include "serving-runtime/backends/backend_support.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>

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

TidegateCode report(const Failure& failure, TidegateError* error) {
  if (failure.ok() || !error || error->capacity == 0) return failure.code;
  size_t size = std::min<size_t>(failure.message.size(), error->capacity - 1);
  std::memcpy(error->message, failure.message.data(), size);
  error->message[size] = 0;
  return failure.code;
}

std::vector<std::string> library_folders(const std::string& chosen, const std::string& library,
                                         const std::string& build_tree) {
  if (!chosen.empty()) return {chosen};
  std::string own = own_folder();
  std::vector<std::string> folders = {own, own + "/../" + library};
  if (!build_tree.empty()) folders.push_back(build_tree);
  return folders;
}

const TidegateBackendApi* offer(const TidegateBackendApi& api, uint32_t host_abi_version, uint64_t host_struct_size) {
  const bool fits = host_abi_version == TIDEGATE_BACKEND_ABI_VERSION && host_struct_size >= sizeof(TidegateBackendApi);
  return fits ? &api : nullptr;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

}  // namespace tidegate::serving
