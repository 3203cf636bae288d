#pragma once
// The last words of a container, which Kubernetes puts into the pod's status: {"error": "<CamelCase>", "message": "…"}.
#include <string>
#include <string_view>

namespace tidegate::serving {

// At most 4 KiB, as Kubernetes takes; a longer message is cut.
std::string termination_message(std::string_view reason, std::string_view message);
// Writes it to `path` if that exists (outside of Kubernetes it does not).
void write_termination_message(const std::string& path, std::string_view reason, std::string_view message);

}  // namespace tidegate::serving
