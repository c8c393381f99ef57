// SPDX-License-Identifier: Apache-2.0
#include "proxy/h2_upstream.h"

#include "proxy/exchange.h"
#include "proxy/worker.h"

namespace weir::proxy {
namespace {

constexpr auto kClient = http::H2Session::Role::kClient;
// Heads of origins: as for HTTP/1.
// Of an origin: it is trusted more than a stranger, and not without end.
constexpr uint32_t kMaxGlitches = 1000;
constexpr http::HeadLimits kResponseLimits{64 * 1024, 256, 0};

http::H2Options options_of(const ClusterConfig& config) {
  http::H2Options options;
  options.max_concurrent_streams = config.http2.max_concurrent_streams;
  options.stream_window = static_cast<uint32_t>(config.http2.initial_stream_window);
  options.connection_window = static_cast<uint32_t>(config.http2.initial_connection_window);
  options.max_glitches = kMaxGlitches;
  options.head = kResponseLimits;
  options.scheme = config.tls ? "https" : "http";
  return options;
}

}  // namespace

H2UpstreamConnection::H2UpstreamConnection(Worker& worker, upstream::ConnectionPermit permit,
                                           bool offered)
    : H2Connection(worker, kClient, options_of(permit->cluster().config()),
                   worker.process_account()),
      upstream::SharedConnection(std::move(permit)),
      timer_(net::timer_callback<&H2UpstreamConnection::on_timer>(this)) {
  if (offered) endpoint().offer(*this);
  worker.loop().arm(timer_, endpoint().cluster().config().connect_timeout);
  worker.mutable_stats().upstream_connections_live.add();
}

Result<H2UpstreamConnection::Joined> H2UpstreamConnection::connect(
    Worker& worker, upstream::ConnectionPermit permit, Exchange& exchange) {
  auto* connection = new H2UpstreamConnection(worker, std::move(permit), true);
  const Result<void> started =
      Dial::start(connection->socket_, *connection, worker, connection->endpoint());
  if (!started) {
    connection->close();
    return std::unexpected(started.error());
  }
  return connection->add(exchange);
}

H2UpstreamConnection::Joined H2UpstreamConnection::take_over(Worker& worker, Made made,
                                                             Exchange& exchange) {
  auto* connection = new H2UpstreamConnection(worker, std::move(made.permit), made.offered);
  connection->connected_ = true;
  made.socket.hand_over(connection->socket_, *connection);
  connection->wake();
  return connection->add(exchange);
}

H2UpstreamConnection::Joined H2UpstreamConnection::join(upstream::SharedConnection& shared,
                                                        Exchange& exchange) {
  return static_cast<H2UpstreamConnection&>(shared).add(exchange);
}

H2UpstreamConnection::Joined H2UpstreamConnection::add(Exchange& exchange) {
  ++requests_;
  ++streams_;
  if (state_ != State::kConnecting && !probing_) timer_.cancel();
  void* memory = exchange.arena().allocate(sizeof(H2UpstreamStream));
  auto* stream = new (memory) H2UpstreamStream(*this, exchange);
  if (state_ == State::kConnecting) waiting_.push_back(*stream);
  return {stream, state_ == State::kOpen};
}

bool H2UpstreamConnection::has_room() const {
  const ClusterConfig& config = endpoint().cluster().config();
  if (config.pool.max_requests != 0 && requests_ >= config.pool.max_requests) return false;
  switch (state_) {
    case State::kConnecting:
      return streams_ < std::min(config.http2.max_concurrent_streams, endpoint().max_streams());
    case State::kOpen:
      return streams_ < session_.max_streams();
    case State::kGoing:
    case State::kClosed:
      return false;
  }
  return false;
}

// ---- Events.

void H2UpstreamConnection::on_socket() {
  if (connected_ || dial()) read_some();
  if (state_ != State::kClosed) settle();
}

// True: connected.
bool H2UpstreamConnection::dial() {
  switch (dial_.step(socket_, endpoint(), nullptr)) {
    case Dial::Progress::kPending:
      return false;
    case Dial::Progress::kFailed:
      fail_all(dial_.error());
      close();
      return false;
    case Dial::Progress::kReady:
      break;
  }
  const net::TlsSession* tls = socket_.tls();
  if (tls != nullptr && tls->alpn() != Alpn::kH2) {
    endpoint().set_speaks_http2(false);
    fail_all(make_error(ErrorCode::kUpstreamTls, "the origin does not agree on HTTP/2 (ALPN)",
                        Retry::kUnsent));
    close();
    return false;
  }
  connected_ = true;
  endpoint().cluster().stats().connects.add();
  return true;
}

void H2UpstreamConnection::on_settings() {
  endpoint().set_max_streams(std::max(session_.max_streams(), 1U));
  if (state_ == State::kConnecting) {
    state_ = State::kOpen;
    timer_.cancel();
    admit_waiting();
  }
  if (has_room()) endpoint().cluster().on_room();
}

// More may have waited than the origin takes: those lease again, nothing was sent for them.
void H2UpstreamConnection::admit_waiting() {
  uint32_t admitted = 0;
  while (H2UpstreamStream* stream = waiting_.pop_front()) {
    touch(*stream->exchange());
    if (++admitted <= session_.max_streams()) {
      stream->exchange()->on_connected(*stream);
    } else if (session_.max_streams() > 0) {
      stream->leave().lease_again(*stream);
    } else {
      stream->fail(make_error(ErrorCode::kUpstreamRefusedStream, "the origin takes no streams",
                              Retry::kUnsent));
    }
  }
}

void H2UpstreamConnection::on_goaway() { go(); }

void H2UpstreamConnection::drained(H2UpstreamStream& stream) {
  if (stream.base::ListLink<DrainedTag>::linked()) return;
  drained_.push_back(stream);
  wake();
}

void H2UpstreamConnection::failed(H2UpstreamStream& stream) {
  failed_.push_back(stream);
  wake();
}

void H2UpstreamConnection::left(H2UpstreamStream& stream) {
  stream.base::ListLink<>::unlink();
  stream.base::ListLink<DrainedTag>::unlink();
  stream.base::ListLink<FailedTag>::unlink();
  --streams_;
  if (state_ == State::kOpen) endpoint().cluster().on_room();
  // The rest is done from the loop: this may be deep inside feed().
  wake();
}

// ---- After each entry from the loop.

void H2UpstreamConnection::settle() {
  pump();
  session_.deliver();
  while (H2UpstreamStream* stream = drained_.pop_front()) {
    Exchange& exchange = *stream->exchange();
    exchange.on_upstream_drained(*stream);
    exchange.flush();
  }
  while (H2UpstreamStream* stream = failed_.pop_front()) stream->fail(stream->refusal());
  flush_touched();
  pump();
  if (dead() || (connected_ && session_.finished())) {
    fail_all(make_error(dead() && error_.code == ErrorCode::kClientClosed
                            ? ErrorCode::kUpstreamReset
                            : ErrorCode::kUpstreamHttp2,
                        nullptr, Retry::kIdempotent));
    return close();
  }
  if (streams_ > 0) return;
  const bool kept = endpoint().cluster().config().pool.max_idle > 0;
  if (kept && state_ == State::kOpen && has_room() && base::ListLink<>::linked()) {
    if (!timer_.armed()) {
      worker_.loop().arm(timer_, endpoint().cluster().config().pool.idle_timeout);
    }
  } else {
    close();
  }
}

// No more exchanges; those under way go on.
void H2UpstreamConnection::go() {
  if (state_ == State::kClosed) return;
  base::ListLink<>::unlink();
  if (state_ == State::kOpen) state_ = State::kGoing;
}

void H2UpstreamConnection::retire_shared() {
  go();
  if (streams_ == 0) close();
}

void H2UpstreamConnection::on_timer() {
  if (state_ == State::kConnecting) {
    fail_all(make_error(ErrorCode::kConnectTimeout,
                        connected_ ? "no SETTINGS of the origin came" : nullptr, Retry::kUnsent));
    return close();
  }
  if (probing_) return on_probe_over();
  if (streams_ == 0) close();
}

void H2UpstreamConnection::doubt(TimePoint sent) {
  const TimePoint now = worker_.loop().now();
  if (probing_ || state_ != State::kOpen || read_at() > sent || now - sent < patience()) return;
  probing_ = true;
  probed_at_ = now;
  session_.ping();
  worker_.loop().arm(timer_, patience());
  wake();
}

// As long as a connection or an answer may take.
Duration H2UpstreamConnection::patience() const {
  const ClusterConfig& config = endpoint().cluster().config();
  const bool timed = config.response_timeout > Millis::zero();
  return timed ? std::min(config.connect_timeout, config.response_timeout) : config.connect_timeout;
}

void H2UpstreamConnection::on_probe_over() {
  probing_ = false;
  if (read_at() <= probed_at_) go();
  wake();
}

void H2UpstreamConnection::fail_all(const Error& error) {
  while (H2UpstreamStream* stream = waiting_.front()) {
    Error unsent = error;
    unsent.retry = Retry::kUnsent;
    stream->fail(unsent);
  }
  session_.close_streams(http::H2Error::kCancel);
  flush_touched();
}

void H2UpstreamConnection::close() {
  if (state_ == State::kClosed) return;
  if (state_ != State::kConnecting) {
    session_.shut_down(true);
    pump();
  }
  state_ = State::kClosed;
  timer_.cancel();
  leave_cluster();
  socket_.close();
  release_memory();
  worker_.mutable_stats().upstream_connections_live.sub();
  worker_.loop().retire(*this);
}

}  // namespace weir::proxy
