#include "kube/list_page.h"

#include <utility>

#include "base/status.h"

namespace tidegate::kube {
namespace {

// Each piece is given back as soon as it is copied.
std::string joined(std::vector<std::string> pieces) {
  if (pieces.size() == 1) return std::move(pieces.front());
  size_t size = 0;
  for (const std::string& piece : pieces) size += piece.size();
  std::string all;
  all.reserve(size);
  for (std::string& piece : pieces) all += std::exchange(piece, {});
  return all;
}

}  // namespace

absl::StatusOr<ListDocument> read_list_page(ListText text) {
  ListDocument page;
  const absl::StatusOr<JsonView> list = page.document.parse(joined(std::move(text.pieces)));
  if (!list.ok()) return base::annotate(list.status(), text.what);
  page.resource_version = resource_version_of(*list);
  page.continue_token = string_at(*list, {"metadata", "continue"});
  each_at(*list, {"items"}, [&page](const JsonView& item) { page.items.push_back(item); });
  return page;
}

}  // namespace tidegate::kube
