// SPDX-License-Identifier: Apache-2.0
// A connection to an endpoint that speaks HTTP/1: the origin's codec. It carries one exchange at a
// time and lies in its worker's pool between them.
//
// State         who refers to it                    what an event means
// kConnecting   its exchange's attempt              the dial's next stage, or it failed
// kActive       its exchange's attempt              response bytes, room to write, or the end
// kIdle         the pool                            any byte or end closes it
// kClosed       nobody; the graveyard frees it      none comes
//
// One thread.
#pragma once

#include <string_view>

#include "net/loop.h"
#include "net/socket.h"
#include "proxy/dial.h"
#include "proxy/output.h"
#include "proxy/stream.h"
#include "upstream/worker_cluster.h"

namespace weir::proxy {

class Exchange;
class Worker;

class UpstreamConnection final : public net::SocketHandler,
                                 public UpstreamStream,
                                 public upstream::PoolEntry,
                                 public net::Retirable {
 public:
  /// Begins to connect for `exchange`; Exchange::on_connected() or on_upstream_error() follows from
  /// the loop. An error if the kernel refuses at once.
  static Result<UpstreamStream*> connect(Worker& worker, upstream::ConnectionPermit permit,
                                         Exchange& exchange);
  /// A pooled connection, just taken, serves `exchange`. Null if it turns out to be dead: it is
  /// closed then, and the caller leases again. `probe`: look before use, for requests that could
  /// not be repeated.
  static UpstreamStream* reuse(upstream::PoolEntry& entry, Exchange& exchange, bool probe);

  // net::SocketHandler
  void on_socket() override;

  // UpstreamStream
  void send_head(const RequestHead& head) override;
  void send_body(std::string_view bytes) override;
  void send_end(const HeaderList& trailers) override;
  void flush() override;
  bool congested() const override { return out_.congested() || await_drain_; }
  void pause_body() override { body_paused_ = true; }
  void resume_body() override;
  net::Socket* raw_sink() override;
  void await_drain() override { await_drain_ = true; }
  void release() override;
  bool reused() const override { return requests_served() > 1; }
  bool sent_any() const override { return sent_any_; }

 private:
  enum class State : uint8_t { kConnecting, kActive, kIdle, kClosed };
  /// What only a request under way needs; lives in the exchange's arena.
  struct Request;

  UpstreamConnection(Worker& worker, upstream::ConnectionPermit permit);
  ~UpstreamConnection() override;

  void begin(Exchange& exchange);
  bool quiet(bool probe);
  Output::Memory memory();
  base::Arena& arena();
  void on_connecting();
  void become_http2();
  bool one_request_only() const;
  void room_to_write();
  void read_some();
  bool wants_read() const;
  bool feed(std::string_view in);
  bool feed_head(std::string_view& in);
  bool head_complete(std::string_view text);
  bool feed_body(std::string_view& in);
  const RequestHead& ask_upgrade(const RequestHead& head);
  const char* refuse_switch(const ResponseHead& head) const;
  bool in_tunnel() const;
  void end_tunnel_writing();
  bool tunnel_lost() const;
  bool try_splice();
  void run_splice();
  void on_eof(int error);
  void response_complete(bool surplus);
  void fail(const Error& error);
  Exchange& detach();
  void close();
  // upstream::PoolEntry
  void close_idle() override;

  Worker& worker_;
  Exchange* exchange_ = nullptr;
  Request* request_ = nullptr;  ///< Non-null exactly while exchange_ is.
  net::Socket socket_;
  Output out_;
  Dial dial_;
  State state_ = State::kConnecting;
  BodyFraming::Kind request_framing_ = BodyFraming::Kind::kNone;
  bool head_sent_ = false;
  bool sent_any_ = false;
  bool request_ended_ = false;
  bool keep_alive_ = false;  ///< The origin allows another request after this one.
  bool body_paused_ = false;
  bool await_drain_ = false;
  bool write_broken_ = false;
  bool read_ended_ = false;   ///< Of a tunnel: the origin has sent FIN,
  bool write_ended_ = false;  ///< and so have we.
};

}  // namespace weir::proxy
