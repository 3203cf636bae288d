#include "e2e/traffic/options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"

namespace tidegate::traffic_generator {
namespace {

absl::StatusOr<std::vector<std::string>> ReadBodies(const std::string& path) {
  std::vector<std::string> bodies;
  if (path.empty()) return bodies;
  std::ifstream file(path);
  if (!file) return absl::InvalidArgumentError(absl::StrCat("--bodies: cannot read ", path));
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) bodies.push_back(std::move(line));
  }
  if (bodies.empty()) return absl::InvalidArgumentError(absl::StrCat("--bodies: ", path, " holds no line"));
  return bodies;
}

// In a cluster the host's name is the pod's; the time keeps two runs of one pod's name apart.
std::string DefaultName() {
  char host[256] = "users";
  gethostname(host, sizeof(host) - 1);
  return absl::StrCat(host, "-", absl::ToUnixSeconds(absl::Now()));
}

// CLI11 checker for durations as Go and Abseil write them.
std::string CheckDuration(const std::string& text) {
  absl::Duration duration;
  return absl::ParseDuration(text, &duration) && duration >= absl::ZeroDuration()
             ? ""
             : absl::StrCat("\"", text, "\" is no duration such as 500ms or 5s");
}

}  // namespace

absl::StatusOr<Target> ParseUrl(const std::string& url) {
  absl::string_view rest = url;
  if (!absl::ConsumePrefix(&rest, "http://")) {
    return absl::InvalidArgumentError(absl::StrCat("--url: ", url, " does not begin with http://"));
  }
  const size_t slash = rest.find('/');
  const absl::string_view authority = rest.substr(0, slash);
  const size_t colon = authority.rfind(':');
  Target target{.host = std::string(authority.substr(0, colon)),
                .port = colon == authority.npos ? "80" : std::string(authority.substr(colon + 1)),
                .path = slash == rest.npos ? "/" : std::string(rest.substr(slash))};
  int port = 0;
  if (target.host.empty() || !absl::SimpleAtoi(target.port, &port) || port < 1 || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("--url: ", url, " has no host, or its port is not 1 to 65535"));
  }
  return target;
}

absl::StatusOr<Options> ParseOptions(int argc, const char* const* argv) {
  Options options{.name = DefaultName()};
  std::string url, bodies, timeout = "5s", duration = "0";
  CLI::App app("Sends HTTP requests at a fixed rate, never twice, and counts what becomes of each.",
               "tidegate-traffic");
  app.add_option("--url", url,
                 "http://host[:port]/path to send to; the name is resolved anew as connections are opened")
      ->required();
  app.add_option("--name", options.name, "who sends; every request has x-request-id: <name>-<number>")
      ->capture_default_str();
  app.add_option("--rate", options.rate, "requests a second, evenly spaced, however slow the answers are")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--connections", options.connections, "keep-alive connections at most; further requests wait for one")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_flag("--new-connections", options.new_connections, "open a connection for each request and close it after");
  app.add_option("--timeout", timeout, "for a whole request, waiting and connecting included")
      ->check(CheckDuration)
      ->capture_default_str();
  app.add_option("--duration", duration, "stop after so long; 0 runs until SIGTERM")
      ->check(CheckDuration)
      ->capture_default_str();
  app.add_option("--bodies", bodies, "file with one JSON body a line, sent by POST in turn; without it, GET");
  app.add_flag("--start-when-served", options.start_when_served,
               "knock four times a second, uncounted, until the first 2xx; begin then");
  app.add_option("--output", options.output, "file for the JSON lines; - is standard output")->capture_default_str();
  app.add_option("--stats-port", options.stats_port, "serve GET /stats, /seconds?from=N and /failures?from=N here");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return absl::CancelledError(app.help());
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  absl::StatusOr<Target> target = ParseUrl(url);
  if (!target.ok()) return target.status();
  options.target = *std::move(target);
  absl::StatusOr<std::vector<std::string>> read = ReadBodies(bodies);
  if (!read.ok()) return read.status();
  options.bodies = *std::move(read);
  // Both were checked while parsing.
  (void)absl::ParseDuration(timeout, &options.timeout);
  (void)absl::ParseDuration(duration, &options.duration);
  if (options.timeout <= absl::ZeroDuration()) return absl::InvalidArgumentError("--timeout must be more than 0");
  return options;
}

}  // namespace tidegate::traffic_generator
