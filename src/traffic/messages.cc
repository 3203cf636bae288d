#include "traffic/messages.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>

#include <cstdio>
#include <cstdlib>

#include "base/strings.h"

namespace tidegate::traffic {

std::string to_bytes(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream output(&stream);
  output.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&output);
  output.Trim();
  return bytes;
}

google::protobuf::Any pack(const google::protobuf::Message& message) {
  google::protobuf::Any any;
  any.set_type_url(base::cat("type.googleapis.com/", message.GetDescriptor()->full_name()));
  any.set_value(to_bytes(message));
  return any;
}

void set_duration(google::protobuf::Duration* out, absl::Duration value) {
  const int64_t seconds = absl::IDivDuration(value, absl::Seconds(1), &value);
  out->set_seconds(seconds);
  out->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(value)));
}

void from_json(const std::string& json, google::protobuf::Message* out) {
  const auto status = google::protobuf::util::JsonStringToMessage(json, out);
  if (status.ok()) return;
  std::fprintf(stderr, "a built-in %s does not parse: %s\n", out->GetTypeName().c_str(), status.ToString().c_str());
  std::abort();
}

}  // namespace tidegate::traffic
