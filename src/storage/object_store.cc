#include "storage/object_store.h"

#include <iterator>
#include <utility>

#include "base/strings.h"

namespace tidegate::storage {

base::Task<absl::StatusOr<ListPage>> list_all(ObjectStore& store, ListRequest request, size_t max_objects,
                                              base::Scope& scope) {
  ListPage all;
  while (true) {
    absl::StatusOr<ListPage> page = co_await store.list(request, scope);
    if (!page.ok()) co_return page.status();
    std::move(page->objects.begin(), page->objects.end(), std::back_inserter(all.objects));
    std::move(page->prefixes.begin(), page->prefixes.end(), std::back_inserter(all.prefixes));
    if (all.objects.size() + all.prefixes.size() > max_objects) {
      co_return absl::ResourceExhaustedError(base::cat("there are more than ", max_objects, " objects under '",
                                                       request.prefix, "' in ", store.describe()));
    }
    if (page->next_token.empty()) co_return all;
    if (page->next_token == request.continuation_token) {
      co_return absl::InternalError(base::cat("the listing of ", store.describe(), " does not advance"));
    }
    request.continuation_token = page->next_token;
  }
}

}  // namespace tidegate::storage
