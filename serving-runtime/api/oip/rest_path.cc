#include "serving-runtime/api/oip/rest_path.h"

#include <algorithm>
#include <optional>

#include "base/status.h"
#include "serving-runtime/api/percent.h"

namespace tidegate::serving::oip {
namespace {

constexpr std::string_view kModels = "/v2/models/", kRepositoryModels = "/v2/repository/models/";

std::string_view take_segment(std::string_view& rest) {
  size_t end = std::min(rest.find('/'), rest.size());
  std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return segment;
}

std::optional<Verb> model_verb(std::string_view word) {
  if (word.empty()) return Verb::kMetadata;
  if (word == "ready") return Verb::kReady;
  if (word == "config") return Verb::kConfig;
  if (word == "stats") return Verb::kStatistics;
  if (word == "infer") return Verb::kInfer;
  return std::nullopt;
}

// What follows /v2/models/.
std::optional<RestPath> parse_model(std::string_view rest) {
  if (rest == "stats") return RestPath{Verb::kStatistics, "", ""};
  RestPath parsed;
  auto name = percent_decode(take_segment(rest));
  if (!name || name->empty()) return std::nullopt;
  parsed.model = *std::move(name);
  std::string_view next = take_segment(rest);
  if (next == "versions") {
    parsed.version = take_segment(rest);
    if (parsed.version.empty()) return std::nullopt;
    next = take_segment(rest);
  }
  auto verb = model_verb(next);
  if (!verb || !rest.empty()) return std::nullopt;
  parsed.verb = *verb;
  return parsed;
}

// What follows /v2/repository/models/.
std::optional<RestPath> parse_control(std::string_view rest) {
  auto name = percent_decode(take_segment(rest));
  std::string_view word = take_segment(rest);
  if (!name || name->empty() || !rest.empty() || (word != "load" && word != "unload")) return std::nullopt;
  return RestPath{word == "load" ? Verb::kLoad : Verb::kUnload, *std::move(name), ""};
}

std::optional<RestPath> parse(std::string_view path) {
  if (path == "/v2" || path == "/v2/") return RestPath{};
  if (path == "/v2/repository/index") return RestPath{Verb::kIndex, "", ""};
  if (path.starts_with(kModels)) return parse_model(path.substr(kModels.size()));
  if (path.starts_with(kRepositoryModels)) return parse_control(path.substr(kRepositoryModels.size()));
  return std::nullopt;
}

}  // namespace

std::string_view method_of(Verb verb) {
  switch (verb) {
    case Verb::kInfer:
    case Verb::kIndex:
    case Verb::kLoad:
    case Verb::kUnload:
      return "POST";
    default:
      return "GET";
  }
}

absl::StatusOr<RestPath> parse_rest_path(std::string_view path) {
  auto parsed = parse(path);
  if (!parsed) return absl::NotFoundError(base::cat("There is nothing at ", path));
  return *std::move(parsed);
}

}  // namespace tidegate::serving::oip
