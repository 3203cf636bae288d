// tidegate-runtime: serve | fetch | inspect. Each subcommand is a file of its own; this one reads the command line.
#include <CLI/CLI.hpp>
#include <cstring>
#include <iostream>

#include "serving-runtime/fetch/fetch_command.h"
#include "serving-runtime/inspect_command.h"
#include "serving-runtime/serve_command.h"

namespace {

int run_inspect(const std::string& folder, bool json) {
  auto report = tidegate::serving::inspect(folder, json);
  if (!report.ok()) {
    std::cerr << "tidegate-runtime inspect: " << report.status().message() << '\n';
    return 1;
  }
  std::cout << *report;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // fetch reads its own arguments: "tidegate-runtime fetch --uri=…".
  if (argc > 1 && std::strcmp(argv[1], "fetch") == 0) return tidegate::serving::fetch_main(argc - 1, argv + 1);
  CLI::App app("Serves machine-learning models over TensorFlow Serving's API and the Open Inference Protocol.",
               "tidegate-runtime");
  app.require_subcommand(1);
  tidegate::serving::ServeOptions serve_options;
  CLI::App* serve = app.add_subcommand("serve", "Serve a model until SIGTERM");
  tidegate::serving::add_serve_options(*serve, serve_options);
  std::string folder;
  bool json = false;
  CLI::App* inspect = app.add_subcommand("inspect", "Print what a model takes and gives");
  inspect->add_option("folder", folder, "One version's folder, e.g. /models/resnet/3")->required();
  inspect->add_flag("--json", json, "Print JSON");
  app.add_subcommand("fetch", "Download a model version from object storage and verify it (see fetch --help)");
  CLI11_PARSE(app, argc, argv);
  return serve->parsed() ? tidegate::serving::serve(serve_options) : run_inspect(folder, json);
}
