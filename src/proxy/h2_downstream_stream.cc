// SPDX-License-Identifier: Apache-2.0
#include "proxy/h2_downstream_stream.h"

#include "http/upgrade.h"
#include "proxy/exchange.h"
#include "proxy/h2_downstream.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

// A rate is judged only after this long: a start may stutter.
constexpr Duration kRateGrace = std::chrono::seconds(5);
constexpr Duration kBreak = std::chrono::seconds(1);

}  // namespace

H2DownstreamStream::H2DownstreamStream(H2DownstreamConnection& connection)
    : connection_(connection),
      exchange_(connection.worker().take_exchange(connection.client_of(*this))),
      timer_(net::timer_callback<&H2DownstreamStream::on_timer>(this)) {
  // The time of a whole head, however many frames carry it.
  connection.worker().loop().arm(timer_, connection.listener().config().http1.header_timeout);
}

H2DownstreamStream::~H2DownstreamStream() { connection_.worker().recycle_exchange(*exchange_); }

base::Arena& H2DownstreamStream::h2_arena() { return exchange_->arena(); }

base::Account& H2DownstreamStream::h2_account() { return exchange_->account(); }

// The exchange is told from the loop: this may be deep inside its own flush().
bool H2DownstreamStream::may_hold(size_t bytes) {
  if (exchange_->account().may_hold(bytes)) return true;
  starved_ = aborted_ = true;
  connection_.drained(*this);
  return false;
}

// ---- From the client.

void H2DownstreamStream::on_request(const RequestHead& head) {
  head_done_ = true;
  tunnel_ = !head.protocol.empty();
  timer_.cancel();
  exchange_->request() = head;
  read_since_ = connection_.worker().loop().now();
  connection_.arrived(*this);
}

void H2DownstreamStream::begin() {
  base::ListLink<ArrivedTag>::unlink();
  if (begun_ || exchange_->finished()) return;
  begun_ = true;
  connection_.touch(*exchange_);
  exchange_->on_request_head(connection_.worker().loop().clock().now());
  if (ended_) return exchange_->on_request_end(trailers_);
  arm();
}

void H2DownstreamStream::on_bad_request(const Error& error) {
  head_done_ = ended_ = true;
  timer_.cancel();
  connection_.touch(*exchange_);
  exchange_->on_request_error(error);
}

void H2DownstreamStream::on_data(std::string_view bytes) {
  begin();
  owed_ += bytes.size();
  read_bytes_ += bytes.size();
  connection_.touch(*exchange_);
  exchange_->on_request_body(bytes);
  if (paused_) return;
  connection_.session().consume(*this, std::exchange(owed_, 0));
  const Http1Config& config = connection_.listener().config().http1;
  if (too_slow(static_cast<int64_t>(read_bytes_), config.min_receive_rate.bytes_per_second,
               read_since_)) {
    return refuse(make_error(ErrorCode::kSlowClient));
  }
  arm();
}

void H2DownstreamStream::on_end(const HeaderList& trailers) {
  ended_ = true;
  if (!watched_) timer_.cancel();
  trailers_ = trailers;
  if (!begun_) return;
  connection_.touch(*exchange_);
  exchange_->on_request_end(trailers);
}

void H2DownstreamStream::on_reset(http::H2Error code) {
  // Opened and reset in one breath: no client means that, but those that mean harm.
  if (head_done_ && !begun_ && code != http::H2Error::kNoError) connection_.unmeant();
  base::ListLink<ArrivedTag>::unlink();
  ended_ = true;
  aborted_ = true;
  if (!exchange_->finished()) {
    exchange_->on_downstream_gone(make_error(ErrorCode::kClientClosed));
  }
}

// Never from here to the exchange: this may be deep inside its own flush().
void H2DownstreamStream::on_drained() { connection_.drained(*this); }

// ---- From the exchange.

void H2DownstreamStream::send_interim(const ResponseHead& head) {
  connection_.session().send_interim(*this, head);
}

void H2DownstreamStream::send_head(const ResponseHead& head, bool /*last*/) {
  const bool opens = head.body.kind == BodyFraming::Kind::kTunnel;
  tunnel_open_ = opens;
  connection_.session().send_response(*this,
                                      opens ? http::to_connect_answer(head, h2_arena()) : head);
}

