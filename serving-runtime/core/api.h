#pragma once
// What a prediction was asked for with: the door that it came through, and what was asked.
#include <string_view>

namespace tidegate::serving {

enum class Api { kTfsRest, kTfsGrpc, kOipRest, kOipGrpc };
inline constexpr int kApis = 4;

enum class Operation { kPredict, kClassify, kRegress, kMultiInference };

// As metrics and records call it: "tfs_rest".
constexpr std::string_view name_of(Api api) {
  switch (api) {
    case Api::kTfsRest:
      return "tfs_rest";
    case Api::kTfsGrpc:
      return "tfs_grpc";
    case Api::kOipRest:
      return "oip_rest";
    case Api::kOipGrpc:
      return "oip_grpc";
  }
  return "";
}

}  // namespace tidegate::serving
