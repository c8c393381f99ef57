// SPDX-License-Identifier: Apache-2.0
#include "net/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/check.h"
#include "net/loop.h"

namespace weir::net {
namespace {

// A burst of connections must not keep the established ones waiting for longer than this many.
constexpr int kAcceptsPerTurn = 64;
constexpr Duration kNoDescriptorPause = std::chrono::milliseconds(100);

int open_reserve() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

struct Acceptor::Handle {
  uv_poll_t poll;
  int fd;  ///< A duplicate: libuv keeps one watcher a descriptor, and the original is shared.
  Acceptor* owner;
};

Acceptor::Acceptor(Loop& loop, int listen_fd, AcceptHandler& handler)
    : loop_(loop),
      fd_(listen_fd),
      reserve_fd_(open_reserve()),
      handler_(handler),
      retry_(timer_callback<&Acceptor::watch>(this)),
      handle_(new Handle) {
  handle_->fd = ::fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
  handle_->owner = this;
  CHECK(handle_->fd >= 0);
  CHECK(uv_poll_init(loop.uv(), &handle_->poll, handle_->fd) == 0);
  handle_->poll.data = handle_;
  watch();
}

void Acceptor::watch() {
  uv_poll_start(&handle_->poll, UV_READABLE, [](uv_poll_t* poll, int, int) {
    auto* handle = static_cast<Handle*>(poll->data);
    if (handle->owner != nullptr) handle->owner->accept_some();
  });
}

Acceptor::~Acceptor() {
  handle_->owner = nullptr;
  uv_poll_stop(&handle_->poll);
  ::close(handle_->fd);
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
  if (reserve_fd_ >= 0) ::close(reserve_fd_);
}

void Acceptor::accept_some() {
  Handle* const handle = handle_;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (const Duration wait = handler_.accept_wait(); wait > Duration::zero()) return pause(wait);
    sockaddr_storage storage;
    socklen_t length = sizeof storage;
    const int fd = ::accept4(fd_, reinterpret_cast<sockaddr*>(&storage), &length,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      handler_.on_accept(fd, Peer::from(storage));
      if (handle->owner == nullptr) return;
      continue;
    }
    if (errno == EMFILE || errno == ENFILE) {
      shed_one();
      return;
    }
    // The client left before it was taken: the next one may still be there.
    if (errno != ECONNABORTED && errno != EINTR) return;
  }
}

void Acceptor::pause(Duration time) {
  uv_poll_stop(&handle_->poll);
  loop_.arm(retry_, time);
}

void Acceptor::shed_one() {
  if (reserve_fd_ < 0) reserve_fd_ = open_reserve();
  if (reserve_fd_ < 0) {
    // Another thread took the one that was kept: waiting costs less than turning for nothing.
    pause(kNoDescriptorPause);
    handler_.on_descriptors_exhausted();
    return;
  }
  ::close(reserve_fd_);
  const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) ::close(fd);
  reserve_fd_ = open_reserve();
  handler_.on_descriptors_exhausted();
}

}  // namespace weir::net
