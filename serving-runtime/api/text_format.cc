#include "serving-runtime/api/text_format.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <string>

#include "base/status.h"

namespace tidegate::serving {
namespace {

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(Quote quote) : quote_(quote) {}
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (!text_.empty()) return;
    text_ = base::cat("line ", line + 1, ", column ", column + 1, ": ",
                      quote_ == Quote::kYes ? message : "is not what is expected here");
  }
  const std::string& text() const { return text_; }

 private:
  const Quote quote_;
  std::string text_;
};

}  // namespace

absl::Status parse_text_format(std::string_view text, google::protobuf::Message& message, Quote quote) {
  FirstError error(quote);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(32);  // custom_model_config may hold a config; without a limit their depth ends the stack
  if (parser.ParseFromString(std::string(text), &message)) return absl::OkStatus();
  return absl::InvalidArgumentError(error.text());
}

absl::Status parse_text_file(std::string_view text, std::string_view what, std::string_view path,
                             google::protobuf::Message& message) {
  return base::annotate(parse_text_format(text, message), base::cat(what, " ", path));
}

}  // namespace tidegate::serving
