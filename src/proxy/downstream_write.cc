// SPDX-License-Identifier: Apache-2.0
// The DownstreamStream of an HTTP/1 client: heads, bodies and their framing on the way out.
#include <algorithm>

#include "http/head_writer.h"
#include "http/status.h"
#include "proxy/downstream_connection.h"
#include "proxy/exchange.h"
#include "proxy/h1_request.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {

void DownstreamConnection::send_interim(const ResponseHead& head) {
  if (exchange_->request().version == Version::kHttp10) return;
  base::Arena& arena = exchange_->arena();
  const size_t bound = http::response_head_bound(head);
  http::HeadWriter writer({static_cast<char*>(arena.allocate(bound)), bound});
  http::write_response_head(head, http::ConnectionField::kNone, writer);
  out_.add(writer.text(), arena, memory());
  if (head.status == 100) request_->continue_owed = false;
}

void DownstreamConnection::send_head(const ResponseHead& head, bool last) {
  if (head.body.kind == BodyFraming::Kind::kTunnel) return open_tunnel(head);
  if (request_->body.kind() == BodyFraming::Kind::kTunnel) decline_tunnel();
  const RequestHead& request = exchange_->request();
  const Http1Config& config = listener_.config().http1;
  ResponseHead out = head;
  // HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
  if (out.body.kind == BodyFraming::Kind::kUntilClose && request.version != Version::kHttp10) {
    out.body.kind = BodyFraming::Kind::kChunked;
  }
  if (out.body.kind == BodyFraming::Kind::kChunked && request.version == Version::kHttp10) {
    out.body.kind = BodyFraming::Kind::kUntilClose;
  }
  response_framing_ = out.body.kind;
  // A client that still waits for "100 Continue" may send the body now or may not: where the next
  // request would begin is unknown (RFC 9110, 10.1.1).
  const bool max_reached = config.max_requests != 0 && requests_ >= config.max_requests;
  keep_alive_ = keep_alive_ && !last && request.keep_alive && !draining_ && !peer_ended_ &&
                !max_reached && !request_->continue_owed &&
                response_framing_ != BodyFraming::Kind::kUntilClose;
  base::Arena& arena = exchange_->arena();
  const size_t bound = http::response_head_bound(out);
  http::HeadWriter writer({static_cast<char*>(arena.allocate(bound)), bound});
  http::write_response_head(out, http::connection_field(request.version, keep_alive_), writer);
  out_.add(writer.text(), arena, memory());
  head_sent_ = true;
}

void DownstreamConnection::send_body(std::string_view bytes) {
  if (bytes.empty()) return;
  base::Arena& arena = exchange_->arena();
  if (response_framing_ != BodyFraming::Kind::kChunked) {
    out_.add(bytes, arena, memory());
    return;
  }
  out_.add_copy(http::ChunkPrefix(bytes.size()).text(), arena, memory());
  out_.add(bytes, arena, memory());
  out_.add(http::kChunkEnd, arena, memory());
}

void DownstreamConnection::send_end(const HeaderList& trailers) {
  if (response_framing_ != BodyFraming::Kind::kChunked) return;
  base::Arena& arena = exchange_->arena();
  if (trailers.size() == 0) {
    out_.add(http::kLastChunk, arena, memory());
    return;
  }
  const size_t bound = http::last_chunk_bound(trailers);
  http::HeadWriter writer({static_cast<char*>(arena.allocate(bound)), bound});
  http::write_last_chunk(trailers, writer);
  out_.add(writer.text(), arena, memory());
}

void DownstreamConnection::flush() {
  if (state_ == State::kTunnel) return flush_tunnel();
  const bool was_congested = out_.congested();
  if (out_.empty()) return;
  if (write_broken_) return out_.clear(memory());
  // The close follows at once: held back until then, the answer and the FIN share one packet.
  const bool last = !keep_alive_ && state_ == State::kComplete && exchange_->response_ended() &&
                    surplus_.empty() && !socket_.readable();
  if (out_.flush(socket_, memory(), last) == net::IoResult::Status::kError) {
    // Found out by a write: the events that follow a reset bring the news to on_socket().
    out_of_memory_ = out_.refused();
    out_.clear(memory());
    write_broken_ = true;
    socket_.wake();
    return;
  }
  if (out_.congested() && !was_congested) await_room();
}

// Body bytes that the client has acknowledged, off by the size of the head and of framing: only how
// it grows counts. What the kernel merely holds is not delivered, and the kernel tells of room only
// when a third of its buffer is free, which a slow but honest reader reaches late.
int64_t DownstreamConnection::delivered() const {
  return static_cast<int64_t>(exchange_->bytes_sent()) - static_cast<int64_t>(out_.held()) -
         static_cast<int64_t>(socket_.unacknowledged());
}

// The client does not read as fast as bytes come: from now on it is watched. One that blocks again
// soon after it drained is watched on, or a slow reader would begin anew with every packet.
void DownstreamConnection::await_room() {
  constexpr Duration kBreak = std::chrono::seconds(1);
  net::Loop& loop = listener_.worker().loop();
  request_->write_seen = delivered();
  if (loop.now() - request_->blocked_at > kBreak) {
    request_->write_since = loop.now();
    request_->write_base = request_->write_seen;
  }
  request_->blocked_at = loop.now();
  arm_body_idle();
}

bool DownstreamConnection::keeps_up() {
  if (state_ == State::kTunnel) return true;
  request_->blocked_at = listener_.worker().loop().now();
  const int64_t moved = delivered() - request_->write_base;
  return !too_slow(moved > 0 ? static_cast<uint64_t>(moved) : 0,
                   listener_.config().http1.min_send_rate.bytes_per_second, request_->write_since);
}

// The timer ran out on a full socket: whether the client took anything meanwhile, and enough.
bool DownstreamConnection::client_reads() {
  const int64_t now = delivered();
  if (now <= request_->write_seen || !keeps_up()) return false;
  request_->write_seen = now;
  arm_body_idle();
  return true;
}

void DownstreamConnection::client_drained() {
  await_drain_ = false;
  if (exchange_ == nullptr || exchange_->finished()) return;
  if (out_.congested()) flush();
  if (!keeps_up()) {
    exchange_->on_downstream_gone(make_error(ErrorCode::kSlowClient));
    aborted_ = true;
    return;
  }
  if (out_.congested()) {
    arm_body_idle();
    return;
  }
  exchange_->on_downstream_drained();
}

void DownstreamConnection::pause_body() {
  if (body_paused_) return;
  body_paused_ = true;
  request_->paused_at = listener_.worker().loop().now();
}

void DownstreamConnection::resume_body() {
  if (!body_paused_) return;
  body_paused_ = false;
  if (state_ == State::kTunnel) return socket_.wake();
  net::Loop& loop = listener_.worker().loop();
  request_->read_since += loop.now() - request_->paused_at;
  arm_body_idle();
  socket_.wake();
}

// What is queued may still borrow the worker's read buffer: it must never be sent later.
void DownstreamConnection::abort() {
  aborted_ = true;
  out_.clear(memory());
}

net::Socket* DownstreamConnection::raw_sink() {
  const bool plain = response_framing_ == BodyFraming::Kind::kLength ||
                     response_framing_ == BodyFraming::Kind::kUntilClose;
  return plain && head_sent_ && out_.empty() && socket_.is_plain() ? &socket_ : nullptr;
}

void DownstreamConnection::await_drain() {
  await_drain_ = true;
  await_room();
}

void DownstreamConnection::exchange_finished() {
  finished_ = true;
  if (!busy_) socket_.wake();
}

}  // namespace weir::proxy
