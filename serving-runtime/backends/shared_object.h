#pragma once
// Opening the libraries that users bring: frameworks, backends, ops. Free of other libraries, as backends are.
#include <string>

namespace tidegate::serving {

// Why the file cannot be what it says it is, or empty: one that a download left short ends the process with SIGBUS
// when it is opened. A file that is no ELF file at all is left to dlopen, whose words are good.
std::string fault_of_shared_object(const std::string& path);

// Opens with RTLD_NOW | RTLD_LOCAL: frameworks bring their own protobuf and Abseil, which must stay apart from ours and
// each other's. Null: `error` says why, with the path.
void* open_shared_object(const std::string& path, std::string& error);

}  // namespace tidegate::serving
