#pragma once
// TensorFlow Serving's answers to GET …/metadata and GET status, as protobuf's JSON mapping prints them. Pure.
#include <string>

#include "serving-runtime/core/servable_table.h"

namespace tidegate::serving::tfs {

std::string metadata_json(const Servable& servable);
std::string status_json(const std::map<int64_t, VersionEntry, std::greater<>>& versions);

}  // namespace tidegate::serving::tfs
