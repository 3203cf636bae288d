#pragma once
// `tidegate-runtime validate | compare | bench`: models in the hand, without a server. Each loads versions through the
// backends that `serve` uses, prints a report for people or as JSON, and says by its exit code whether all is well.
#include <cstdint>
#include <string>
#include <vector>

#include "serving-runtime/repository/version_loader.h"
#include "serving-runtime/tools/sample_inputs.h"

namespace CLI {
class App;
}

namespace tidegate::serving {

struct ValidateOptions {
  std::string folder;  // one version's
  int64_t rows = 2;
  int runs = 3;
  uint64_t seed = 1;
  bool json = false;
};

struct CompareOptions {
  std::string before, after;                  // folders of two versions, of any formats
  std::string signature = "serving_default";  // of both
  SampleOptions samples{.rows = 8, .runs = 32};
  double most_difference = -1;  // of any element; < 0: any
  double least_agreement = -1;  // of labels, 0..1; < 0: any
  bool json = false;
};

struct BenchOptions {
  std::string folder;
  std::string signature = "serving_default";
  SampleOptions samples;
  int threads = 1;  // closed loop: each asks again when it is answered
  double rate = 0;  // requests a second; > 0: open loop, asked at their time whether answered or not
  double seconds = 5;
  double warm_up_seconds = 1;
  bool json = false;
};

void add_validate_options(CLI::App& app, ValidateOptions& options);
void add_compare_options(CLI::App& app, CompareOptions& options);
void add_bench_options(CLI::App& app, BenchOptions& options);

// The process's exit code: 0 all is well; 1 the model is not (validate), or differs more than allowed (compare); 2 it
// could not be found out, and why is on standard error.
int validate(const ValidateOptions& options, const BackendSource& backends);
int compare(const CompareOptions& options, const BackendSource& backends);
int bench(const BenchOptions& options, const BackendSource& backends);

}  // namespace tidegate::serving
