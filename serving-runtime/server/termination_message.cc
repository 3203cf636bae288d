#include "serving-runtime/server/termination_message.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace tidegate::serving {

std::string termination_message(std::string_view reason, std::string_view message) {
  constexpr size_t kLimit = 4096;
  for (size_t keep = std::min(message.size(), kLimit);; keep = keep * 3 / 4) {
    nlohmann::ordered_json json = {{"error", reason}, {"message", std::string(message.substr(0, keep))}};
    std::string text = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    if (text.size() < kLimit || keep == 0) return text;
  }
}

void write_termination_message(const std::string& path, std::string_view reason, std::string_view message) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return;
  std::ofstream(path, std::ios::trunc) << termination_message(reason, message);
}

}  // namespace tidegate::serving
