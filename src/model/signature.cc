#include "model/signature.h"

#include <absl/strings/str_join.h>

namespace tidegate::model {

std::string joined_names(const std::vector<TensorSpec>& specs) {
  return absl::StrJoin(specs, ",", [](std::string* text, const TensorSpec& spec) { text->append(spec.name); });
}

}  // namespace tidegate::model
