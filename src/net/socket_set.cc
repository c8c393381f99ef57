// SPDX-License-Identifier: Apache-2.0
#include "net/socket_set.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "net/tls_scratch.h"

namespace weir::net {
namespace {

// As many as a busy worker finds ready at once; more come with the next call, the set staying
// ready.
constexpr int kBatch = 256;

}  // namespace

SocketSet::SocketSet()
    : epoll_fd_(::epoll_create1(EPOLL_CLOEXEC)),
      events_(std::make_unique_for_overwrite<epoll_event[]>(kBatch)) {
  CHECK(epoll_fd_ >= 0);
}

SocketSet::~SocketSet() {
  CHECK(used_ == 0);
  if (probe_fd_ >= 0) ::close(probe_fd_);
  ::close(epoll_fd_);
}

// A free slot, still in the list of free ones.
uint32_t SocketSet::take_slot() {
  if (free_ == kNoSlot) {
    free_ = static_cast<uint32_t>(slots_.size());
    slots_.push_back({nullptr, 0, kNoSlot});
  }
  return free_;
}

// Each write to an eventfd is an edge, read or not.
void SocketSet::send_probe() {
  if (probe_fd_ < 0) {
    probe_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (probe_fd_ < 0) return;
    // Its slot never has a socket, so that events of sockets need no look at it.
    probe_slot_ = take_slot();
    free_ = slots_[probe_slot_].next_free;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = probe_slot_;
    CHECK(::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, probe_fd_, &event) == 0);
  }
  const uint64_t one = 1;
  probe_back_ = ::write(probe_fd_, &one, sizeof(one)) != sizeof(one);
}

bool SocketSet::add(Socket& socket, int fd) {
  const uint32_t index = take_slot();
  Slot& slot = slots_[index];
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = uint64_t{slot.generation} << 32 | index;
  if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) return false;
  free_ = slot.next_free;
  slot.socket = &socket;
  socket.slot_ = index;
  ++used_;
  return true;
}

void SocketSet::move(Socket& from, Socket& to) {
  to.slot_ = from.slot_;
  slots_[to.slot_].socket = &to;
}

TlsScratch& SocketSet::tls_scratch() {
  if (tls_scratch_ == nullptr) tls_scratch_ = std::make_unique_for_overwrite<TlsScratch>();
  return *tls_scratch_;
}

void SocketSet::remove(Socket& socket) {
  Slot& slot = slots_[socket.slot_];
  slot.socket = nullptr;
  ++slot.generation;
  slot.next_free = free_;
  free_ = socket.slot_;
  --used_;
}

void SocketSet::collect() {
  const int n = ::epoll_wait(epoll_fd_, events_.get(), kBatch, 0);
  collected_ = n > 0 ? static_cast<size_t>(n) : 0;
}

void SocketSet::handle() {
  for (size_t i = 0; i < collected_; ++i) {
    const epoll_event& event = events_[i];
    const Slot& slot = slots_[static_cast<uint32_t>(event.data.u64)];
    if (slot.socket == nullptr || slot.generation != event.data.u64 >> 32) {
      if (static_cast<uint32_t>(event.data.u64) == probe_slot_) probe_back_ = true;
      continue;
    }
    Socket& socket = *slot.socket;
    unsigned flags = socket.flags_;
    if ((event.events & (EPOLLIN | EPOLLRDHUP)) != 0) flags |= Socket::kReadable;
    if ((event.events & EPOLLOUT) != 0) flags |= Socket::kWritable;
    if ((event.events & EPOLLRDHUP) != 0) flags |= Socket::kPeerFinished;
    if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) flags |= Socket::kFailed | Socket::kReadable;
    socket.flags_ = static_cast<uint8_t>(flags);
    if ((flags & Socket::kShutdownDue) != 0) socket.shutdown_write();
    socket.handler_->on_socket();
  }
  base::IntrusiveList<Socket> woken;
  woken.splice_back(woken_);
  while (Socket* socket = woken.pop_front()) socket->handler_->on_socket();
}

}  // namespace weir::net
