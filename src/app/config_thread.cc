// SPDX-License-Identifier: Apache-2.0
#include "app/config_thread.h"

#include <utility>

#include "app/allocator.h"

namespace weir::app {

ConfigThread::ConfigThread() : thread_("weir-config", Thread::kLargeStack, [this] { run(); }) {}

void ConfigThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void ConfigThread::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void ConfigThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    std::vector<Task> tasks = std::exchange(tasks_, {});
    lock.unlock();
    for (Task& task : tasks) task();
    tasks.clear();
    release_free_memory();
    lock.lock();
  }
}

}  // namespace weir::app
