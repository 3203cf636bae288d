#include "serving-runtime/api/oip/repository_api.h"

#include "base/status.h"
#include "serving-runtime/api/json/json_members.h"
#include "serving-runtime/api/oip/parameters.h"

namespace tidegate::serving::oip {
namespace {

std::string_view state_word(VersionState state) {
  switch (state) {
    case VersionState::kAvailable:
      return "READY";
    case VersionState::kLoading:
      return "LOADING";
    case VersionState::kUnloading:
      return "UNLOADING";
    case VersionState::kStart:
    case VersionState::kEnd:
      break;
  }
  return "UNAVAILABLE";
}

std::string reason(const VersionEntry& entry) {
  if (!entry.error.ok()) return std::string(base::view(entry.error.message()));
  if (entry.state == VersionState::kStart) return "not loaded: the first request for it loads it";
  return entry.state == VersionState::kEnd ? "unloaded" : "";
}

void list(const std::string& name, const ModelEntry& model, bool only_ready,
          inference::RepositoryIndexResponse& response) {
  for (const auto& [version, entry] : model.versions) {
    if (only_ready && !entry.servable) continue;
    auto* index = response.add_models();
    index->set_name(name);
    index->set_version(std::to_string(version));
    index->set_state(std::string(state_word(entry.state)));
    index->set_reason(reason(entry));
  }
  if (!model.versions.empty() || only_ready) return;
  auto* index = response.add_models();
  index->set_name(name);
  index->set_state("UNAVAILABLE");
}

absl::Status refuse_repository(const std::string& name) {
  if (name.empty()) return absl::OkStatus();
  return absl::UnimplementedError(base::cat("repository_name '", name, "' cannot be chosen: there is one repository"));
}

absl::Status check_load_parameter(const std::string& name) {
  if (name == "config" || name.starts_with("file:")) {
    return absl::UnimplementedError(
        base::cat("load parameter '", name, "' is not offered: models are loaded as their folders have them"));
  }
  return absl::InvalidArgumentError(base::cat("load parameter '", name, "' is unknown"));
}

absl::Status check_unload_parameter(const std::string& name, const inference::ModelRepositoryParameter& value) {
  // No model depends on another, so there is nothing more to unload either way.
  if (name == "unload_dependents") {
    return value.has_bool_param()
               ? absl::OkStatus()
               : absl::InvalidArgumentError("unload parameter 'unload_dependents' must be true or false");
  }
  return absl::InvalidArgumentError(base::cat("unload parameter '", name, "' is unknown"));
}

template <class Request>
absl::Status check_control(const ModelControl* control, const Request& request) {
  if (!control) {
    return absl::UnavailableError("explicit model load / unload is not allowed: explicit model control is off");
  }
  if (request.model_name().empty()) return absl::InvalidArgumentError("model_name is empty");
  return refuse_repository(request.repository_name());
}

absl::Status read_repository_parameter(JsonReader& reader, const std::string& name,
                                       inference::ModelRepositoryParameter& out) {
  TG_ASSIGN_OR_RETURN(ParameterValue value, read_parameter(reader, name));
  if (const bool* flag = std::get_if<bool>(&value)) out.set_bool_param(*flag);
  if (const int64_t* number = std::get_if<int64_t>(&value)) out.set_int64_param(*number);
  if (std::string* text = std::get_if<std::string>(&value)) out.set_string_param(std::move(*text));
  if (out.parameter_choice_case() != inference::ModelRepositoryParameter::PARAMETER_CHOICE_NOT_SET) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      base::cat("parameter '", name, "' must be a string, a whole number, true or false"));
}

// Calls `member(key)` for each member of a body that may be empty.
template <class Member>
absl::Status read_body(std::string_view body, JsonReader& reader, Member member) {
  if (body.empty()) return absl::OkStatus();
  TG_RETURN_IF_ERROR(read_members(reader, member));
  return reader.at_end() ? absl::OkStatus() : reader.error();
}

template <class Request>
absl::StatusOr<Request> parse_control_request(std::string_view body) {
  Request request;
  JsonReader reader(body);
  TG_RETURN_IF_ERROR(read_body(body, reader, [&](const std::string& key) -> absl::Status {
    if (key != "parameters") return absl::InvalidArgumentError(base::cat("member '", key, "' is unknown"));
    return read_members(reader, [&](const std::string& name) {
      return read_repository_parameter(reader, name, (*request.mutable_parameters())[name]);
    });
  }));
  return request;
}

}  // namespace

absl::Status repository_index(const ServableTable& table, const inference::RepositoryIndexRequest& request,
                              inference::RepositoryIndexResponse& response) {
  TG_RETURN_IF_ERROR(refuse_repository(request.repository_name()));
  for (const auto& [name, model] : table.models) list(name, model, request.ready(), response);
  return absl::OkStatus();
}

void load_model(ModelControl* control, const inference::RepositoryModelLoadRequest& request, ModelControl::Done done) {
  absl::Status usable = check_control(control, request);
  for (auto it = request.parameters().begin(); usable.ok() && it != request.parameters().end(); ++it) {
    usable = check_load_parameter(it->first);
  }
  if (!usable.ok()) return done(usable);
  control->load(request.model_name(), std::move(done));
}

void unload_model(ModelControl* control, const inference::RepositoryModelUnloadRequest& request,
                  ModelControl::Done done) {
  absl::Status usable = check_control(control, request);
  for (auto it = request.parameters().begin(); usable.ok() && it != request.parameters().end(); ++it) {
    usable = check_unload_parameter(it->first, it->second);
  }
  if (!usable.ok()) return done(usable);
  control->unload(request.model_name(), std::move(done));
}

absl::StatusOr<inference::RepositoryIndexRequest> parse_index_request(std::string_view body) {
  inference::RepositoryIndexRequest request;
  JsonReader reader(body);
  TG_RETURN_IF_ERROR(read_body(body, reader, [&](const std::string& key) -> absl::Status {
    if (key == "repository_name") return read_text(reader, key, *request.mutable_repository_name());
    if (key != "ready") return absl::InvalidArgumentError(base::cat("member '", key, "' is unknown"));
    bool ready = false;
    TG_RETURN_IF_ERROR(read_flag(reader, key, ready));
    request.set_ready(ready);
    return absl::OkStatus();
  }));
  return request;
}

absl::StatusOr<inference::RepositoryModelLoadRequest> parse_load_request(std::string_view body) {
  return parse_control_request<inference::RepositoryModelLoadRequest>(body);
}

absl::StatusOr<inference::RepositoryModelUnloadRequest> parse_unload_request(std::string_view body) {
  return parse_control_request<inference::RepositoryModelUnloadRequest>(body);
}

}  // namespace tidegate::serving::oip
