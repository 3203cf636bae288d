#pragma once
// --model-config-file: which models it says, at the start and when it changes.
#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "serving-runtime/repository/server_config.h"
#include "serving-runtime/serve/options.h"

namespace tidegate::serving {

ModelDefaults model_defaults(const ServeOptions& options);

// The file's text; what it says, of which errors name the file and the place in it.
absl::StatusOr<std::string> config_text(const ServeOptions& options);
// At the start there may be no models. Later a file without a list is one that is being written, most likely.
enum class When { kStart, kLater };
absl::StatusOr<std::vector<ModelConfig>> models_of(const ServeOptions& options, std::string_view text, When when);

// Reads the config file again, now and then, and hands on what has changed.
class ConfigFileWatch {
 public:
  // `options` must outlive it; `known` is the text that has been taken over.
  ConfigFileWatch(const ServeOptions& options, std::string known,
                  std::function<void(std::vector<ModelConfig>)> take_over);

  // A file that cannot be read, or that is no config, is logged once; the models stay as they are.
  void look();

 private:
  const ServeOptions& options_;
  std::string known_;
  absl::Status unreadable_;  // as told last
  const std::function<void(std::vector<ModelConfig>)> take_over_;
};

}  // namespace tidegate::serving
