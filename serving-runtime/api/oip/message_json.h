#pragma once
// Protocol messages as the JSON of the REST API: every field under its own name, whether set or not, 64-bit numbers as
// numbers (protobuf's own printer makes strings of them, which Triton does not and its clients do not expect).
#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>

namespace tidegate::serving::oip {

// Fields that are messages themselves appear when they are set. Maps and bytes are not in these messages.
nlohmann::ordered_json to_json(const google::protobuf::Message& message);

}  // namespace tidegate::serving::oip
