// Paths of both REST APIs. The input is "METHOD PATH".
#include "serving-runtime/api/oip/rest_path.h"
#include "fuzz/fuzzing.h"
#include "serving-runtime/api/tfs/rest_path.h"

namespace tidegate::fuzz {
namespace {

namespace tfs = serving::tfs;
namespace oip = serving::oip;

// Everything escaped, so that a name may hold what separates parts of a path.
std::string escaped(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

std::string_view suffix(tfs::Verb verb) {
  switch (verb) {
    case tfs::Verb::kPredict:
      return ":predict";
    case tfs::Verb::kClassify:
      return ":classify";
    case tfs::Verb::kRegress:
      return ":regress";
    case tfs::Verb::kMetadata:
      return "/metadata";
    case tfs::Verb::kStatus:
      break;
  }
  return "";
}

void require_name(std::string_view name) {
  require(!name.empty() && name.find('\0') == std::string_view::npos, "a model has a name without NUL");
}

void tensorflow_serving(std::string_view method, std::string_view path) {
  auto parsed = tfs::parse_rest_path(method, path);
  if (!parsed.ok()) return require_client_error(parsed.status());
  const serving::ModelSpec& model = parsed->model;
  require_name(model.name);
  require(!model.version || !model.label, "a path has a version or a label");
  require(model.version.value_or(0) >= 0, "a version is not negative");
  std::string again = "/v1/models/" + escaped(model.name);
  if (model.version) again += "/versions/" + std::to_string(*model.version);
  if (model.label) again += "/labels/" + escaped(*model.label);
  auto back = tfs::parse_rest_path(method, again.append(suffix(parsed->verb)));
  require(back.ok() && back->verb == parsed->verb && back->model.name == model.name &&
              back->model.version == model.version && back->model.label == model.label,
          "a path that is written anew means the same", again);
}

std::string_view word(oip::Verb verb) {
  switch (verb) {
    case oip::Verb::kReady:
      return "/ready";
    case oip::Verb::kConfig:
      return "/config";
    case oip::Verb::kStatistics:
      return "/stats";
    case oip::Verb::kInfer:
      return "/infer";
    case oip::Verb::kLoad:
      return "/load";
    case oip::Verb::kUnload:
      return "/unload";
    default:
      return "";
  }
}

void open_inference(std::string_view path) {
  auto parsed = oip::parse_rest_path(path);
  if (!parsed.ok()) return require_client_error(parsed.status());
  if (parsed->model.empty()) {
    return require(parsed->verb == oip::Verb::kServer || parsed->verb == oip::Verb::kIndex ||
                       parsed->verb == oip::Verb::kStatistics,
                   "only these are about no model");
  }
  require_name(parsed->model);
  bool control = parsed->verb == oip::Verb::kLoad || parsed->verb == oip::Verb::kUnload;
  std::string again = (control ? "/v2/repository/models/" : "/v2/models/") + escaped(parsed->model);
  if (!parsed->version.empty()) again += "/versions/" + parsed->version;
  auto back = oip::parse_rest_path(again.append(word(parsed->verb)));
  require(back.ok() && back->verb == parsed->verb && back->model == parsed->model && back->version == parsed->version,
          "a path that is written anew means the same", again);
}

}  // namespace
}  // namespace tidegate::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate::fuzz;
  std::string_view path = as_text(data, size);
  std::string_view method = take_until(path, ' ');
  tensorflow_serving(method, path);
  open_inference(path);
  return 0;
}
