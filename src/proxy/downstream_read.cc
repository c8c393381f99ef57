// SPDX-License-Identifier: Apache-2.0
// What a client sends: heads, bodies, what is pipelined behind them, and bodies that are spliced.
#include <algorithm>
#include <cstring>

#include "http/head.h"
#include "proxy/downstream_connection.h"
#include "proxy/exchange.h"
#include "proxy/h1_request.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

using Status = net::IoResult::Status;

// A first read fits most heads; a large body behind it is then spliced rather than copied.
constexpr size_t kHeadRead = 4096;
// One connection's share of a turn.
constexpr size_t kTurnBytes = 256 * 1024;
// Lingering close: how much is read and dropped.
constexpr uint32_t kLingerBytes = 1 << 20;

}  // namespace

bool DownstreamConnection::wants_read() const {
  switch (state_) {
    case State::kIdle:
    case State::kHead:
    case State::kDrain:
    case State::kLinger:
      return true;
    case State::kBody:
      return !body_paused_;
    case State::kTunnel:
      return !body_paused_ && !peer_ended_;
    case State::kComplete:
    case State::kClosed:
      return false;
  }
  return false;
}

void DownstreamConnection::read_some() {
  char* const buffer = listener_.worker().read_buffer();
  size_t taken = 0;
  size_t used = 0;  // Bytes at the front of the buffer that are queued but not yet flushed.
  while (wants_read() && socket_.readable() && taken < kTurnBytes) {
    if (state_ == State::kBody && try_splice()) {
      run_splice();
      return;
    }
    size_t room = state_ == State::kIdle || state_ == State::kHead ? kHeadRead
                                                                   : listener_.worker().body_read();
    if (used + std::min(room, 2 * kHeadRead) > Worker::kReadBuffer) {
      exchange_->flush();
      used = 0;
      continue;
    }
    room = std::min(room, Worker::kReadBuffer - used);
    const net::IoResult in = socket_.recv({buffer + used, room});
    if (in.status == Status::kAgain) return;
    if (in.status == Status::kEof) return on_eof();
    if (in.status == Status::kError) return on_gone();
    const std::string_view rest = feed({buffer + used, in.bytes});
    // The next request's: it may outlive this exchange and its account.
    if (!rest.empty()) surplus_.append(rest, memory().blocks, listener_.account());
    taken += in.bytes;
    used = exchange_ != nullptr ? used + in.bytes : 0;
  }
}

// What is left belongs to the next request.
std::string_view DownstreamConnection::feed(std::string_view in) {
  while (!in.empty()) {
    switch (state_) {
      case State::kIdle:
        if (may_speak_http2(in)) {
          become_http2(in);
          return {};
        }
        begin_request();
        [[fallthrough]];
      case State::kHead:
        in = feed_head(in);
        break;
      case State::kBody:
        if (body_paused_ && request_->body.kind() == BodyFraming::Kind::kTunnel) return in;
        in = feed_body(in);
        break;
      case State::kTunnel:
        exchange_->on_request_body(in);
        return {};
      case State::kDrain:
        in = drop_body(in);
        break;
      case State::kComplete:
        return in;
      case State::kLinger:
        dropped_ += static_cast<uint32_t>(in.size());
        if (dropped_ > kLingerBytes) close();
        return {};
      case State::kClosed:
        return {};
    }
  }
  return {};
}

// One run of what came early. It is flushed before its block is given back.
void DownstreamConnection::feed_surplus() {
  const std::string_view run = surplus_.front();
  const std::string_view rest = feed(run);
  if (exchange_ != nullptr) exchange_->flush();
  if (!surplus_.empty()) surplus_.consume(run.size() - rest.size(), memory().blocks);
}

void DownstreamConnection::begin_request() {
  Worker& worker = listener_.worker();
  exchange_ = worker.take_exchange(
      {this, &listener_, &peer_, socket_.tls(), told_.get(), worker.loop().clock().now()});
  request_ = new (exchange_->arena().allocate(sizeof(Request))) Request;
  state_ = State::kHead;
  head_sent_ = false;
  keep_alive_ = true;
  await_drain_ = false;
  refused_ = false;
  ++requests_;
}

std::string_view DownstreamConnection::feed_head(std::string_view in) {
  const http::HeadLimits& limits = listener_.head_limits();
  std::string_view so_far = in;
  const size_t before = request_->head_size;
  if (before > 0) {
    // Only as much as a head may hold: the rest cannot belong to it.
    keep_partial_head(in.substr(0, std::min(in.size(), limits.max_bytes + 1 - before)));
    so_far = {request_->head, request_->head_size};
  }
  const Result<size_t> end =
      http::find_head_end(so_far, before, limits, http::MessageKind::kRequest);
  if (!end) {
    refuse(end.error());
    return {};
  }
  if (*end == 0) {
    // Whose request it is cannot be known yet: only the budget can refuse it.
    if (!exchange_->account().may_hold(limits.max_bytes / 4)) {
      refuse(make_error(ErrorCode::kMemoryBudget));
      return {};
    }
    if (before == 0) keep_partial_head(in);
    if (before == 0) {
      listener_.worker().loop().arm(timer_, listener_.config().http1.header_timeout);
    }
    return {};
  }
  head_complete(before > 0 ? so_far.substr(0, *end)
                           : exchange_->arena().copy(so_far.substr(0, *end)));
  return in.substr(*end - before);
}

