// The kubeconfig half of config.h.
#include <absl/strings/escaping.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <map>
#include <utility>

#include "base/files.h"
#include "base/status.h"
#include "base/strings.h"
#include "kube/config.h"
#include "kube/exec_credentials.h"

namespace tidegate::kube {
namespace {

// One file while it is read: `where` begins every error, `directory` is what relative paths are relative to.
struct File {
  std::string where;
  std::filesystem::path directory;
  YAML::Node root;
};

std::string text_of(const YAML::Node& node, const char* field) {
  const YAML::Node value = node[field];
  return value && value.IsScalar() ? value.Scalar() : "";
}

absl::StatusOr<File> open(const std::string& path) {
  TG_ASSIGN_OR_RETURN(const std::string text, base::read_file(path));
  const std::string where = base::cat("kubeconfig ", path);
  try {
    YAML::Node root = YAML::Load(text);
    if (!root.IsMap()) return absl::InvalidArgumentError(base::cat(where, ": not a YAML mapping"));
    return File{where, std::filesystem::path(path).parent_path(), root};
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(base::cat(where, ": ", error.what()));
  }
}

// The body (`field`) of the entry called `name` in one of the lists clusters, contexts, users.
absl::StatusOr<YAML::Node> entry(const File& file, const char* list, const char* field, const std::string& name) {
  const YAML::Node entries = file.root[list];
  if (entries && entries.IsSequence()) {
    for (const YAML::Node& candidate : entries) {
      if (!candidate.IsMap() || text_of(candidate, "name") != name) continue;
      const YAML::Node body = candidate[field];
      if (body && body.IsMap()) return body;
      return absl::InvalidArgumentError(base::cat(file.where, ": ", list, " '", name, "' has no ", field));
    }
  }
  return absl::NotFoundError(base::cat(file.where, ": no entry '", name, "' in ", list));
}

// A PEM text, and the file it was read from unless it is given inline.
struct Pem {
  std::string text;
  std::string path;
};

// `<field>-data` (base64) wins over `<field>` (a path), as in kubectl. Empty when neither is there.
absl::StatusOr<Pem> inline_or_file(const File& file, const YAML::Node& node, const std::string& field) {
  const std::string data_field = field + "-data";
  if (const std::string data = text_of(node, data_field.c_str()); !data.empty()) {
    std::string bytes;
    if (!absl::Base64Unescape(data, &bytes)) {
      return absl::InvalidArgumentError(base::cat(file.where, ": ", data_field, " is not base64"));
    }
    return Pem{bytes, ""};
  }
  if (text_of(node, field.c_str()).empty()) return Pem{};
  const std::string path = file.directory / text_of(node, field.c_str());
  absl::StatusOr<std::string> text = base::read_file(path);
  if (!text.ok()) return base::annotate(text.status(), base::cat(file.where, ": ", field));
  return Pem{*std::move(text), path};
}

absl::Status refuse_unsupported(const File& file, const YAML::Node& node, std::initializer_list<const char*> fields) {
  for (const char* field : fields) {
    if (!node[field]) continue;
    return absl::UnimplementedError(
        base::cat(file.where, ": '", field, "' is not supported; use a client certificate or a token"));
  }
  return absl::OkStatus();
}

// What becomes of both halves.
struct Tls {
  net::TlsOptions now;
  TlsFiles files;
};

absl::Status read_cluster(const File& file, const YAML::Node& cluster, ClientConfig& config, Tls& tls) {
  TG_RETURN_IF_ERROR(refuse_unsupported(file, cluster, {"proxy-url"}));
  config.server = text_of(cluster, "server");
  if (config.server.ends_with('/')) config.server.pop_back();
  if (config.server.empty()) return absl::InvalidArgumentError(base::cat(file.where, ": the cluster has no server"));
  TG_ASSIGN_OR_RETURN(Pem ca, inline_or_file(file, cluster, "certificate-authority"));
  tls.now.ca_pem = std::move(ca.text);
  tls.files.ca = std::move(ca.path);
  tls.now.server_name = text_of(cluster, "tls-server-name");
  tls.now.insecure_skip_verify = text_of(cluster, "insecure-skip-tls-verify") == "true";
  return absl::OkStatus();
}

// Members of a YAML list of {name, value}.
std::map<std::string, std::string> environment_of(const YAML::Node& exec) {
  std::map<std::string, std::string> environment;
  if (const YAML::Node list = exec["env"]; list && list.IsSequence()) {
    for (const YAML::Node& entry : list) {
      if (entry.IsMap()) environment[text_of(entry, "name")] = text_of(entry, "value");
    }
  }
  return environment;
}

absl::Status read_exec(const File& file, const YAML::Node& exec, base::Clock& clock, ClientConfig& config) {
  if (!exec.IsMap() || text_of(exec, "command").empty()) {
    return absl::InvalidArgumentError(base::cat(file.where, ": exec has no command"));
  }
  ExecCredentialOptions options;
  options.api_version = text_of(exec, "apiVersion");
  if (options.api_version != "client.authentication.k8s.io/v1" &&
      options.api_version != "client.authentication.k8s.io/v1beta1") {
    return absl::InvalidArgumentError(base::cat(file.where, ": exec.apiVersion '", options.api_version,
                                                "' is neither client.authentication.k8s.io/v1 nor v1beta1"));
  }
  if (text_of(exec, "interactiveMode") == "Always") {
    return absl::InvalidArgumentError(
        base::cat(file.where, ": exec.interactiveMode is Always, but nobody is there to be asked"));
  }
  options.command = text_of(exec, "command");
  // As a shell would: a bare name is looked up on PATH, a relative path starts at the kubeconfig.
  if (options.command.find('/') != std::string::npos) options.command = file.directory / options.command;
  if (const YAML::Node arguments = exec["args"]; arguments && arguments.IsSequence()) {
    for (const YAML::Node& argument : arguments) options.arguments.push_back(argument.Scalar());
  }
  options.environment = environment_of(exec);
  options.install_hint = text_of(exec, "installHint");
  options.provide_cluster_info = text_of(exec, "provideClusterInfo") == "true";
  options.server = config.server;
  options.tls = config.tls;
  config.credentials = make_exec_credentials(std::move(options), clock);
  return absl::OkStatus();
}

absl::Status read_user(const File& file, const YAML::Node& user, base::Clock& clock, ClientConfig& config, Tls& tls) {
  TG_RETURN_IF_ERROR(refuse_unsupported(
      file, user, {"auth-provider", "username", "password", "as", "as-uid", "as-groups", "as-user-extra"}));
  TG_ASSIGN_OR_RETURN(Pem certificate, inline_or_file(file, user, "client-certificate"));
  TG_ASSIGN_OR_RETURN(Pem key, inline_or_file(file, user, "client-key"));
  if (certificate.text.empty() != key.text.empty()) {
    return absl::InvalidArgumentError(
        base::cat(file.where, ": client-certificate and client-key must be given together"));
  }
  tls.now.certificate_pem = std::move(certificate.text);
  tls.files.certificate = std::move(certificate.path);
  tls.now.private_key_pem = std::move(key.text);
  tls.files.private_key = std::move(key.path);
  if (const std::string path = text_of(user, "tokenFile"); !path.empty()) {
    config.token = make_file_token(file.directory / path, clock);
    return config.token->token().status();
  }
  if (std::string token = text_of(user, "token"); !token.empty()) config.token = make_static_token(std::move(token));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ClientConfig> load_kubeconfig(const std::string& path, std::string_view context, base::Clock& clock) {
  TG_ASSIGN_OR_RETURN(const File file, open(path));
  const std::string name = context.empty() ? text_of(file.root, "current-context") : std::string(context);
  if (name.empty()) {
    return absl::InvalidArgumentError(base::cat(file.where, ": no current-context, and no context was named"));
  }
  TG_ASSIGN_OR_RETURN(const YAML::Node chosen, entry(file, "contexts", "context", name));
  TG_ASSIGN_OR_RETURN(const YAML::Node cluster, entry(file, "clusters", "cluster", text_of(chosen, "cluster")));
  TG_ASSIGN_OR_RETURN(const YAML::Node user, entry(file, "users", "user", text_of(chosen, "user")));
  ClientConfig config;
  Tls tls;
  TG_RETURN_IF_ERROR(read_cluster(file, cluster, config, tls));
  TG_RETURN_IF_ERROR(read_user(file, user, clock, config, tls));
  config.tls = make_file_tls(std::move(tls.now), std::move(tls.files), clock);
  if (const YAML::Node exec = user["exec"]) TG_RETURN_IF_ERROR(read_exec(file, exec, clock, config));
  if (std::string ns = text_of(chosen, "namespace"); !ns.empty()) config.default_namespace = std::move(ns);
  return config;
}

}  // namespace tidegate::kube
