// Protobuf messages as bytes and as JSON literals, both deterministic: the same message gives the same bytes in every
// process, which plain serialisation does not promise for maps. Used by the builders of this folder.
#pragma once

#include <absl/time/time.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>

#include <string>

namespace tidegate::traffic {

std::string to_bytes(const google::protobuf::Message& message);
// As Any::PackFrom, but deterministic.
google::protobuf::Any pack(const google::protobuf::Message& message);
void set_duration(google::protobuf::Duration* out, absl::Duration value);

// A literal of ours in protobuf's JSON form. It cannot fail but by our own mistake, which ends the process: every test
// passes through here.
void from_json(const std::string& json, google::protobuf::Message* out);

}  // namespace tidegate::traffic
