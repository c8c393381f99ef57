// SPDX-License-Identifier: Apache-2.0
// Moves the rest of a body from one plain socket to another through a kernel pipe, without a copy
// to user space. Used where nobody looks at the bytes and enough of them are left to be worth a
// pipe (bench/e2e: `big`, `huge`, `upload`). One thread; both sockets outlive it.
#pragma once

#include <weir/error.h>

#include <cstddef>
#include <cstdint>

#include "base/account.h"
#include "net/pipe_pool.h"
#include "net/socket.h"

namespace weir::proxy {

class SpliceRelay {
 public:
  /// Below this many bytes left, a copy through user space is cheaper than a pipe.
  static constexpr uint64_t kWorthIt = 32 * 1024;

  /// What a pipe may hold, as it is asked for.
  static constexpr size_t kPipe = 1 << 20;

  /// Requires: `pipe` is valid; it goes back to `pool` with the relay. All that it may hold is
  /// charged to `account`, which outlives the relay: the kernel's memory is the process's too.
  SpliceRelay(net::PipePool& pool, net::Pipe pipe, base::Account& account)
      : pool_(pool), pipe_(pipe), account_(account) {
    account_.charge(pipe_.capacity);
  }
  SpliceRelay(const SpliceRelay&) = delete;
  SpliceRelay& operator=(const SpliceRelay&) = delete;
  ~SpliceRelay() {
    account_.refund(pipe_.capacity);
    pool_.give_back(pipe_, held_ == 0);
  }

  struct Progress {
    enum class State : uint8_t {
      kWaitSource,  ///< Nothing more to read now.
      kWaitSink,    ///< The sink takes no more now.
      kYield,       ///< Enough for one turn; both could go on.
      kSourceEnd,   ///< EOF, and everything was written.
      kSourceError,
      kSinkError,
      kDone,  ///< `left` bytes were moved.
    };
    State state;
    uint64_t read = 0;     ///< Taken from the source by this call.
    uint64_t written = 0;  ///< Given to the sink by this call.
    int error = 0;
  };
  /// Moves at most `left` bytes, as far as both sides go.
  Progress run(net::Socket& source, net::Socket& sink, uint64_t left);
  /// In the pipe now: bounded by the kernel's pipe size.
  size_t held() const { return held_; }

 private:
  net::PipePool& pool_;
  net::Pipe pipe_;
  base::Account& account_;
  size_t held_ = 0;
  bool source_ended_ = false;
};

}  // namespace weir::proxy
