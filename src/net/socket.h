// SPDX-License-Identifier: Apache-2.0
// A stream socket in a loop's own edge-triggered epoll set. It is registered once for everything
// and never changed: what the set reports is remembered here until a call says "would block", so a
// pause is simply not reading, and a reset is seen even while paused.
//
// Dies at once: after close() (or destruction) no event arrives, however many are queued. The
// handler is called only by the loop, never from inside a call on the socket. One thread.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/intrusive_list.h"

namespace weir::net {

class SocketSet;

class SocketHandler {
 public:
  /// Something may now be possible that was not: look at readable(), writable(), failed().
  virtual void on_socket() = 0;

 protected:
  ~SocketHandler() = default;
};

struct IoResult {
  enum class Status : uint8_t { kOk, kAgain, kEof, kError };
  Status status = Status::kOk;
  int error = 0;     ///< errno, for kError.
  size_t bytes = 0;  ///< Moved, for kOk.
};

class Socket : public base::ListLink<> {
 public:
  Socket() = default;
  ~Socket() { close(); }

  /// Takes over `fd` (non-blocking) and registers it. False, and `fd` closed, if the kernel
  /// refuses.
  bool adopt(SocketSet& set, int fd, SocketHandler& handler);
  /// The same connection gets another handler (a pooled connection changes hands).
  void set_handler(SocketHandler& handler) { handler_ = &handler; }

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  bool readable() const { return (flags_ & kReadable) != 0; }
  bool writable() const { return (flags_ & kWritable) != 0; }
  /// The peer has shut its side down: a read will come to the end after what is still queued.
  bool peer_finished() const { return (flags_ & kPeerFinished) != 0; }
  /// Reset, or both sides are shut down.
  bool failed() const { return (flags_ & kFailed) != 0; }

  /// At most room.size() bytes. A short read counts as "would block next" unless the peer finished.
  IoResult recv(std::span<char> room);
  /// A partial write is kOk with fewer bytes. Never raises SIGPIPE.
  IoResult send(std::string_view bytes, bool more_follows = false);
  /// Gathers.
  IoResult send(std::span<const iovec> pieces, bool more_follows = false);
  /// Moves bytes into / out of a pipe without copying them. Requires: a plain (not TLS) socket.
  IoResult splice_to_pipe(int pipe_write_end, size_t most);
  IoResult splice_from_pipe(int pipe_read_end, size_t most, bool more_follows);

  /// A write failed: reading tells what the peer said last, though no event announces it.
  void mark_readable() { flags_ |= kReadable; }
  /// splice_to_pipe() said kAgain with an empty pipe, so it was the socket that had nothing.
  void clear_readable() { flags_ &= static_cast<uint8_t>(~kReadable); }

  /// Bytes that were sent and that the peer has not acknowledged yet (SIOCOUTQ).
  size_t unacknowledged() const;

  /// Sends FIN after what is queued; reading goes on.
  void shutdown_write();
  /// Orderly as far as the kernel can: queued bytes still go out.
  void close();
  /// Now: RST, queued bytes are discarded.
  void abort();
  /// Asks the loop to call the handler soon although the kernel has nothing new (resume, fairness).
  void wake();
  /// The error that the kernel holds for this socket (a failed connect), 0 if none.
  int take_error();

 private:
  friend class SocketSet;
  IoResult sent(long result, size_t wanted);
  static constexpr uint8_t kReadable = 1, kWritable = 2, kPeerFinished = 4, kFailed = 8;

  SocketSet* set_ = nullptr;
  SocketHandler* handler_ = nullptr;
  int fd_ = -1;
  uint32_t slot_ = 0;
  uint8_t flags_ = 0;
};

/// Starts a non-blocking connect. The result is a descriptor (the connection may still be under
/// way) or -errno.
class SocketAddress;
int start_connect(const SocketAddress& address, uint32_t tcp_user_timeout_ms);

/// Opens a listening socket: `reuse_port` gives each worker one of its own. Result: fd or -errno.
int open_listener(const SocketAddress& address, bool reuse_port, int backlog);

}  // namespace weir::net
