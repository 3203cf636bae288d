#pragma once
// One line of a watch stream, and the decoder that cuts a byte stream into lines. Pure; used by Client::watch.
#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <string_view>

#include "kube/json.h"

namespace tidegate::kube {

enum class WatchEventType { kAdded, kModified, kDeleted, kBookmark };

struct WatchEvent {
  WatchEventType type;
  JsonView object;  // valid until the next event of the same stream

  std::string resource_version() const;
  // A bookmark that says: what was there at the start has been sent (WatchList).
  bool ends_initial_events() const;
};

// INVALID_ARGUMENT for a line that is no event; the server's error for an ERROR event. The event looks at `document`.
absl::StatusOr<WatchEvent> parse_watch_event(std::string_view line, std::string_view what,
                                             base::JsonDocument& document);

// Bytes in, whole lines out, in order. A line may come in any number of pieces.
class LineDecoder {
 public:
  // Far above what etcd can hold (1.5 MiB): a longer line is no API server's.
  static constexpr size_t kMaxLineBytes = 32 << 20;

  // Calls `on_line` for every line that is complete. False when `on_line` refused one (nothing after it is read) or a
  // line is too long: the stream is of no more use then.
  bool feed(std::string_view bytes, const std::function<bool(std::string_view)>& on_line);
  // Bytes of a line that has not ended.
  size_t pending_bytes() const { return pending_.size(); }

 private:
  std::string pending_;
};

}  // namespace tidegate::kube
