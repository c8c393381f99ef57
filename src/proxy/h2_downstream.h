// SPDX-License-Identifier: Apache-2.0
// A client's HTTP/2 connection: opens a stream and an exchange for each request, keeps the
// connection's own time-outs, ends graciously, and ends at once for clients that abuse it.
//
// State       what is going on                                  timer
// kOpening    the client's preface and SETTINGS are awaited     header_timeout
// kIdle       no stream                                         keepalive_timeout
// kBusy       streams; each has a timer of its own              none
// kGoing      told to open no more streams; the last end        1 s, then the last id is named
// kLinger     GOAWAY and FIN are sent; what comes is dropped    1 s
// kClosed     the graveyard frees it                            none
//
// In its listener's list in all states but kClosed. One thread.
#pragma once

#include "net/address.h"
#include "net/timer_wheel.h"
#include "proxy/client_connection.h"
#include "proxy/h2_connection.h"
#include "proxy/h2_downstream_stream.h"

namespace weir::proxy {

class WorkerListener;
struct Client;

class H2DownstreamConnection final : public H2Connection, public ClientConnection {
 public:
  /// Takes a connection over in the place of `from` in the listener's list.
  static void take_over(ClientConnection& from, Handover handover);

  WorkerListener& listener() { return listener_; }
  Client client_of(H2DownstreamStream& stream);

  // From its streams.
  /// A whole request head. It begins when all that was read with it has been looked at: one that is
  /// reset in the same breath (RFC 9113, 10.5; CVE-2023-44487) costs no origin anything.
  void arrived(H2DownstreamStream& stream) { arrived_.push_back(stream); }
  /// `stream` may go on sending: told to its exchange from the loop.
  void drained(H2DownstreamStream& stream);
  /// The exchange has finished.
  void done(H2DownstreamStream& stream);
  /// A request was reset before it could begin.
  void unmeant();
  /// The client broke the rules.
  void terminate(http::H2Error code);

  // ClientConnection
  void drain() override;
  void kill() override;
  TimePoint idle_since() const override;
  void shed() override;
  void kill_if_stuck() override;

  // net::SocketHandler
  void on_socket() override;

  // http::H2SessionHandler
  http::H2Stream* on_stream_open() override;
  void on_goaway() override {}
  void on_settings() override;
  void on_glitch() override;

 private:
  enum class State : uint8_t { kOpening, kIdle, kBusy, kGoing, kLinger, kClosed };

  H2DownstreamConnection(WorkerListener& listener, const net::Peer& peer);
  ~H2DownstreamConnection() override = default;

  bool fed() override;
  void settle();
  void tell_drained();
  void recycle_done();
  void end_connection();
  void end_streams();
  void go_idle();
  void linger();
  void on_timer();
  void close();
  void drop_input();

  WorkerListener& listener_;
  net::Peer peer_;
  std::unique_ptr<ProxyTold> told_;
  net::Timer timer_;
  base::IntrusiveList<H2DownstreamStream, ArrivedTag> arrived_;
  base::IntrusiveList<H2DownstreamStream, DrainedTag> drained_;
  base::IntrusiveList<H2DownstreamStream, DoneTag> done_;
  uint64_t requests_ = 0;
  TimePoint idle_from_{};      ///< In kIdle.
  uint64_t fed_requests_ = 0;  ///< requests_ at the last fed().
  uint32_t glitches_ = 0;      ///< In this turn.
  uint32_t open_ = 0;          ///< Streams that are not recycled yet.
  uint32_t dropped_ = 0;       ///< Bytes dropped in kLinger.
  State state_ = State::kOpening;
  bool last_named_ = false;
};

}  // namespace weir::proxy
