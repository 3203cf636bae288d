#pragma once
// The parts of a SavedModel's protobuf that say what it serves: tags and signatures. Free of libraries (see
// proto_reader.h). Field numbers: tensorflow/core/protobuf/{saved_model,meta_graph}.proto.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/signature.h"

namespace tidegate::model {

struct MetaGraph {
  std::vector<std::string> tags;
  std::string tensorflow_version;     // of the program that wrote it
  std::vector<Signature> signatures;  // sorted by name
};

// Nothing when the bytes are not the message.
std::optional<MetaGraph> parse_meta_graph(std::string_view bytes);
std::optional<std::vector<MetaGraph>> parse_saved_model(std::string_view bytes);

}  // namespace tidegate::model
