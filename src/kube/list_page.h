#pragma once
// One page of a list, from the server's bytes to its items. The first list of a collection (resourceVersion "0") comes
// as one page however large it is, so the bytes are read away from the loop: Client::list_text gets them,
// read_list_page reads them on any thread.
#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "kube/json.h"

namespace tidegate::kube {

struct ListText {
  std::string what;                 // begins every error: "list pods in demo"
  std::vector<std::string> pieces;  // of the body, in order
};

// The items are views of the document, which moves with them.
struct ListDocument {
  base::JsonDocument document;
  std::vector<JsonView> items;
  std::string resource_version;
  std::string continue_token;  // empty: this was the last page
};

// INVALID_ARGUMENT when it is no JSON.
absl::StatusOr<ListDocument> read_list_page(ListText text);

}  // namespace tidegate::kube
