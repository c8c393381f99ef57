// SPDX-License-Identifier: Apache-2.0
// Signals as events of the control loop: the handler sends one byte through a socket pair, which is
// all that is allowed inside a signal handler. SIGPIPE is ignored: a closed peer is a write error.
// One object a process at a time. Thread: the loop's.
#pragma once

#include <functional>

#include "net/loop.h"
#include "net/socket.h"

namespace weir::app {

class Signals final : public net::SocketHandler {
 public:
  using Handler = std::move_only_function<void(int signal)>;

  /// Catches SIGHUP, SIGUSR1, SIGTERM and SIGINT from now on. `loop` outlives this.
  Signals(net::Loop& loop, Handler handler);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  /// The default actions come back.
  ~Signals();

 private:
  void on_socket() override;

  Handler handler_;
  net::Socket socket_;
};

}  // namespace weir::app
