#pragma once
// Which models and versions there are, and in which state: an immutable table that the repository replaces as a whole
// and front ends read without a lock.
#include <absl/status/statusor.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "serving-runtime/core/servable.h"

namespace tidegate::serving {

// The numbers are those of tensorflow.serving.ModelVersionStatus.State.
enum class VersionState { kStart = 10, kLoading = 20, kAvailable = 30, kUnloading = 40, kEnd = 50 };
std::string_view name_of(VersionState state);

struct VersionEntry {
  VersionState state = VersionState::kStart;
  absl::Status error;                        // why it ended, if it did not end well
  std::shared_ptr<const Servable> servable;  // set exactly while kAvailable
};

struct ModelEntry {
  std::map<int64_t, VersionEntry, std::greater<>> versions;  // newest first
  std::map<std::string, int64_t> labels;                     // "stable" -> 3
};

// Which version a request wants: at most one of version and label; neither means the newest available.
struct ModelSpec {
  std::string name;
  std::optional<int64_t> version;
  std::optional<std::string> label;
};

struct ServableTable {
  std::map<std::string, ModelEntry, std::less<>> models;

  // NOT_FOUND when that model or version is not available, INVALID_ARGUMENT for a label that is not assigned; texts as
  // TensorFlow Serving's.
  absl::StatusOr<std::shared_ptr<const Servable>> find(const ModelSpec& spec) const;
  // The states that `spec` asks for, newest first. NOT_FOUND when there are none.
  absl::StatusOr<std::map<int64_t, VersionEntry, std::greater<>>> states(const ModelSpec& spec) const;
  // Every configured model has a version that is available.
  bool ready() const;
};

// Holds the current table. Readers never wait for a writer.
class ServableDirectory {
 public:
  std::shared_ptr<const ServableTable> read() const { return table_.load(std::memory_order_acquire); }
  // Replaces the table by a changed copy. Any thread; `change` is short.
  void update(const std::function<void(ServableTable&)>& change) {
    std::lock_guard lock(writers_);
    auto table = std::make_shared<ServableTable>(*read());
    change(*table);
    table_.store(std::move(table), std::memory_order_release);
  }

 private:
  std::mutex writers_;
  std::atomic<std::shared_ptr<const ServableTable>> table_{std::make_shared<const ServableTable>()};
};

}  // namespace tidegate::serving
