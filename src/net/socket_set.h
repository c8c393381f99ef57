// SPDX-License-Identifier: Apache-2.0
// The edge-triggered epoll set of one loop, itself one descriptor that the loop polls. It does not
// own sockets. Events that are stale when their turn comes (the socket closed, the slot was reused
// within the same batch) are told by a generation, as nginx does with its instance bit. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "net/socket.h"

struct epoll_event;

namespace weir::net {

struct TlsScratch;

class SocketSet {
 public:
  SocketSet();
  SocketSet(const SocketSet&) = delete;
  SocketSet& operator=(const SocketSet&) = delete;
  ~SocketSet();

  int fd() const { return epoll_fd_; }
  /// Handles one batch of events without waiting, then those sockets that asked to be woken.
  void dispatch() {
    collect();
    handle();
  }
  /// The halves of dispatch(), for a loop that has something to do before the events of a batch. A
  /// socket that closes in between is left out.
  void collect();
  void handle();
  /// Whether a socket has asked to be woken since: the loop must not sleep.
  bool has_woken() const { return !woken_.empty(); }
  /// What TLS sockets of this set work with, one call at a time. Made at the first use.
  TlsScratch& tls_scratch();
  /// Queues an event of its own behind all that are ready now. Once it is handled, probe_back() is
  /// true: what came between was the wait of whoever becomes ready. One at a time.
  void send_probe();
  bool probe_back() const { return probe_back_; }
  /// Sockets registered now; zero at exit, by test.
  size_t size() const { return used_; }

 private:
  friend class Socket;
  struct Slot {
    Socket* socket = nullptr;
    uint32_t generation = 0;
    uint32_t next_free = 0;
  };
  static constexpr uint32_t kNoSlot = UINT32_MAX;

  uint32_t take_slot();
  bool add(Socket& socket, int fd);
  void move(Socket& from, Socket& to);
  void remove(Socket& socket);

  int epoll_fd_;
  std::unique_ptr<epoll_event[]> events_;
  size_t collected_ = 0;
  size_t used_ = 0;
  int probe_fd_ = -1;  ///< An eventfd; -1: none was sent yet.
  uint32_t probe_slot_ = kNoSlot;
  bool probe_back_ = true;
  uint32_t free_ = kNoSlot;
  std::vector<Slot> slots_;
  base::IntrusiveList<Socket> woken_;
  std::unique_ptr<TlsScratch> tls_scratch_;
};

}  // namespace weir::net
