#include "serving-runtime/serve/foreign_flags.h"

#include <CLI/CLI.hpp>
#include <string_view>

#include "base/strings.h"

namespace tidegate::serving {
namespace {

enum class Kind { kSwitch, kValue };
enum class Effect { kNone, kRefused };

struct ForeignFlag {
  const char* name;
  Kind kind;
  Effect effect;
  std::string_view why;
};

constexpr ForeignFlag kFlags[] = {
    {"num_unload_threads", Kind::kValue, Effect::kNone, "the threads of --num_load_threads unload models, too"},
    {"flush_filesystem_caches", Kind::kSwitch, Effect::kNone,
     "the kernel takes cached files back when memory is needed"},
    {"grpc_max_threads", Kind::kValue, Effect::kNone,
     "few threads poll; --concurrency says how many requests are worked on at once"},
    {"remove_unused_fields_from_bundle_metagraph", Kind::kSwitch, Effect::kNone,
     "of a meta graph nothing is kept but its signatures"},
    {"enable_grpc_healthcheck_service", Kind::kSwitch, Effect::kNone, "gRPC's health check is always there"},
    {"enable_profiler", Kind::kSwitch, Effect::kNone, "there is no profiler service"},
    {"xla_cpu_compilation_enabled", Kind::kSwitch, Effect::kNone,
     "models that ask for XLA always get it; --tensorflow-xla compiles others"},
    {"xla_gpu_compilation_enabled", Kind::kSwitch, Effect::kNone,
     "models that ask for XLA always get it; --tensorflow-xla compiles others"},
    {"skip_initialize_tpu", Kind::kSwitch, Effect::kNone, "no TPU is initialised"},
    {"num_tflite_pools", Kind::kValue, Effect::kNone,
     "--litert-instances says how many runs of a TFLite model there are"},
    {"num_tflite_interpreters_per_pool", Kind::kValue, Effect::kNone,
     "--litert-instances says how many runs of a TFLite model there are"},
    {"prefer_tflite_model", Kind::kSwitch, Effect::kRefused,
     "a version's folder holds one model; put model.tflite into one of its own"},
    {"use_alts_credentials", Kind::kSwitch, Effect::kRefused, "use TLS: --tls-cert-file, --tls-key-file"},
    {"platform_config_file", Kind::kValue, Effect::kRefused, "use the flags of the groups Model and Backend in --help"},
    {"thread_pool_factory_config_file", Kind::kValue, Effect::kRefused,
     "use --intra-op-threads and --inter-op-threads"},
    {"mixed_precision", Kind::kValue, Effect::kRefused, "convert the model before it is served"},
};

bool is_given(const ForeignFlag& flag, const ForeignFlags& flags) {
  const auto on = flags.switches.find(flag.name);
  const auto value = flags.values.find(flag.name);
  return (on != flags.switches.end() && on->second) || (value != flags.values.end() && !value->second.empty());
}

std::string text_of(const ForeignFlag& flag, std::string_view verdict) {
  return base::cat("--", flag.name, " of TensorFlow Serving ", verdict, ": ", flag.why);
}

}  // namespace

void add_foreign_flags(CLI::App& app, ForeignFlags& flags) {
  for (const ForeignFlag& flag : kFlags) {
    const std::string name = base::cat("--", flag.name);
    const std::string help = base::cat(flag.effect == Effect::kNone ? "No effect: " : "Refused: ", flag.why);
    CLI::Option* option = flag.kind == Kind::kSwitch ? app.add_flag(name, flags.switches[flag.name], help)
                                                     : app.add_option(name, flags.values[flag.name], help);
    option->group("TensorFlow Serving");
  }
}

absl::Status check(const ForeignFlags& flags) {
  for (const ForeignFlag& flag : kFlags) {
    if (flag.effect == Effect::kRefused && is_given(flag, flags)) {
      return absl::InvalidArgumentError(text_of(flag, "is not supported"));
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> notes(const ForeignFlags& flags) {
  std::vector<std::string> lines;
  for (const ForeignFlag& flag : kFlags) {
    if (flag.effect == Effect::kNone && is_given(flag, flags)) lines.push_back(text_of(flag, "has no effect"));
  }
  return lines;
}

}  // namespace tidegate::serving
