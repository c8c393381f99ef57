// SPDX-License-Identifier: Apache-2.0
// An accepted HTTP/1 connection: the client's codec. Reads requests one after another, gives each
// to an exchange of its own and writes the answer. Knows framing, keep-alive, pipelining, lingering
// close and the client's timeouts; knows nothing of routes or origins.
//
// State            what is going on                              timer
// kIdle            no request; no exchange, no memory held       keepalive_timeout
// kHead            part of a head is here                        header_timeout
// kBody            the request's body is being read              body_idle_timeout
// kTunnel          an upgrade or CONNECT: bytes both ways         none; the exchange's
// kComplete        the request is read, the answer is not sent   body_idle_timeout while congested
// kDrain           answered early; the rest of the body is       2 s
//                  dropped, then the connection goes on
// kLinger          answered, FIN sent; what comes is dropped     2 s
// kClosed          socket closed; the graveyard frees the memory none
//
// In all states the connection is in its listener's list, but in kClosed. One thread.
#pragma once

#include <weir/clock.h>

#include <cstdint>
#include <string_view>

#include "base/buffer_chain.h"
#include "http/body_reader.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/socket.h"
#include "proxy/client_connection.h"
#include "proxy/output.h"
#include "proxy/stream.h"

namespace weir::proxy {

class Exchange;
class SpliceRelay;
class Worker;
class WorkerListener;

class DownstreamConnection final : public net::SocketHandler,
                                   public DownstreamStream,
                                   public net::Retirable,
                                   public ClientConnection {
 public:
  /// Takes over `fd`. If the kernel refuses it, the connection is closed before open() returns.
  static void open(WorkerListener& listener, int fd, const net::Peer& peer,
                   policy::AddressPlace place);

  /// Takes over a connection whose PROXY header and TLS handshake are done, in the place of `from`
  /// in the listener's list. `bytes` were read already.
  static void take_over(ClientConnection& from, Handover handover);

  // ClientConnection
  void drain() override;
  void kill() override;
  TimePoint idle_since() const override;
  void shed() override { close(); }

  // net::SocketHandler
  void on_socket() override;

  // DownstreamStream
  void send_interim(const ResponseHead& head) override;
  void send_head(const ResponseHead& head, bool last) override;
  void send_body(std::string_view bytes) override;
  void send_end(const HeaderList& trailers) override;
  void flush() override;
  bool congested() const override { return out_.congested() || await_drain_; }
  void pause_body() override;
  void resume_body() override;
  void abort() override;
  net::Socket* raw_sink() override;
  void await_drain() override;
  void exchange_finished() override;

 private:
  enum class State : uint8_t { kIdle, kHead, kBody, kTunnel, kComplete, kDrain, kLinger, kClosed };
  /// What only a request under way needs; lives in the exchange's arena.
  struct Request;

  DownstreamConnection(WorkerListener& listener, const net::Peer& peer);
  ~DownstreamConnection() override;

  Output::Memory memory();
  bool wants_read() const;
  void read_some();
  std::string_view feed(std::string_view in);
  void feed_surplus();
  void begin_request();
  bool may_speak_http2(std::string_view in) const;
  void become_http2(std::string_view in);
  std::string_view feed_head(std::string_view in);
  void keep_partial_head(std::string_view in);
  void head_complete(std::string_view text);
  void refuse(const Error& error);
  std::string_view feed_body(std::string_view in);
  bool body_moved(uint64_t bytes);
  std::string_view drop_body(std::string_view in);
  void request_read();
  void await_tunnel(RequestHead& head);
  void decline_tunnel();
  void open_tunnel(const ResponseHead& head);
  void flush_tunnel();
  bool try_splice();
  void run_splice();
  void on_eof();
  void on_gone();
  void on_timer();
  void client_drained();
  void await_room();
  int64_t delivered() const;
  bool client_reads();
  bool keeps_up();
  void settle();
  void finish_exchange();
  void after_answer();
  void release_exchange();
  /// Body bytes must move within body_idle_timeout from now; 0 waits for ever.
  void arm_body_idle();
  void start_linger();
  void go_idle();
  void close();
  bool too_slow(uint64_t bytes, uint64_t rate, TimePoint since) const;

  WorkerListener& listener_;
  Exchange* exchange_ = nullptr;
  Request* request_ = nullptr;  ///< Non-null exactly while exchange_ is.
  net::Socket socket_;
  net::Timer timer_;
  net::Peer peer_;
  std::unique_ptr<ProxyTold> told_;
  Output out_;
  base::BufferChain surplus_;  ///< Pipelined bytes that came behind the request under way.
  uint64_t requests_ = 0;
  /// In kIdle after a request. Its timer tells less: it is set shorter while memory is short.
  TimePoint idle_from_{};
  uint32_t dropped_ = 0;  ///< Bytes dropped in kDrain or kLinger.
  State state_ = State::kIdle;
  BodyFraming::Kind response_framing_ = BodyFraming::Kind::kNone;
  bool head_sent_ = false;
  bool keep_alive_ = true;
  bool busy_ = false;      ///< on_socket() is on the stack: settle() comes at its end.
  bool refused_ = false;   ///< Where the request ends is not known.
  bool finished_ = false;  ///< The exchange wants to be taken back.
  bool body_paused_ = false;
  bool peer_ended_ = false;   ///< The client has shut down its side.
  bool write_ended_ = false;  ///< Of a tunnel: FIN is sent.
  bool await_drain_ = false;
  bool write_broken_ = false;
  bool out_of_memory_ = false;  ///< What the client does not take could not be held.
  bool aborted_ = false;        ///< The answer was cut off: reset when the exchange is taken back.
  bool draining_ = false;
};

}  // namespace weir::proxy
