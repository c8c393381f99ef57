// SPDX-License-Identifier: Apache-2.0
#include "app/thread.h"

#include <utility>

#include "base/check.h"

namespace weir::app {
namespace {

void* trampoline(void* argument) {
  const std::unique_ptr<Thread::Main> main(static_cast<Thread::Main*>(argument));
  (*main)();
  return nullptr;
}

}  // namespace

Thread::Thread(const char* name, size_t stack_bytes, Main main) {
  auto owned = std::make_unique<Main>(std::move(main));
  pthread_attr_t attributes;
  CHECK(pthread_attr_init(&attributes) == 0);
  CHECK(pthread_attr_setstacksize(&attributes, stack_bytes) == 0);
  CHECK(pthread_create(&thread_, &attributes, trampoline, owned.get()) == 0);
  // The thread owns it from here.
  Main* const given = owned.release();
  static_cast<void>(given);
  pthread_attr_destroy(&attributes);
  pthread_setname_np(thread_, name);
  joinable_ = true;
}

Thread::Thread(Thread&& other) noexcept
    : thread_(other.thread_), joinable_(std::exchange(other.joinable_, false)) {}

Thread& Thread::operator=(Thread&& other) noexcept {
  join();
  thread_ = other.thread_;
  joinable_ = std::exchange(other.joinable_, false);
  return *this;
}

void Thread::join() {
  if (std::exchange(joinable_, false)) pthread_join(thread_, nullptr);
}

void Thread::abandon() {
  if (std::exchange(joinable_, false)) pthread_detach(thread_);
}

}  // namespace weir::app
