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
  bool on_demand = false;  // kStart: a request loads it; else versions are loaded by themselves
};

// Which version a request wants: at most one of version and label; neither means the newest available.
struct ModelSpec {
  std::string name;
  std::optional<int64_t> version;
  std::optional<std::string> label;
};

// Where a prediction finds its version.
class ServableFinder {
 public:
  // NOT_FOUND when that model or version is not available, INVALID_ARGUMENT for a label that is not assigned; texts as
  // TensorFlow Serving's.
  virtual absl::StatusOr<std::shared_ptr<const Servable>> find(const ModelSpec& spec) const = 0;

 protected:
  ~ServableFinder() = default;
};

struct ServableTable final : ServableFinder {
  std::map<std::string, ModelEntry, std::less<>> models;

  absl::StatusOr<std::shared_ptr<const Servable>> find(const ModelSpec& spec) const override;
  // The states that `spec` asks for, newest first. NOT_FOUND when there are none.
  absl::StatusOr<std::map<int64_t, VersionEntry, std::greater<>>> states(const ModelSpec& spec) const;
  // A request for it can be answered: by a version that is available, or by one that it loads.
  bool can_serve(const ModelSpec& spec) const;
  // Every configured model has a version that is available or, of those that are loaded on demand, that is known: one
  // of them that cannot be loaded does not take the server away from the others.
  bool ready() const;
};

// Holds the current table. Readers never wait for a writer. Whoever keeps a table keeps all that was in it: a
// prediction takes what it needs with find(), so that models which others unload meanwhile can go.
class ServableDirectory final : public ServableFinder {
 public:
  absl::StatusOr<std::shared_ptr<const Servable>> find(const ModelSpec& spec) const override {
    return read()->find(spec);
  }
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
