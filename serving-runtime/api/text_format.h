#pragma once
// Protocol buffers' text format, in which TensorFlow Serving's configuration is written.
#include <absl/status/status.h>
#include <google/protobuf/message.h>

#include <string_view>

namespace tidegate::serving {

enum class Quote { kYes, kNo };

// INVALID_ARGUMENT "line 3, column 7: what is wrong", with a word of the text unless it may be secret (kNo). `message`
// has what was read up to there.
absl::Status parse_text_format(std::string_view text, google::protobuf::Message& message, Quote quote = Quote::kYes);

// The same of a file: errors begin with what it is, "Model config file", and its path.
absl::Status parse_text_file(std::string_view text, std::string_view what, std::string_view path,
                             google::protobuf::Message& message);

}  // namespace tidegate::serving
