// SPDX-License-Identifier: Apache-2.0
// A thread with a name and a stack of a chosen size, which std::thread cannot have: eight megabytes
// of address space for each worker are refused where memory is limited by `ulimit -v`. Joined by
// its owner, at the latest by the destructor.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace weir::app {

class Thread {
 public:
  using Main = std::move_only_function<void()>;

  /// Workers and the log thread need little; RE2 and YAML recurse on the config thread.
  static constexpr size_t kSmallStack = 512 * 1024;
  static constexpr size_t kLargeStack = 8 * 1024 * 1024;

  Thread() = default;
  /// `name` has at most 15 characters (as `top -H` shows it).
  Thread(const char* name, size_t stack_bytes, Main main);
  Thread(Thread&& other) noexcept;
  Thread& operator=(Thread&& other) noexcept;
  ~Thread() { join(); }

  void join();
  /// Lets it run on without anybody waiting: for a thread that is stuck when the process ends.
  void abandon();

 private:
  pthread_t thread_{};
  bool joinable_ = false;
};

}  // namespace weir::app
