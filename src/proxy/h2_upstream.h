// SPDX-License-Identifier: Apache-2.0
// A connection to an endpoint that speaks HTTP/2, shared by the exchanges of one worker. It opens
// when the first of them needs it; those that come meanwhile wait for the origin's SETTINGS with
// it, because only then is known how many streams it takes and what it understands.
//
// State         takes exchanges                     ends by
// kConnecting   yes, they wait                      the dial, or the last waiter's leaving
// kOpen         up to the origin's limit            idle time-out, GOAWAY, retire_shared()
// kGoing        no                                  its last stream's end
// kClosed       no; the graveyard frees it
//
// One thread.
#pragma once

#include "proxy/dial.h"
#include "proxy/h2_connection.h"
#include "proxy/h2_upstream_stream.h"
#include "upstream/shared_connection.h"

namespace weir::proxy {

class H2UpstreamConnection final : public H2Connection, public upstream::SharedConnection {
 public:
  /// What an exchange got: ready streams can be written to at once, others hear
  /// Exchange::on_connected() or on_upstream_error() from the loop.
  struct Joined {
    UpstreamStream* stream;
    bool ready;
  };

  /// Begins to connect, with `exchange` as the first to wait.
  static Result<Joined> connect(Worker& worker, upstream::ConnectionPermit permit,
                                Exchange& exchange);
  /// `socket` is connected and ALPN has chosen HTTP/2. `exchange` waits for the SETTINGS. Not
  /// `offered`: made by rules that a reload has changed since, so nobody else joins.
  struct Made {
    upstream::ConnectionPermit permit;
    net::Socket& socket;
    bool offered;
  };
  static Joined take_over(Worker& worker, Made made, Exchange& exchange);
  /// Requires: has_room().
  static Joined join(upstream::SharedConnection& shared, Exchange& exchange);

  // From its streams.
  void drained(H2UpstreamStream& stream);
  void failed(H2UpstreamStream& stream);
  /// The stream has left, by whatever way.
  void left(H2UpstreamStream& stream);
  bool served_before() const { return requests_ > 1; }
  /// A request that was sent at `sent` is given up: if nothing at all has come since, the origin is
  /// asked for a sign of life (PING), and without one the connection takes no more exchanges.
  void doubt(TimePoint sent);

  // net::SocketHandler
  void on_socket() override;

  // http::H2SessionHandler
  http::H2Stream* on_stream_open() override { return nullptr; }
  void on_goaway() override;
  void on_settings() override;
  void on_glitch() override {}

  // upstream::SharedConnection
  bool has_room() const override;
  bool idle() const override { return streams_ == 0; }
  void retire_shared() override;

 private:
  enum class State : uint8_t { kConnecting, kOpen, kGoing, kClosed };

  H2UpstreamConnection(Worker& worker, upstream::ConnectionPermit permit, bool offered);
  ~H2UpstreamConnection() override = default;

  Joined add(Exchange& exchange);
  bool dial();
  void admit_waiting();
  void settle();
  void fail_all(const Error& error);
  void go();
  void on_timer();
  void on_probe_over();
  Duration patience() const;
  void close();

  Dial dial_;
  net::Timer timer_;  ///< connect_timeout while it opens, then a probe's or idle_timeout.
  base::IntrusiveList<H2UpstreamStream> waiting_;
  base::IntrusiveList<H2UpstreamStream, DrainedTag> drained_;
  base::IntrusiveList<H2UpstreamStream, FailedTag> failed_;
  uint64_t requests_ = 0;
  uint32_t streams_ = 0;  ///< Waiting ones included.
  State state_ = State::kConnecting;
  TimePoint probed_at_{};
  bool probing_ = false;    ///< A PING is unanswered; timer_ is its.
  bool connected_ = false;  ///< The dial is done; the SETTINGS are awaited.
};

}  // namespace weir::proxy
