#include "serving-runtime/backends/litert/litert_library.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "serving-runtime/backends/shared_object.h"

namespace tidegate::serving::litert {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "/libLiteRt.so";

std::string find_library(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    if (access((folder + kFile).c_str(), R_OK) == 0) return folder + kFile;
  }
  return {};
}

// "2.3.0"; empty: nothing tells it.
std::string version_of(const std::string& path) {
  fs::path folder = fs::path(path).parent_path();
  std::string version;
  if (std::getline(std::ifstream(folder / "VERSION"), version)) return version;
  constexpr std::string_view kPackage = "ai_edge_litert-", kSuffix = ".dist-info";
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder.parent_path(), error)) {
    std::string name = entry.path().filename().string();
    if (!name.starts_with(kPackage) || !name.ends_with(kSuffix)) continue;
    return name.substr(kPackage.size(), name.size() - kPackage.size() - kSuffix.size());
  }
  return {};
}

Failure wrong_library(const std::string& path, const std::string& how) {
  return {kFailedPrecondition, path + " " + how + "; LiteRT " + kLiteRtVersion + " is needed"};
}

Failure check_version(const std::string& path) {
  std::string version = version_of(path);
  if (version == kLiteRtVersion) return {};
  if (!version.empty()) return wrong_library(path, "is of version " + version);
  return wrong_library(path,
                       "is of no known version (there is neither a file VERSION beside it nor its wheel's dist-info)");
}

Failure look_up_functions(void* handle, const std::string& path, LitertLibrary& library) {
  const char* missing = nullptr;
#define TIDEGATE_LOOK_UP(function)                                                      \
  library.function = reinterpret_cast<decltype(&::function)>(dlsym(handle, #function)); \
  if (!library.function) missing = #function;
  TIDEGATE_LITERT_FUNCTIONS(TIDEGATE_LOOK_UP)
#undef TIDEGATE_LOOK_UP
  return missing ? wrong_library(path, std::string("has no function ") + missing) : Failure{};
}

// A type that goes in and comes out the same: the structures are what litert_api.h says.
Failure check_structures(const LitertLibrary& library, const std::string& path) {
  constexpr int32_t kInt16 = 7;
  alignas(kLiteRtHostMemoryAlignment) int16_t elements[2 * 3 * 4]{};
  LiteRtRankedTensorType type{}, returned{};
  type.element_type = kInt16;
  type.layout.rank = 3;
  for (int i = 0; i < 3; ++i) type.layout.dimensions[i] = i + 2;
  LiteRtTensorBuffer buffer = nullptr;
  bool same = !library.LiteRtCreateTensorBufferFromHostMemory(&type, elements, sizeof elements, nullptr, &buffer) &&
              !library.LiteRtGetTensorBufferTensorType(buffer, &returned) && returned.element_type == kInt16 &&
              returned.layout.rank == 3 && !returned.layout.has_strides &&
              std::equal(type.layout.dimensions, type.layout.dimensions + 3, returned.layout.dimensions);
  if (buffer) library.LiteRtDestroyTensorBuffer(buffer);
  return same ? Failure{} : wrong_library(path, "does not read our structures");
}

// Only the CPU: the search for accelerators' libraries would cost time and fill the log. Its notes are no news to
// whoever reads the runtime's log; errors are.
Failure make_environment(LitertLibrary& library) {
  LiteRtEnvOption options[2]{};
  options[0].tag = kLiteRtEnvOptionAutoRegisterAccelerators;
  options[0].value.type = kLiteRtAnyTypeInt;
  options[0].value.int_value = kLiteRtHwAcceleratorCpu;
  options[1].tag = kLiteRtEnvOptionMinLoggerSeverity;
  options[1].value.type = kLiteRtAnyTypeInt;
  options[1].value.int_value = kLiteRtLogSeverityError;
  LiteRtStatus status = library.LiteRtCreateEnvironment(2, options, &library.environment);
  return status ? failure_of(status, "LiteRT cannot be started") : Failure{};
}

struct StatusWords {
  LiteRtStatus status;
  TidegateCode code;
  const char* words;
};
constexpr TidegateCode kResourceExhausted = 8;
constexpr StatusWords kStatuses[] = {
    {1, kInvalidArgument, "invalid argument"},
    {2, kResourceExhausted, "out of memory"},
    {3, kInternal, "failure at run time"},
    {4, kInvalidArgument, "missing input"},
    {5, kUnimplemented, "unsupported"},
    {6, kNotFound, "not found"},
    {8, kFailedPrecondition, "wrong version"},
    {500, kDataLoss, "the file cannot be read"},
    {501, kDataLoss, "invalid FlatBuffer"},
    {504, kFailedPrecondition, "the model cannot be compiled"},
    {1000, kDataLoss, "an index is out of bounds"},
    {1001, kUnimplemented, "a type is not known"},
    {1002, kDataLoss, "the graph contradicts itself"},
};

}  // namespace

Failure LitertLibrary::open(const std::vector<std::string>& folders, std::unique_ptr<LitertLibrary>& library) {
  std::string path = find_library(folders);
  if (path.empty()) {
    return {kNotFound, "libLiteRt.so is in none of: " + join(folders) +
                           "; name its folder with --litert-dir or use an image that carries it (runtime-litert)"};
  }
  if (Failure failure = check_version(path); !failure.ok()) return failure;
  std::string error;
  void* handle = open_shared_object(path, error);
  if (!handle) return {kFailedPrecondition, "cannot open LiteRT: " + error};
  auto loaded = std::make_unique<LitertLibrary>();
  Failure failure = look_up_functions(handle, path, *loaded);
  if (failure.ok()) failure = check_structures(*loaded, path);
  if (failure.ok()) failure = make_environment(*loaded);
  if (failure.ok()) library = std::move(loaded);
  return failure;
}

Failure failure_of(LiteRtStatus status, const std::string& what) {
  for (const StatusWords& known : kStatuses) {
    if (known.status == status) return {known.code, what + ": " + known.words};
  }
  return {kInternal, what + ": LiteRT's status " + std::to_string(status)};
}

}  // namespace tidegate::serving::litert
