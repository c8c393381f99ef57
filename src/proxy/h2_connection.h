// SPDX-License-Identifier: Apache-2.0
// What both sides' HTTP/2 connections share: the socket, the session on it, and the way of bytes
// between the two. Frames of all streams that have something to say in one turn of the loop leave
// together: flush() frames, and the write comes when the batch of events is done.
//
// Events that may call an exchange (a stream has drained) never come from inside flush(): they wait
// for on_socket(). One thread.
#pragma once

#include <string_view>

#include "base/buffer_chain.h"
#include "http/h2_session.h"
#include "net/loop.h"
#include "net/socket.h"

namespace weir::proxy {

class Exchange;
class Worker;

class H2Connection : public net::SocketHandler,
                     public http::H2SessionHandler,
                     public net::Retirable {
 public:
  Worker& worker() { return worker_; }
  http::H2Session& session() { return session_; }
  /// Frames what `stream` was given, as far as windows and the socket allow; keeps the rest.
  void flush(http::H2Stream& stream);
  /// Something waits for on_socket(): a stream that has drained or is done.
  void wake() { socket_.wake(); }
  /// An event of feed() reached `exchange`: its output goes on before the read buffer is used
  /// again.
  void touch(Exchange& exchange);
  void flush_touched();
  /// As for net::Socket: how much of what was framed the peer has not got yet.
  size_t unacknowledged() const { return out_.size() + socket_.unacknowledged(); }

 protected:
  H2Connection(Worker& worker, http::H2Session::Role role, const http::H2Options& options,
               base::Account& account);
  ~H2Connection() override = default;

  /// Bytes that were read, here or before the connection came here. True: enough for a turn.
  bool feed(std::string_view bytes);
  /// All of a feed() has been looked at; what it reached is flushed next. Answers for feed().
  virtual bool fed() { return false; }
  void read_some();
  /// Frames and sends until nothing is left or the socket is full.
  void pump();
  void release_memory();
  bool dead() const { return dead_; }
  /// When something last came; the turn's time.
  TimePoint read_at() const { return read_at_; }
  /// Everything queued is with the kernel.
  bool sent_all() const { return out_.empty(); }
  /// The peer does not take what is framed for it.
  bool stuck() const { return blocked_ && !out_.empty(); }

  Worker& worker_;
  base::Account& account_;
  const size_t first_read_;
  net::Socket socket_;
  http::H2Session session_;
  Error error_{};  ///< Why it is dead, if it is.

 private:
  bool send_out();
  size_t out_limit() const;
  void charge_session();
  void forgive();

  base::BufferChain out_;
  TimePoint read_at_{};
  TimePoint forgiven_at_;
  size_t session_charged_ = 0;  ///< session_.memory() as the account has it.
  bool pumping_ = false;
  bool blocked_ = false;  ///< The socket took less than it was given.
  bool dead_ = false;     ///< No more reading: the peer has gone or broke the rules.
};

}  // namespace weir::proxy
