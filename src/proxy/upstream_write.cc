// SPDX-License-Identifier: Apache-2.0
// The UpstreamStream of an HTTP/1 origin: heads, bodies and their framing on the way out.
#include "http/head_writer.h"
#include "proxy/exchange.h"
#include "proxy/h1_response.h"
#include "proxy/worker.h"

namespace weir::proxy {

void UpstreamConnection::send_head(const RequestHead& head) {
  request_framing_ = head.body.kind;
  const RequestHead& out = head.protocol.empty() ? head : ask_upgrade(head);
  const size_t bound = http::request_head_bound(out);
  http::HeadWriter writer({static_cast<char*>(arena().allocate(bound)), bound});
  http::write_request_head(out, writer);
  out_.add(writer.text(), arena(), memory());
  head_sent_ = true;
}

void UpstreamConnection::send_body(std::string_view bytes) {
  // After a failed write the origin may still have an answer to give: what it will not read is
  // dropped.
  if (bytes.empty() || write_broken_) return;
  if (request_framing_ != BodyFraming::Kind::kChunked) {
    out_.add(bytes, arena(), memory());
    return;
  }
  out_.add_copy(http::ChunkPrefix(bytes.size()).text(), arena(), memory());
  out_.add(bytes, arena(), memory());
  out_.add(http::kChunkEnd, arena(), memory());
}

void UpstreamConnection::send_end(const HeaderList& trailers) {
  request_ended_ = true;
  if (request_framing_ != BodyFraming::Kind::kChunked || write_broken_) return;
  if (trailers.size() == 0) {
    out_.add(http::kLastChunk, arena(), memory());
    return;
  }
  const size_t bound = http::last_chunk_bound(trailers);
  http::HeadWriter writer({static_cast<char*>(arena().allocate(bound)), bound});
  http::write_last_chunk(trailers, writer);
  out_.add(writer.text(), arena(), memory());
}

void UpstreamConnection::flush() {
  if (state_ != State::kActive) return;
  if (out_.empty()) return end_tunnel_writing();
  if (out_.flush(socket_, memory()) == net::IoResult::Status::kError) {
    out_.clear(memory());
    write_broken_ = true;
    // What the origin said before it closed is still to be read; if nothing, reading says so.
    body_paused_ = false;
    socket_.mark_readable();
    socket_.wake();
    return;
  }
  sent_any_ = true;
  if (request_framing_ == BodyFraming::Kind::kTunnel) end_tunnel_writing();
}

void UpstreamConnection::resume_body() {
  if (!body_paused_) return;
  body_paused_ = false;
  socket_.wake();
}

net::Socket* UpstreamConnection::raw_sink() {
  return request_framing_ == BodyFraming::Kind::kLength && head_sent_ && out_.empty() &&
                 state_ == State::kActive && !write_broken_ && socket_.is_plain()
             ? &socket_
             : nullptr;
}

// The exchange has what it wants or gives up: an unfinished exchange of messages ends the
// connection.
void UpstreamConnection::release() {
  if (exchange_ == nullptr) return;
  const bool cut_off = in_tunnel() && !(request_->body.finished() && write_ended_);
  detach();
  if (cut_off) socket_.abort();
  close();
}

}  // namespace weir::proxy
