// SPDX-License-Identifier: Apache-2.0
#include "app/log_thread.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "app/op_log.h"
#include "base/check.h"

namespace weir::app {
namespace {

constexpr int kPeriodMs = 50;
// How long a file may refuse bytes while the process wants to end.
constexpr int kPatienceMs = 1'000;
// A blocking pipe takes what poll() promised, and a page more or less of it decides whether write()
// sleeps; smaller pieces keep that short.
constexpr size_t kLargestWrite = 64 * 1024;

}  // namespace

LogThread::LogThread(size_t workers, LogFile file)
    : wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), file_(std::move(file)) {
  CHECK(wake_fd_ >= 0);
  for (size_t i = 0; i < workers; ++i) {
    rings_.push_back(std::make_unique<base::LogRing>(kRingBytes));
    rings_.back()->on_half_full([](void* self) { static_cast<LogThread*>(self)->wake(); }, this);
  }
  thread_ = Thread("weir-log", Thread::kSmallStack, [this] { run(); });
}

LogThread::~LogThread() {
  stopping_.store(true, std::memory_order_release);
  wake();
  thread_.join();
  ::close(wake_fd_);
}

void LogThread::change_file(LogFile file) {
  {
    const std::lock_guard lock(mutex_);
    next_file_ = std::move(file);
  }
  wake();
}

void LogThread::reopen() {
  {
    const std::lock_guard lock(mutex_);
    reopen_ = true;
  }
  wake();
}

void LogThread::wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(wake_fd_, &one, sizeof one);
}

void LogThread::run() {
  while (true) {
    // Read before the rings are: what the workers wrote before they ended is then seen.
    const bool last = stopping_.load(std::memory_order_acquire);
    take_orders();
    for (const auto& ring : rings_) drain(*ring);
    if (last) return;
    wait();
  }
}

void LogThread::wait() {
  pollfd event{wake_fd_, POLLIN, 0};
  if (::poll(&event, 1, kPeriodMs) <= 0) return;
  uint64_t count;
  [[maybe_unused]] const ssize_t n = ::read(wake_fd_, &count, sizeof count);
}

void LogThread::take_orders() {
  std::optional<LogFile> next;
  bool again;
  {
    const std::lock_guard lock(mutex_);
    next = std::exchange(next_file_, std::nullopt);
    again = std::exchange(reopen_, false);
  }
  if (next) file_ = std::move(*next);
  if (again && !file_.path().empty()) reopen_now();
}

void LogThread::reopen_now() {
  AccessLogConfig config;
  config.sink = AccessLogConfig::Sink::kFile;
  config.path = file_.path();
  auto opened = LogFile::open(config);
  if (!opened) {
    op_log(LogLevel::kError, "the old access log stays open", {{"error", opened.error()}});
    return;
  }
  file_ = std::move(*opened);
  op_log(LogLevel::kInfo, "access log reopened", {{"path", file_.path()}});
}

// Ends where the writer stood when this began, so that it ends at the end of a line even if a ring
// fills as fast as it is emptied.
void LogThread::drain(base::LogRing& ring) {
  for (size_t left = ring.size(); left > 0;) {
    const std::string_view ready = ring.front();
    const size_t n = std::min(left, ready.size());
    write_all(ready.substr(0, n));
    ring.consume(n);
    left -= n;
  }
}

void LogThread::write_all(std::string_view bytes) {
  while (!bytes.empty() && file_.is_open()) {
    ssize_t n = -1;
    if (wait_writable()) {
      n = ::write(file_.fd(), bytes.data(), std::min(bytes.size(), kLargestWrite));
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    }
    if (n < 0) {
      if (!std::exchange(failing_, true)) {
        op_log(LogLevel::kError, "access log lines are lost", {{"error", ::strerror(errno)}});
      }
      bytes_lost_.add(bytes.size());
      return;
    }
    failing_ = false;
    bytes_written_.add(static_cast<uint64_t>(n));
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

// A reader that does not read holds this thread only, and at the end of the process not even that.
bool LogThread::wait_writable() {
  while (true) {
    pollfd event{file_.fd(), POLLOUT, 0};
    const bool last = stopping_.load(std::memory_order_relaxed);
    const int ready = ::poll(&event, 1, kPatienceMs);
    if (ready > 0) return true;
    if (ready == 0 && last) {
      errno = ETIMEDOUT;
      return false;
    }
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace weir::app
