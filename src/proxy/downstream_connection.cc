// SPDX-License-Identifier: Apache-2.0
// The life of a client connection: opened, served, timed, drained, closed. Reading is in
// downstream_read.cc, what the exchange asks for in downstream_write.cc.
#include "proxy/downstream_connection.h"

#include "base/check.h"
#include "proxy/downstream_accept.h"
#include "proxy/exchange.h"
#include "proxy/h1_request.h"
#include "proxy/h2_downstream.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

// Lingering close: for how long what comes is dropped, so that the client gets to read the answer
// before a reset could destroy it (RFC 9112, 9.6).
constexpr Duration kLingerTime = std::chrono::seconds(2);
// A client whose handshake the drain found under way has so long to begin its request.
constexpr Duration kDrainGrace = std::chrono::seconds(1);
// A rate is judged only after this long: a start may stutter.
constexpr Duration kRateGrace = std::chrono::seconds(5);

}  // namespace

DownstreamConnection::DownstreamConnection(WorkerListener& listener, const net::Peer& peer)
    : listener_(listener),
      timer_(net::timer_callback<&DownstreamConnection::on_timer>(this)),
      peer_(peer) {}

DownstreamConnection::~DownstreamConnection() = default;

void DownstreamConnection::open(WorkerListener& listener, int fd, const net::Peer& peer,
                                policy::AddressPlace place) {
  auto* connection = new DownstreamConnection(listener, peer);
  connection->address_place = std::move(place);
  listener.connection_opened(*connection);
  Worker& worker = listener.worker();
  if (!connection->socket_.adopt(worker.loop().sockets(), fd, *connection)) {
    connection->close();
    return;
  }
  // A client that connects and says nothing has the time of a head, not that of an idle connection.
  worker.loop().arm(connection->timer_, listener.config().http1.header_timeout);
}

void DownstreamConnection::take_over(ClientConnection& from, Handover handover) {
  auto* connection = new DownstreamConnection(handover.listener, handover.peer);
  handover.listener.connection_replaced(from, *connection);
  connection->told_ = std::move(handover.told);
  handover.socket.hand_over(connection->socket_, *connection);
  Worker& worker = handover.listener.worker();
  connection->draining_ = handover.draining;
  worker.loop().arm(connection->timer_, handover.draining
                                            ? kDrainGrace
                                            : handover.listener.config().http1.header_timeout);
  if (handover.bytes.empty()) return;
  connection->surplus_.append(handover.bytes, worker.large_blocks(), handover.listener.account());
  connection->socket_.wake();
}

// A client that knows beforehand that HTTP/2 is spoken (RFC 9113, 3.3). Under TLS that is for ALPN
// to say.
bool DownstreamConnection::may_speak_http2(std::string_view in) const {
  return requests_ == 0 && in.front() == http::kH2Preface.front() && !socket_.is_tls() &&
         (http::is_cut_preface(in) || in.starts_with(http::kH2Preface));
}

void DownstreamConnection::become_http2(std::string_view in) {
  Handover handover{listener_, socket_, peer_, in, std::move(told_), draining_};
  if (http::is_cut_preface(in)) {
    DownstreamAccept::sniff(*this, std::move(handover));
  } else {
    H2DownstreamConnection::take_over(*this, std::move(handover));
  }
  timer_.cancel();
  surplus_.clear(memory().blocks);
  state_ = State::kClosed;
  listener_.worker().loop().retire(*this);
}

Output::Memory DownstreamConnection::memory() {
  return {listener_.worker().large_blocks(),
          exchange_ != nullptr ? exchange_->account() : listener_.account(), Output::Room::kAsk};
}

void DownstreamConnection::drain() {
  draining_ = true;
  if (state_ == State::kIdle) close();
}

TimePoint DownstreamConnection::idle_since() const {
  if (state_ != State::kIdle || socket_.readable()) return TimePoint::max();
  const Http1Config& config = listener_.config().http1;
  if (requests_ > 0) return idle_from_;
  return timer_.deadline() - config.header_timeout + kFirstWord;
}

void DownstreamConnection::kill() {
  if (exchange_ != nullptr && !exchange_->finished()) {
    exchange_->on_downstream_gone(make_error(ErrorCode::kShuttingDown));
  }
  if (state_ != State::kClosed) socket_.abort();
  close();
}

void DownstreamConnection::on_socket() {
  busy_ = true;
  // With FIN sent, the client's own looks like a failure: reading tells.
  const bool failed = write_broken_ || (socket_.failed() && !write_ended_);
  if (failed && state_ != State::kLinger) {
    on_gone();
  } else {
    if (socket_.writable() && (out_.congested() || await_drain_)) client_drained();
    if (surplus_.empty()) read_some();
  }
  busy_ = false;
  settle();
}

void DownstreamConnection::on_eof() {
  peer_ended_ = true;
  switch (state_) {
    case State::kIdle:
    case State::kDrain:
    case State::kLinger:
      close();
      return;
    case State::kHead:
      refuse(make_error(ErrorCode::kClientClosed));
      return;
    case State::kBody:
      on_gone();
      return;
    case State::kTunnel:
      exchange_->on_request_end({});
      return;
    case State::kComplete:  // Half-closed: the answer is still wanted (RFC 9112, 9.6).
    case State::kClosed:
      return;
  }
}

