// SPDX-License-Identifier: Apache-2.0
// The thread for what takes long and touches no loop: reading and compiling configs, writing out
// large pages, freeing old snapshots. Tasks run in the order of posting, one at a time.
// post() from any thread; the rest by the owner.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "app/thread.h"

namespace weir::app {

class ConfigThread {
 public:
  using Task = std::move_only_function<void()>;

  ConfigThread();
  ConfigThread(const ConfigThread&) = delete;
  ConfigThread& operator=(const ConfigThread&) = delete;
  ~ConfigThread() { stop(); }

  void post(Task task);
  /// Runs what is queued, then ends the thread. Tasks posted afterwards are destroyed unrun.
  void stop();
  /// Frees `owned` on this thread once nobody else holds it: 100,000 routes take a while.
  template <typename Pointer>
  void free_later(Pointer owned) {
    post([kept = std::move(owned)]() mutable { kept.reset(); });
  }

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Task> tasks_;
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace weir::app
