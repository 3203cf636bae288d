#include <CLI/CLI.hpp>

#include "serving-runtime/command_line.h"
#include "serving-runtime/tools/model_tools.h"

namespace tidegate::serving {
namespace {

// Returns --inputs, which excludes what is about random ones.
CLI::Option* add_sample_options(CLI::App& app, SampleOptions& o) {
  CLI::Option* inputs = app.add_option("--inputs", o.file,
                                       "A file with a request of TensorFlow Serving's REST predict in each line, or "
                                       "a request log (default: random inputs)");
  app.add_option("--model", o.model, "Of a log with several models: take the records of this one")->needs(inputs);
  app.add_option("--rows", o.rows, "Rows of a random input")
      ->check(positive_number())
      ->excludes(inputs)
      ->capture_default_str();
  app.add_option("--seed", o.seed, "Of random inputs")->excludes(inputs)->capture_default_str();
  return inputs;
}

}  // namespace

void add_validate_options(CLI::App& app, ValidateOptions& o) {
  app.add_option("folder", o.folder, "One version's folder, e.g. /models/resnet/3")->required();
  app.add_option("--rows", o.rows, "Rows of the random inputs")->check(positive_number())->capture_default_str();
  app.add_option("--runs", o.runs, "Random inputs for each signature")->check(positive_number())->capture_default_str();
  app.add_option("--seed", o.seed, "Of the random inputs")->capture_default_str();
  app.add_flag("--json", o.json, "Print JSON");
}

void add_compare_options(CLI::App& app, CompareOptions& o) {
  app.add_option("before", o.before, "One version's folder")->required();
  app.add_option("after", o.after, "Another's; the two may have different formats")->required();
  app.add_option("--signature", o.signature, "The signature to ask, of both")->capture_default_str();
  CLI::Option* inputs = add_sample_options(app, o.samples);
  app.add_option("--runs", o.samples.runs, "Random inputs")
      ->check(positive_number())
      ->excludes(inputs)
      ->capture_default_str();
  app.add_option("--max-difference", o.most_difference, "Exit with 1 when an element differs by more")
      ->check(non_negative_number());
  app.add_option("--min-agreement", o.least_agreement, "Exit with 1 when fewer labels agree, e.g. 0.99")
      ->check(share());
  app.add_flag("--json", o.json, "Print JSON");
}

void add_bench_options(CLI::App& app, BenchOptions& o) {
  app.add_option("folder", o.folder, "One version's folder")->required();
  app.add_option("--signature", o.signature, "The signature to ask")->capture_default_str();
  add_sample_options(app, o.samples);
  app.add_option("--threads", o.threads, "That ask at once")->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--rate", o.rate, "Requests a second, asked at their time; 0: each thread asks when it is answered")
      ->check(non_negative_number())
      ->capture_default_str();
  app.add_option("--seconds", o.seconds, "How long")->check(positive_number())->capture_default_str();
  app.add_option("--warm-up-seconds", o.warm_up_seconds, "That are not measured")
      ->check(non_negative_number())
      ->capture_default_str();
  app.add_flag("--json", o.json, "Print JSON");
}

}  // namespace tidegate::serving