void DownstreamConnection::on_gone() {
  if (exchange_ != nullptr && !exchange_->finished()) {
    if (out_of_memory_) {
      exchange_->reset_for_memory();
    } else {
      exchange_->on_downstream_gone(make_error(ErrorCode::kClientClosed));
    }
  }
  keep_alive_ = false;
  out_of_memory_ ? socket_.abort() : socket_.close();
}

void DownstreamConnection::on_timer() {
  switch (state_) {
    case State::kIdle:
    case State::kDrain:
    case State::kLinger:
      close();
      return;
    case State::kHead:
      refuse(make_error(ErrorCode::kRequestTimeout));
      break;
    case State::kBody:
      if (body_paused_ || out_.congested()) {
        // It is weir that does not read, or the client that does not: the latter is timed below.
        if (!out_.congested()) {
          arm_body_idle();
          return;
        }
        break;
      }
      refuse(make_error(ErrorCode::kBodyTimeout));
      break;
    case State::kTunnel:
      return;
    case State::kComplete:
    case State::kClosed:
      break;
  }
  if ((out_.congested() || await_drain_) && !client_reads()) {
    exchange_->on_downstream_gone(make_error(ErrorCode::kSlowClient));
    socket_.abort();
  }
  settle();
}

// Whether fewer bytes moved since `since` than the configured rate wants.
bool DownstreamConnection::too_slow(uint64_t bytes, uint64_t rate, TimePoint since) const {
  const Duration took = listener_.worker().loop().now() - since;
  if (rate == 0 || took < kRateGrace) return false;
  const auto seconds = static_cast<double>(took.count()) * 1e-9;
  return static_cast<double>(bytes) < static_cast<double>(rate) * seconds;
}

// After every entry from the loop: the exchange's output goes to the kernel, an exchange that is
// done is taken back, and a pipelined request behind it begins.
void DownstreamConnection::settle() {
  if (busy_) return;
  busy_ = true;
  while (state_ != State::kClosed) {
    if (exchange_ != nullptr) exchange_->flush();
    if (finished_) {
      finish_exchange();
    } else if (!surplus_.empty() && wants_read()) {
      feed_surplus();
    } else {
      break;
    }
  }
  busy_ = false;
  if (state_ == State::kClosed) return;
  if (!socket_.is_open()) return close();
  if (wants_read() && socket_.readable()) socket_.wake();
}

void DownstreamConnection::finish_exchange() {
  finished_ = false;
  if (aborted_) socket_.abort();
  if (!socket_.is_open()) return close();
  request_->splice.reset();
  const bool body_left = state_ == State::kBody && !request_->body.finished();
  if (state_ == State::kBody && !body_left) state_ = State::kComplete;
  if (body_left && keep_alive_) {
    // The answer came before the end of the body. A short rest is read, so that the connection can
    // go on; the reader and its memory stay until then.
    state_ = State::kDrain;
    dropped_ = 0;
    listener_.worker().loop().arm(timer_, kLingerTime);
    return;
  }
  if (body_left) return start_linger();
  after_answer();
}

// The request was read to its end and answered.
void DownstreamConnection::after_answer() {
  if (keep_alive_ && !draining_ && !peer_ended_) return go_idle();
  // What is still to come would meet a reset, and that could destroy the answer.
  if (refused_ || socket_.readable() || !surplus_.empty() || state_ == State::kDrain) {
    return start_linger();
  }
  close();
}

void DownstreamConnection::release_exchange() {
  if (exchange_ == nullptr) return;
  request_->~Request();
  // What is left of its answer, if the client has gone, is charged to the exchange.
  if (!out_.empty()) out_.clear(memory());
  request_ = nullptr;
  out_.forget_arena();
  listener_.worker().recycle_exchange(*exchange_);
  exchange_ = nullptr;
}

void DownstreamConnection::go_idle() {
  release_exchange();
  state_ = State::kIdle;
  idle_from_ = listener_.worker().loop().now();
  listener_.worker().loop().arm(timer_, listener_.keepalive_timeout());
}

void DownstreamConnection::arm_body_idle() {
  const Duration limit = listener_.config().http1.body_idle_timeout;
  if (limit > Duration::zero()) {
    listener_.worker().loop().arm(timer_, limit);
  } else {
    timer_.cancel();
  }
}

void DownstreamConnection::start_linger() {
  release_exchange();
  surplus_.clear(memory().blocks);
  socket_.shutdown_write();
  state_ = State::kLinger;
  dropped_ = 0;
  listener_.worker().loop().arm(timer_, kLingerTime);
  if (peer_ended_) close();
}

void DownstreamConnection::close() {
  if (state_ == State::kClosed) return;
  CHECK(exchange_ == nullptr || exchange_->finished());
  release_exchange();
  state_ = State::kClosed;
  timer_.cancel();
  socket_.close();
  out_.clear(memory());
  surplus_.clear(memory().blocks);
  Worker& worker = listener_.worker();
  listener_.connection_closed(*this);
  worker.loop().retire(*this);
}

}  // namespace weir::proxy
