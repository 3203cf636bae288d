// tidegate-runtime: serve | fetch | inspect | validate | compare | bench. Each subcommand is a file of its own; this
// one reads the command line.
#include <absl/synchronization/mutex.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/strings.h"
#include "serving-runtime/api/oip/model_view.h"
#include "serving-runtime/backend_set.h"
#include "serving-runtime/command_line.h"
#include "serving-runtime/fetch/fetch_command.h"
#include "serving-runtime/serve/command.h"
#include "serving-runtime/tools/inspect_command.h"
#include "serving-runtime/tools/model_tools.h"

namespace {

namespace serving = tidegate::serving;

const std::string kVersion = std::string("tidegate-runtime ").append(serving::oip::kServerVersion);

// A report that a full disk has cut must not look like a whole one.
int after_report(int code) {
  if (std::cout.flush()) return code;
  std::cerr << "tidegate-runtime: the report cannot be written to standard output\n";
  return 2;
}

int run_inspect(const std::string& folder, bool json) {
  auto report = serving::inspect(folder, json);
  if (!report.ok()) {
    std::cerr << "tidegate-runtime inspect: " << report.status().message() << '\n';
    return 1;
  }
  std::cout << *report;
  return after_report(0);
}

// Reports go to standard output, so nothing else may.
template <class Options>
int run_tool(int (*tool)(const Options&, const serving::BackendSource&), const Options& options,
             const serving::BackendFlags& flags) {
  tidegate::base::init_logging(tidegate::base::LogLevel::kError, tidegate::base::LogFormat::kText);
  serving::BackendSet backends(flags);
  const int code = tool(options, [&backends](const std::string& folder) { return backends.for_folder(folder); });
  tidegate::base::flush_logging();
  return after_report(code);
}

// tensorflow_model_server has no commands: a command line that begins with a flag, as it stands in manifests for it, is
// that of serve.
std::vector<const char*> with_command(int argc, char** argv) {
  std::vector<const char*> words(argv, argv + argc);
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first.starts_with("--") && first != "--help" && first != "--version") words.insert(words.begin() + 1, "serve");
  return words;
}

// CLI11 would only say that there has to be one.
void name_unknown_command(const CLI::App& app, const std::vector<const char*>& words) {
  if (words.size() < 2 || *words[1] == '-') return;
  std::string known;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    if (command->get_name() == words[1]) return;
    tidegate::base::append(known, tidegate::base::cat(known.empty() ? "" : ", ", command->get_name()));
  }
  throw CLI::ParseError(tidegate::base::cat(words[1], " is none of the commands ", known), 2);
}

}  // namespace

int main(int argc, char** argv) {
  // Debian's Abseil looks for deadlocks with each lock that gRPC takes, under one lock for the whole process.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // fetch reads its own arguments: "tidegate-runtime fetch --uri=…".
  if (argc > 1 && std::string_view(argv[1]) == "fetch") return serving::fetch_main(argc - 1, argv + 1);
  CLI::App app("Serves machine-learning models over TensorFlow Serving's API and the Open Inference Protocol.",
               "tidegate-runtime");
  app.require_subcommand(1);
  serving::ServeOptions serve_options;
  CLI::App* serve = app.add_subcommand("serve", "Serve models until SIGTERM");
  add_serve_options(*serve, serve_options);
  for (CLI::App* shows : {&app, serve}) shows->set_version_flag("--version", kVersion);

  std::string folder;
  bool json = false;
  CLI::App* inspect = app.add_subcommand("inspect", "Print what a model takes and gives");
  inspect->add_option("folder", folder, "One version's folder, e.g. /models/resnet/3")->required();
  inspect->add_flag("--json", json, "Print JSON");

  serving::BackendFlags flags;
  serving::ValidateOptions validate_options;
  CLI::App* validate = app.add_subcommand("validate", "Load a model, run it, and look for what is wrong with it");
  add_validate_options(*validate, validate_options);
  serving::CompareOptions compare_options;
  CLI::App* compare = app.add_subcommand("compare", "Run two models on the same inputs and tell how much they differ");
  add_compare_options(*compare, compare_options);
  serving::BenchOptions bench_options;
  CLI::App* bench = app.add_subcommand("bench", "Measure how fast a model runs, without a server");
  add_bench_options(*bench, bench_options);
  for (CLI::App* tool : {validate, compare, bench}) add_backend_options(*tool, flags);

  app.add_subcommand("fetch", "Download a model version from object storage and verify it (see fetch --help)");
  const std::vector<const char*> words = with_command(argc, argv);
  try {
    name_unknown_command(app, words);
    app.parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::ParseError& error) {
    return serving::tell(app, error);
  }
  if (validate->parsed()) return run_tool(serving::validate, validate_options, flags);
  if (compare->parsed()) return run_tool(serving::compare, compare_options, flags);
  if (bench->parsed()) return run_tool(serving::bench, bench_options, flags);
  return serve->parsed() ? serving::serve(serve_options) : run_inspect(folder, json);
}
