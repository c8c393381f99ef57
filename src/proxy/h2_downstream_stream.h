// SPDX-License-Identifier: Apache-2.0
// One request of an HTTP/2 client: a stream of its connection and the codec of one exchange. Taken
// from the worker's slab when the client opens the stream; given back by the connection when the
// exchange has finished, never earlier. One thread.
#pragma once

#include <weir/clock.h>

#include "base/intrusive_list.h"
#include "http/h2_session.h"
#include "net/timer_wheel.h"
#include "proxy/stream.h"

namespace weir::proxy {

class Exchange;
class H2DownstreamConnection;

struct ArrivedTag;
struct DrainedTag;
struct DoneTag;

class H2DownstreamStream final : public DownstreamStream,
                                 public http::H2Stream,
                                 public base::ListLink<ArrivedTag>,
                                 public base::ListLink<DrainedTag>,
                                 public base::ListLink<DoneTag> {
 public:
  explicit H2DownstreamStream(H2DownstreamConnection& connection);
  ~H2DownstreamStream();

  Exchange& exchange() { return *exchange_; }
  /// The answer cannot be completed, or nobody waits for it.
  bool aborted() const { return aborted_; }
  /// After on_request(), when the bytes that it came with have all been read: the exchange begins.
  void begin();
  /// After on_drained(), from the loop: the exchange may go on.
  void drained();

  // DownstreamStream
  void send_interim(const ResponseHead& head) override;
  void send_head(const ResponseHead& head, bool last) override;
  void send_body(std::string_view bytes) override;
  void send_end(const HeaderList& trailers) override;
  void flush() override;
  bool congested() const override { return pending(); }
  void pause_body() override;
  void resume_body() override;
  void abort() override;
  net::Socket* raw_sink() override { return nullptr; }
  void await_drain() override {}
  void exchange_finished() override;

  // http::H2Stream
  base::Arena& h2_arena() override;
  base::Account& h2_account() override;
  bool may_hold(size_t bytes) override;
  void on_request(const RequestHead& head) override;
  void on_bad_request(const Error& error) override;
  void on_interim(const ResponseHead&) override {}
  void on_response(const ResponseHead&) override {}
  void on_data(std::string_view bytes) override;
  void on_end(const HeaderList& trailers) override;
  void on_reset(http::H2Error code) override;
  void on_drained() override;

 private:
  void arm();
  void on_timer();
  void refuse(const Error& error);
  void give_up();
  bool receives() const { return head_done_ && !ended_ && !paused_ && !tunnel_; }
  bool too_slow(int64_t bytes, uint64_t rate, TimePoint since) const;
  int64_t delivered() const;
  bool client_reads();

  H2DownstreamConnection& connection_;
  Exchange* exchange_;
  net::Timer timer_;
  TimePoint read_since_{};
  TimePoint paused_at_{};
  TimePoint write_since_{};  ///< Since when the client has not kept up.
  TimePoint drained_at_{};
  int64_t write_base_ = 0;  ///< delivered() at that time.
  int64_t write_seen_ = 0;  ///< delivered() when the timer was last set.
  uint64_t read_bytes_ = 0;
  HeaderList trailers_;  ///< Of a request that ended before it began.
  size_t owed_ = 0;      ///< Bytes received whose credit the client has not got back.
  bool head_done_ = false;
  bool begun_ = false;
  bool ended_ = false;  ///< The client's side of the stream.
  bool tunnel_ = false;
  bool tunnel_open_ = false;
  bool paused_ = false;
  bool aborted_ = false;
  bool starved_ = false;  ///< What the client does not take could not be held.
  bool watched_ = false;  ///< The client did not take all: its reading is timed.
};

}  // namespace weir::proxy
