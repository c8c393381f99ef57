// SPDX-License-Identifier: Apache-2.0
// A stream socket in a loop's own edge-triggered epoll set. It is registered once for everything
// and never changed: what the set reports is remembered here until a call says "would block", so a
// pause is simply not reading, and a reset is seen even while paused.
//
// TLS is a mode of it: after start_tls() recv() and send() carry the plain bytes, and their
// contracts stay as they are.
//
// Dies at once: after close() (or destruction) no event arrives, however many are queued. The
// handler is called only by the loop, never from inside a call on the socket. One thread.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/intrusive_list.h"

namespace weir::net {

class SocketSet;
class TlsSession;

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
  /// errno, for kError. With kEof: 0 is an orderly end; ECONNRESET is a FIN that no close_notify
  /// came before, so that what was read may be cut short (TLS only).
  int error = 0;
  size_t bytes = 0;  ///< Moved, for kOk.
};

enum class Handshake : uint8_t { kDone, kAgain, kError };

class Socket : public base::ListLink<> {
 public:
  Socket();
  ~Socket();

  /// Takes over `fd` (non-blocking) and registers it. False, and `fd` closed, if the kernel
  /// refuses.
  bool adopt(SocketSet& set, int fd, SocketHandler& handler);
  /// The same connection gets another handler (a pooled connection changes hands).
  void set_handler(SocketHandler& handler) { handler_ = &handler; }

  /// The connection, TLS included, goes over to `to`, whose handler is called soon if something may
  /// be readable already; this socket is then closed. Requires: open; `to` closed.
  void hand_over(Socket& to, SocketHandler& handler);

  /// From here on TLS. `received`: bytes of it that were read already (behind a PROXY header).
  void start_tls(std::unique_ptr<TlsSession> session, std::string_view received = {});
  bool is_tls() const { return tls_ != nullptr; }
  /// Open, and bytes may be moved through it as they are.
  bool is_plain() const { return is_open() && !is_tls(); }
  /// Null for a plain socket.
  TlsSession* tls() { return tls_.get(); }
  const TlsSession* tls() const { return tls_.get(); }
  /// Goes on with the handshake: to be called until it is no longer kAgain, at first at once and
  /// then whenever something became possible. kError: the alert is sent, tls()->failure() tells
  /// why, and all that is left is to close. Requires: is_tls().
  Handshake handshake();

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  bool readable() const { return (flags_ & kReadable) != 0; }
  bool writable() const { return (flags_ & kWritable) != 0; }
  /// The peer has shut its side down: a read will come to the end after what is still queued.
  bool peer_finished() const { return (flags_ & kPeerFinished) != 0; }
  /// Reset, or both sides are shut down.
  bool failed() const { return (flags_ & kFailed) != 0; }

  /// At most room.size() bytes. A short read counts as "would block next" unless the peer finished.
  /// TLS: readable() stays while there are bytes that no event will announce.
  IoResult recv(std::span<char> room);
  /// A partial write is kOk with fewer bytes. Never raises SIGPIPE.
  /// TLS: small pieces share a record. What was not taken must be offered again, the same bytes in
  /// the same order: they may be sealed in a record that is half out.
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

  /// Sends FIN (TLS: close_notify before it) after what is queued; reading goes on.
  void shutdown_write();
  /// Orderly as far as the kernel can: queued bytes still go out. TLS: and close_notify, if there
  /// is room for it.
  void close();
  /// Now: RST, queued bytes are discarded.
  void abort();
  /// Asks the loop to call the handler soon although the kernel has nothing new (resume, fairness).
  void wake();
  /// The error that the kernel holds for this socket (a failed connect), 0 if none.
  int take_error();

 private:
  friend class SocketSet;
  friend class TlsSession;
  IoResult plain_recv(std::span<char> room);
  IoResult plain_send(std::string_view bytes, bool more_follows);
  IoResult sent(long result, size_t wanted);
  static constexpr uint8_t kReadable = 1, kWritable = 2, kPeerFinished = 4, kFailed = 8;
  /// shutdown_write() waits for room for close_notify.
  static constexpr uint8_t kShutdownDue = 16;

  SocketSet* set_ = nullptr;
  SocketHandler* handler_ = nullptr;
  int fd_ = -1;
  uint32_t slot_ = 0;
  uint8_t flags_ = 0;
  std::unique_ptr<TlsSession> tls_;
};

/// Closes a connection that nobody has used: a reset, so that the kernel keeps nothing of it.
void close_with_reset(int fd);

/// Moves a descriptor to the lowest free number, if that is lower.
int renumber(int fd);

/// Starts a non-blocking connect. The result is a descriptor (the connection may still be under
/// way) or -errno.
class SocketAddress;
int start_connect(const SocketAddress& address, uint32_t tcp_user_timeout_ms);

/// Opens a listening socket: `reuse_port` gives each worker one of its own. Result: fd or -errno.
int open_listener(const SocketAddress& address, bool reuse_port, int backlog);

}  // namespace weir::net
