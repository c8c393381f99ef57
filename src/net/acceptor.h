// SPDX-License-Identifier: Apache-2.0
// Takes connections from a listening socket of the process (it does not own the descriptor, so that
// a reload or a binary upgrade keeps it). Level-triggered, so that a cap a turn loses nothing. When
// descriptors run out, one kept in reserve lets the connection be taken and closed, instead of the
// loop spinning on a readable socket that it cannot empty. One thread.
#pragma once

#include <cstdint>

#include "net/address.h"
#include "net/timer_wheel.h"

typedef struct uv_poll_s uv_poll_t;

namespace weir::net {

class Loop;

class AcceptHandler {
 public:
  /// A connection, non-blocking; the handler owns `fd` now.
  virtual void on_accept(int fd, const Peer& peer) = 0;
  /// A connection was closed at once because no descriptor is left.
  virtual void on_descriptors_exhausted() = 0;
  /// For how long to leave connections in the kernel's queue; asked before each is taken.
  virtual Duration accept_wait() { return {}; }

 protected:
  ~AcceptHandler() = default;
};

class Acceptor {
 public:
  /// `loop` and `handler` outlive the acceptor.
  Acceptor(Loop& loop, int listen_fd, AcceptHandler& handler);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  /// Stops accepting. The descriptor stays open: it is the process's.
  ~Acceptor();

 private:
  struct Handle;
  void accept_some();
  void watch();
  void shed_one();
  void pause(Duration time);

  Loop& loop_;
  const int fd_;
  int reserve_fd_;
  AcceptHandler& handler_;
  Timer retry_;     ///< Accepts again after a pause.
  Handle* handle_;  ///< Frees itself in its close callback.
};

}  // namespace weir::net
