#include "serving-runtime/api/json/utf8.h"

#include <simdjson.h>

namespace tidegate::serving {

bool is_utf8(std::string_view bytes) { return simdjson::validate_utf8(bytes.data(), bytes.size()); }

}  // namespace tidegate::serving
