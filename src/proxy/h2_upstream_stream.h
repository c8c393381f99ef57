// SPDX-License-Identifier: Apache-2.0
// One exchange's stream on a shared HTTP/2 connection to an origin. Lives in the exchange's arena;
// from detach() on neither the connection nor its session knows it. One thread.
#pragma once

#include <weir/clock.h>

#include "base/intrusive_list.h"
#include "http/h2_session.h"
#include "proxy/stream.h"

namespace weir::proxy {

class Exchange;
class H2UpstreamConnection;

struct DrainedTag;
struct FailedTag;

class H2UpstreamStream final : public UpstreamStream,
                               public http::H2Stream,
                               public base::ListLink<>,
                               public base::ListLink<DrainedTag>,
                               public base::ListLink<FailedTag> {
 public:
  H2UpstreamStream(H2UpstreamConnection& connection, Exchange& exchange);

  Exchange* exchange() const { return exchange_; }
  /// Still waiting for the connection, and no longer: the exchange is free to lease elsewhere.
  Exchange& leave() { return detach(); }
  /// From the loop: ends the attempt with `error`.
  void fail(const Error& error);
  /// Why send_head() could not be done.
  const Error& refusal() const { return refusal_; }

  // UpstreamStream
  void send_head(const RequestHead& head) override;
  void send_body(std::string_view bytes) override;
  void send_end(const HeaderList& trailers) override;
  void flush() override;
  bool congested() const override { return pending(); }
  void pause_body() override { paused_ = true; }
  void resume_body() override;
  net::Socket* raw_sink() override { return nullptr; }
  void await_drain() override {}
  void release() override;
  bool reused() const override { return reused_; }
  bool sent_any() const override { return id() != 0; }

  // http::H2Stream
  base::Arena& h2_arena() override;
  base::Account& h2_account() override;
  void on_request(const RequestHead&) override {}
  void on_bad_request(const Error&) override {}
  void on_interim(const ResponseHead& head) override;
  void on_response(const ResponseHead& head) override;
  void on_data(std::string_view bytes) override;
  void on_end(const HeaderList& trailers) override;
  void on_reset(http::H2Error code) override;
  void on_drained() override;

 private:
  Exchange& detach();
  bool refused() const { return refusal_.code != ErrorCode::kCount; }

  H2UpstreamConnection& connection_;
  Exchange* exchange_;
  Error refusal_{ErrorCode::kCount};
  size_t owed_ = 0;  ///< Bytes received whose credit the origin has not got back.
  TimePoint sent_at_{};
  uint32_t interims_ = 0;
  bool reused_ = false;
  bool paused_ = false;
  bool head_done_ = false;
  bool request_ended_ = false;
  bool tunnel_ = false;  ///< One was asked for.
  bool open_ = false;    ///< And was accepted.
};

}  // namespace weir::proxy