void H2DownstreamStream::send_body(std::string_view bytes) {
  if (bytes.empty()) return;
  // Framed at once, a piece need not be copied when the next one comes.
  if (queued() > 0) connection_.flush(*this);
  connection_.session().send_data(*this, bytes);
}

void H2DownstreamStream::send_end(const HeaderList& trailers) {
  connection_.session().send_end(*this, trailers);
}

// What is queued may still borrow the worker's read buffer: it must never be framed later.
void H2DownstreamStream::abort() {
  aborted_ = true;
  connection_.session().release(*this, http::H2Error::kInternalError);
}

void H2DownstreamStream::flush() {
  connection_.flush(*this);
  // The two ends of a tunnel have a time-out of their own.
  if (!pending() || watched_ || tunnel_open_) return;
  // One that blocks again soon after it drained is watched on, or a slow reader would begin anew
  // with every window.
  watched_ = true;
  const TimePoint now = connection_.worker().loop().now();
  write_seen_ = delivered();
  if (now - drained_at_ > kBreak) {
    write_since_ = now;
    write_base_ = write_seen_;
  }
  arm();
}

void H2DownstreamStream::drained() {
  if (starved_) return exchange_->reset_for_memory();
  if (exchange_->finished() || pending()) return;
  watched_ = false;
  drained_at_ = connection_.worker().loop().now();
  timer_.cancel();
  arm();
  exchange_->on_downstream_drained();
}

void H2DownstreamStream::pause_body() {
  if (paused_) return;
  paused_ = true;
  paused_at_ = connection_.worker().loop().now();
}

void H2DownstreamStream::resume_body() {
  if (!paused_) return;
  paused_ = false;
  read_since_ += connection_.worker().loop().now() - paused_at_;
  if (owed_ > 0) {
    connection_.session().consume(*this, std::exchange(owed_, 0));
    connection_.wake();
  }
  arm();
}

void H2DownstreamStream::exchange_finished() {
  timer_.cancel();
  connection_.done(*this);
}

// ---- Time-outs.

void H2DownstreamStream::arm() {
  if (!receives() && !watched_) return;
  const Duration limit = connection_.listener().config().http1.body_idle_timeout;
  if (limit > Duration::zero()) connection_.worker().loop().arm(timer_, limit);
}

void H2DownstreamStream::on_timer() {
  if (exchange_->finished()) return;
  if (!head_done_) {
    // Heads are sent in one go: the rest of the connection waits behind this one.
    connection_.terminate(http::H2Error::kEnhanceYourCalm);
  } else if (watched_ && pending()) {
    if (client_reads()) return arm();
    give_up();
  } else if (receives()) {
    refuse(make_error(ErrorCode::kBodyTimeout));
  } else {
    watched_ = false;
  }
  connection_.wake();
}

void H2DownstreamStream::refuse(const Error& error) {
  ended_ = true;
  timer_.cancel();
  connection_.touch(*exchange_);
  exchange_->on_request_error(error);
  if (!connection_.session().feeding()) connection_.flush_touched();
}

void H2DownstreamStream::give_up() {
  aborted_ = true;
  exchange_->on_downstream_gone(make_error(ErrorCode::kSlowClient));
}

bool H2DownstreamStream::too_slow(int64_t bytes, uint64_t rate, TimePoint since) const {
  const Duration took = connection_.worker().loop().now() - since;
  if (rate == 0 || tunnel_ || took < kRateGrace) return false;
  return static_cast<double>(bytes) <
         static_cast<double>(rate) * static_cast<double>(took.count()) * 1e-9;
}

// Body bytes that went into frames; what the socket holds back shows in the frames that follow.
int64_t H2DownstreamStream::delivered() const {
  return static_cast<int64_t>(exchange_->bytes_sent()) - static_cast<int64_t>(queued());
}

bool H2DownstreamStream::client_reads() {
  const int64_t now = delivered();
  if (now <= write_seen_) return false;
  write_seen_ = now;
  return !too_slow(now - write_base_,
                   connection_.listener().config().http1.min_send_rate.bytes_per_second,
                   write_since_);
}

}  // namespace weir::proxy
