#include "kube/watch_event.h"

#include "base/status.h"
#include "base/strings.h"
#include "kube/errors.h"

namespace tidegate::kube {

std::string WatchEvent::resource_version() const { return string_at(object, {"metadata", "resourceVersion"}); }

bool WatchEvent::ends_initial_events() const {
  return type == WatchEventType::kBookmark &&
         string_at(object, {"metadata", "annotations", "k8s.io/initial-events-end"}) == "true";
}

absl::StatusOr<WatchEvent> parse_watch_event(std::string_view line, std::string_view what) {
  TG_ASSIGN_OR_RETURN(Json json, parse_json(line, what));
  const std::string type = string_at(json, {"type"});
  const Json* object = find(json, {"object"});
  if (object == nullptr) return absl::InvalidArgumentError(base::cat(what, ": a watch event without an object"));
  if (type == "ERROR") return error_from_status_object(*object, what);
  WatchEvent event{WatchEventType::kBookmark, std::move(json["object"])};
  if (type == "ADDED") {
    event.type = WatchEventType::kAdded;
  } else if (type == "MODIFIED") {
    event.type = WatchEventType::kModified;
  } else if (type == "DELETED") {
    event.type = WatchEventType::kDeleted;
  } else if (type != "BOOKMARK") {
    return absl::InvalidArgumentError(base::cat(what, ": a watch event of unknown type '", type, "'"));
  }
  return event;
}

bool LineDecoder::feed(std::string_view bytes, const std::function<bool(std::string_view)>& on_line) {
  while (true) {
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      pending_.append(bytes);
      return pending_.size() <= kMaxLineBytes;
    }
    pending_.append(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
    const std::string line = std::exchange(pending_, {});
    if (!line.empty() && !on_line(line)) return false;
  }
}

}  // namespace tidegate::kube
