// SPDX-License-Identifier: Apache-2.0
#include "proxy/h2_downstream.h"

#include "base/check.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

constexpr auto kServer = http::H2Session::Role::kServer;
// Requests that were under way when the client was told to open no more have come by then.
constexpr Duration kGoAwayGrace = std::chrono::seconds(1);
// So that a client gets to read why its connection ends (RFC 9113, 5.4.1).
constexpr Duration kLingerTime = std::chrono::seconds(1);
// One client's share of a turn, beside its bytes.
constexpr uint64_t kStreamsATurn = 64;
constexpr uint32_t kGlitchesATurn = 16;
// How many glitches a request weighs that is reset before it could begin.
constexpr uint32_t kUnmeant = 8;
constexpr uint32_t kLingerBytes = 256 * 1024;
constexpr int64_t kRequest = 8 * 1024;
// Of a connection that begins while memory is short.
constexpr uint32_t kShortWindow = 16 * 1024;

http::H2Options options_of(const WorkerListener& listener) {
  const Http2Config& config = listener.config().http2;
  http::H2Options options;
  options.max_concurrent_streams = config.max_concurrent_streams;
  options.stream_window = static_cast<uint32_t>(config.initial_stream_window);
  if (listener.memory_stage() >= base::MemoryStage::kShrink) {
    options.stream_window = std::min(options.stream_window, kShortWindow);
  }
  options.connection_window = static_cast<uint32_t>(config.initial_connection_window);
  options.max_glitches = config.max_glitches;
  options.head = listener.head_limits();
  options.scheme = listener.config().tls ? "https" : "http";
  return options;
}

}  // namespace

H2DownstreamConnection::H2DownstreamConnection(WorkerListener& listener, const net::Peer& peer)
    : H2Connection(listener.worker(), kServer, options_of(listener), listener.account()),
      listener_(listener),
      peer_(peer),
      timer_(net::timer_callback<&H2DownstreamConnection::on_timer>(this)) {}

void H2DownstreamConnection::take_over(ClientConnection& from, Handover handover) {
  auto* connection = new H2DownstreamConnection(handover.listener, handover.peer);
  handover.listener.connection_replaced(from, *connection);
  connection->told_ = std::move(handover.told);
  handover.socket.hand_over(connection->socket_, *connection);
  connection->worker_.loop().arm(connection->timer_,
                                 handover.listener.config().http1.header_timeout);
  if (!handover.bytes.empty()) connection->feed(handover.bytes);
  if (handover.draining) connection->drain();
  connection->wake();
}

Client H2DownstreamConnection::client_of(H2DownstreamStream& stream) {
  return {&stream, &listener_, &peer_, socket_.tls(), told_.get(), worker_.loop().clock().now()};
}

// ---- Events.

void H2DownstreamConnection::on_socket() {
  if (state_ == State::kLinger) {
    drop_input();
    return;
  }
  read_some();
  settle();
}

http::H2Stream* H2DownstreamConnection::on_stream_open() {
  if (state_ == State::kGoing && last_named_) return nullptr;
  // What a request takes before it can be asked what it is.
  if (!worker_.memory().fits(kRequest)) {
    worker_.mutable_stats().memory_refusals[static_cast<size_t>(MemoryRefusal::kBudget)].add();
    return nullptr;
  }
  if (state_ == State::kIdle || state_ == State::kOpening) {
    state_ = State::kBusy;
    timer_.cancel();
  }
  ++open_;
  ++requests_;
  return worker_.take_h2_stream(*this);
}

void H2DownstreamConnection::on_settings() {
  if (state_ == State::kOpening) go_idle();
}

void H2DownstreamConnection::on_glitch() {
  ++glitches_;
  listener_.stats().http2_glitches.add();
}

void H2DownstreamConnection::unmeant() {
  if (session_.feeding()) session_.glitch(kUnmeant);
}

bool H2DownstreamConnection::fed() {
  while (H2DownstreamStream* stream = arrived_.front()) stream->begin();
  const uint64_t opened = requests_ - std::exchange(fed_requests_, requests_);
  return opened > kStreamsATurn || std::exchange(glitches_, 0) > kGlitchesATurn;
}

void H2DownstreamConnection::drained(H2DownstreamStream& stream) {
  if (stream.base::ListLink<DrainedTag>::linked()) return;
  drained_.push_back(stream);
  wake();
}

void H2DownstreamConnection::done(H2DownstreamStream& stream) {
  stream.base::ListLink<DrainedTag>::unlink();
  done_.push_back(stream);
  wake();
}

void H2DownstreamConnection::terminate(http::H2Error code) {
  session_.terminate(code);
  end_streams();
}

// ---- After each entry from the loop.

void H2DownstreamConnection::settle() {
  do {
    pump();
    session_.deliver();
    tell_drained();
    flush_touched();
    recycle_done();
  } while (!drained_.empty() || !done_.empty());
  if (state_ == State::kClosed) return;
  // GOAWAY for an error has been sent: streams under way end with the connection.
  if (dead() || session_.finished()) return end_connection();
  pump();
  if (open_ == 0 && state_ == State::kBusy) go_idle();
  if (open_ == 0 && sent_all() && state_ == State::kGoing && last_named_) linger();
}

