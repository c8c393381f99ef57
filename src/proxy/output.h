// SPDX-License-Identifier: Apache-2.0
// What waits to go out on one HTTP/1 socket. Pieces are corked: add() borrows them, flush() gives
// them to the kernel in one call and copies only what it does not take, into charged blocks. So a
// head and the body slice that came with it leave in one sendmsg, and an idle connection holds
// nothing here.
//
// Lifetime: borrowed bytes must stay until the next flush(), which comes before the loop goes on.
// The cork itself lives in the exchange's arena: forget_arena() before that is reset. One thread.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "base/buffer_chain.h"
#include "net/socket.h"

namespace weir::proxy {

class Output {
 public:
  /// Whether what a socket does not take may be refused for want of memory.
  enum class Room : uint8_t {
    kReserved,  ///< It has been reserved, or is little.
    kAsk,
  };
  struct Memory {
    base::BlockPool& blocks;
    base::Account& account;
    Room room;
  };

  /// Queues bytes without copying them.
  void add(std::string_view bytes, base::Arena& arena, const Memory& memory);
  /// Queues a copy of a few bytes (a chunk prefix), so that they need not outlive the call.
  void add_copy(std::string_view bytes, base::Arena& arena, const Memory& memory);
  /// Sends what the kernel takes now. kAgain or kOk: the rest is held; kError: the connection is
  /// dead.
  /// `last`: the socket is closed right after, so that the FIN can go with the last bytes.
  net::IoResult::Status flush(net::Socket& socket, const Memory& memory, bool last = false);

  /// The kernel did not take all at the last flush: whoever produces more should pause.
  bool congested() const { return blocked_; }
  /// The last flush() said kError because what is left may not be held.
  bool refused() const { return refused_; }
  size_t held() const { return held_.size(); }
  bool empty() const { return held_.empty() && (cork_ == nullptr || cork_->count == 0); }
  /// Requires: flushed.
  void forget_arena() { cork_ = nullptr; }
  void clear(const Memory& memory);

 private:
  static constexpr size_t kPieces = 8;
  static constexpr size_t kScratch = 64;
  /// Up to here one copy and send() cost less than the gathering of sendmsg().
  static constexpr size_t kJoin = 2048;
  struct Cork {
    iovec pieces[kPieces];
    uint32_t count = 0;
    uint32_t scratch_used = 0;
    char scratch[kScratch];
  };

  void spill(const Memory& memory);
  bool may_spill(const Memory& memory) const;
  void charge_record(base::Account* account);
  net::IoResult send_some(net::Socket& socket, bool last) const;
  size_t gather(iovec* out) const;
  void take_sent(size_t bytes, const Memory& memory);

  base::BufferChain held_;
  Cork* cork_ = nullptr;
  base::Account* sealed_for_ = nullptr;  ///< Who pays for the record that TLS holds.
  bool blocked_ = false;
  bool refused_ = false;
};

}  // namespace weir::proxy
