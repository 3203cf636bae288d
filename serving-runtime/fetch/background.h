#pragma once
// Work that may block (hashing, syncing a disk), away from the loop.
#include <functional>
#include <utility>

#include "base/loop.h"
#include "base/task.h"

namespace tidegate::serving {

class Background {
 public:
  virtual ~Background() = default;
  // Runs `work` once, on some other thread. All work has run before the owner of the threads goes away.
  virtual void run(std::function<void()> work) = 0;
};

// Waits on the loop for what `work` gives on another thread. Not cancelled: it ends when the work does.
template <class T>
base::Task<T> in_background(Background& background, base::Loop& loop, std::function<T()> work) {
  base::Promise<T> done;
  base::Loop* owner = &loop;
  background.run([owner, done, work = std::move(work)] {
    auto result = std::make_shared<T>(work());
    owner->post([done, result] { done.set(std::move(*result)); });
  });
  T result = co_await done.wait();
  co_return result;
}

}  // namespace tidegate::serving