void H2DownstreamConnection::end_connection() {
  end_streams();
  recycle_done();
  if (dead() && error_.code == ErrorCode::kClientClosed) return close();
  if (dead()) {
    listener_.report(peer_, error_.code, error_.detail);
  } else if (session_.calmed()) {
    // At three quarters, with no stream under way that could be waited for.
    listener_.report(peer_, ErrorCode::kHttp2Abuse, "too many glitches");
  } else if (const char* broken = session_.broken_rule()) {
    listener_.report(peer_, ErrorCode::kBadFraming, broken);
  }
  linger();
}

void H2DownstreamConnection::tell_drained() {
  while (H2DownstreamStream* stream = drained_.front()) {
    stream->base::ListLink<DrainedTag>::unlink();
    stream->drained();
  }
}

void H2DownstreamConnection::recycle_done() {
  while (H2DownstreamStream* stream = done_.front()) {
    stream->base::ListLink<DoneTag>::unlink();
    if (stream->aborted()) {
      session_.release(*stream, http::H2Error::kInternalError);
    } else {
      session_.finish(*stream);
    }
    worker_.recycle_h2_stream(*stream);
    --open_;
  }
}

// Every exchange hears that its client has gone.
void H2DownstreamConnection::end_streams() { session_.close_streams(http::H2Error::kCancel); }

void H2DownstreamConnection::go_idle() {
  const Http1Config& config = listener_.config().http1;
  state_ = State::kIdle;
  idle_from_ = worker_.loop().now();
  worker_.loop().arm(timer_, listener_.keepalive_timeout());
  if (config.max_requests != 0 && requests_ >= config.max_requests) drain();
}

// ---- The end.

void H2DownstreamConnection::drain() {
  if (state_ == State::kGoing || state_ == State::kLinger || state_ == State::kClosed) return;
  state_ = State::kGoing;
  last_named_ = open_ == 0;
  session_.shut_down(last_named_);
  worker_.loop().arm(timer_, kGoAwayGrace);
  wake();
}

TimePoint H2DownstreamConnection::idle_since() const {
  if (socket_.readable()) return TimePoint::max();
  const Http1Config& config = listener_.config().http1;
  if (state_ == State::kIdle) return idle_from_;
  if (state_ == State::kOpening) return timer_.deadline() - config.header_timeout + kFirstWord;
  return TimePoint::max();
}

// As drain(), without its time for requests that are on their way.
void H2DownstreamConnection::shed() {
  session_.shut_down(true);
  pump();
  close();
}

void H2DownstreamConnection::kill_if_stuck() {
  if (!stuck()) return;
  listener_.report(peer_, ErrorCode::kMemoryBudget, "does not take what is framed for it");
  kill();
}

void H2DownstreamConnection::kill() {
  if (state_ == State::kClosed) return;
  end_streams();
  recycle_done();
  socket_.abort();
  close();
}

void H2DownstreamConnection::on_timer() {
  switch (state_) {
    case State::kIdle:
      drain();
      break;
    case State::kGoing:
      // Told already, and it does not take even that.
      if (last_named_ && open_ == 0) return close();
      if (!last_named_) session_.shut_down(true);
      last_named_ = true;
      worker_.loop().arm(timer_, kGoAwayGrace);
      break;
    case State::kOpening:
      listener_.report(peer_, ErrorCode::kRequestTimeout, "no HTTP/2 preface and SETTINGS in time");
      terminate(http::H2Error::kEnhanceYourCalm);
      return linger();
    case State::kLinger:
      return close();
    case State::kBusy:
    case State::kClosed:
      return;
  }
  settle();
}

void H2DownstreamConnection::linger() {
  if (state_ == State::kLinger || state_ == State::kClosed) return;
  state_ = State::kLinger;
  pump();
  if (!socket_.is_open() || !sent_all()) return close();
  socket_.shutdown_write();
  worker_.loop().arm(timer_, kLingerTime);
  if (socket_.peer_finished()) close();
}

void H2DownstreamConnection::drop_input() {
  while (socket_.readable()) {
    const net::IoResult in = socket_.recv({worker_.read_buffer(), Worker::kReadBuffer});
    if (in.status == net::IoResult::Status::kAgain) return;
    dropped_ += static_cast<uint32_t>(in.bytes);
    if (in.status != net::IoResult::Status::kOk || dropped_ > kLingerBytes) return close();
  }
}

void H2DownstreamConnection::close() {
  if (state_ == State::kClosed) return;
  end_streams();
  recycle_done();
  CHECK(open_ == 0);
  state_ = State::kClosed;
  timer_.cancel();
  socket_.close();
  release_memory();
  listener_.connection_closed(*this);
  worker_.loop().retire(*this);
}

}  // namespace weir::proxy
