#include "kube/watch_event.h"

#include "base/status.h"
#include "base/strings.h"
#include "kube/errors.h"

namespace tidegate::kube {

std::string WatchEvent::resource_version() const { return resource_version_of(object); }

bool WatchEvent::ends_initial_events() const {
  return type == WatchEventType::kBookmark &&
         string_at(object, {"metadata", "annotations", "k8s.io/initial-events-end"}) == "true";
}

absl::StatusOr<WatchEvent> parse_watch_event(std::string_view line, std::string_view what,
                                             base::JsonDocument& document) {
  const absl::StatusOr<JsonView> json = document.parse(line);
  if (!json.ok()) return base::annotate(json.status(), what);
  const auto type = json->find("type");
  const std::string_view name = type ? type->as_string().value_or("") : "";
  const auto object = json->find("object");
  if (!object) return absl::InvalidArgumentError(base::cat(what, ": a watch event without an object"));
  if (name == "ADDED") return WatchEvent{WatchEventType::kAdded, *object};
  if (name == "MODIFIED") return WatchEvent{WatchEventType::kModified, *object};
  if (name == "DELETED") return WatchEvent{WatchEventType::kDeleted, *object};
  if (name == "BOOKMARK") return WatchEvent{WatchEventType::kBookmark, *object};
  if (name == "ERROR") return error_from_status_object(object->to_json(), what);
  return absl::InvalidArgumentError(base::cat(what, ": a watch event of unknown type '", name, "'"));
}

bool LineDecoder::feed(std::string_view bytes, const std::function<bool(std::string_view)>& on_line) {
  while (true) {
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      pending_.append(bytes);
      return pending_.size() <= kMaxLineBytes;
    }
    std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    std::string joined;
    if (!pending_.empty()) {
      joined = std::exchange(pending_, {});
      joined.append(line);
      line = joined;
    }
    if (!line.empty() && !on_line(line)) return false;
  }
}

}  // namespace tidegate::kube