void DownstreamConnection::keep_partial_head(std::string_view in) {
  Request& request = *request_;
  if (request.head_size + in.size() > request.head_capacity) {
    const size_t capacity = std::max(request.head_capacity * 2, request.head_size + in.size());
    char* grown = static_cast<char*>(exchange_->arena().allocate(capacity));
    if (request.head_size > 0) std::memcpy(grown, request.head, request.head_size);
    request.head = grown;
    request.head_capacity = capacity;
  }
  std::memcpy(request.head + request.head_size, in.data(), in.size());
  request.head_size += in.size();
}

void DownstreamConnection::head_complete(std::string_view text) {
  RequestHead& head = exchange_->request();
  const Result<void> parsed =
      http::parse_request_head(text, listener_.head_limits(), exchange_->arena(), head);
  if (!parsed) return refuse(parsed.error());
  // The scheme is the connection's, whatever an absolute target says.
  if (socket_.is_tls()) head.scheme = "https";
  request_->body.start(head.body, &exchange_->arena());
  request_->continue_owed = head.expect_continue && !request_->body.finished();
  request_->read_since = listener_.worker().loop().now();
  state_ = State::kBody;
  body_paused_ = false;
  if (!head.protocol.empty()) await_tunnel(head);
  // A head that came in one piece was complete when it began: one look at the clock less.
  exchange_->on_request_head(request_->head_size == 0 ? exchange_->client().started
                                                      : listener_.worker().loop().clock().now());
  if (request_->body.finished()) {
    request_read();
  } else {
    arm_body_idle();
  }
}

// The message cannot be read any further: where it ends is not known, so nothing after it is
// either.
void DownstreamConnection::refuse(const Error& error) {
  state_ = State::kComplete;
  keep_alive_ = false;
  refused_ = true;
  exchange_->on_request_error(error);
}

std::string_view DownstreamConnection::feed_body(std::string_view in) {
  const Result<http::BodyReader::Step> step = request_->body.next(in);
  if (!step) {
    refuse(step.error());
    return {};
  }
  request_->continue_owed = false;
  if (!step->data.empty()) {
    exchange_->on_request_body(step->data);
    if (!body_moved(step->data.size())) return {};
  }
  if (state_ == State::kBody && request_->body.finished()) request_read();
  return in.substr(step->consumed);
}

// Bytes of the body came. False: too few for the time it took, and the client has been told.
bool DownstreamConnection::body_moved(uint64_t bytes) {
  const Http1Config& config = listener_.config().http1;
  request_->read_bytes += bytes;
  arm_body_idle();
  if (!too_slow(request_->read_bytes, config.min_receive_rate.bytes_per_second,
                request_->read_since)) {
    return true;
  }
  request_->splice.reset();
  refuse(make_error(ErrorCode::kSlowClient));
  return false;
}

std::string_view DownstreamConnection::drop_body(std::string_view in) {
  const Result<http::BodyReader::Step> step = request_->body.next(in);
  if (step) dropped_ += static_cast<uint32_t>(step->consumed);
  if (!step || dropped_ > kLingerBytes) {
    start_linger();
    return {};
  }
  if (request_->body.finished()) after_answer();
  return in.substr(step->consumed);
}

void DownstreamConnection::request_read() {
  state_ = State::kComplete;
  exchange_->on_request_end(request_->body.trailers());
}

bool DownstreamConnection::try_splice() {
  if (request_->splice) return true;
  if (!socket_.is_plain()) return false;
  if (request_->body.kind() != BodyFraming::Kind::kLength ||
      request_->body.remaining() < SpliceRelay::kWorthIt) {
    return false;
  }
  exchange_->flush();
  if (body_paused_ || exchange_->request_sink() == nullptr) return false;
  if (!exchange_->account().may_carry(SpliceRelay::kPipe)) return false;
  const net::Pipe pipe = listener_.worker().pipes().take();
  if (!pipe.valid()) return false;
  request_->splice.emplace(listener_.worker().pipes(), pipe, exchange_->account());
  return true;
}

void DownstreamConnection::run_splice() {
  net::Socket* const sink = exchange_->request_sink();
  if (sink == nullptr) {  // The attempt is over: what still comes is read and dropped.
    request_->splice.reset();
    return;
  }
  const uint64_t left = request_->body.remaining();
  const SpliceRelay::Progress progress = request_->splice->run(socket_, *sink, left);
  using Splice = SpliceRelay::Progress::State;
  if (progress.read > 0) {
    request_->body.skip(progress.read);
    listener_.worker().mutable_stats().spliced_bytes.add(progress.read);
    exchange_->on_request_spliced(progress.read);
    if (!body_moved(progress.read)) return;
  }
  switch (progress.state) {
    case Splice::kDone:
      request_->splice.reset();
      if (state_ == State::kBody) request_read();
      return;
    case Splice::kWaitSource:
    case Splice::kYield:  // settle() asks for another turn.
      return;
    case Splice::kWaitSink:
    case Splice::kSinkError:
      // A broken sink reports itself through its own connection's events.
      pause_body();
      exchange_->await_request_sink();
      return;
    case Splice::kSourceEnd:
      return on_eof();
    case Splice::kSourceError:
      return on_gone();
  }
}

}  // namespace weir::proxy
