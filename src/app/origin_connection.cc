// SPDX-License-Identifier: Apache-2.0
#include "app/origin_connection.h"

#include <array>
#include <utility>

#include "app/origin.h"
#include "base/arena.h"
#include "http/date.h"
#include "http/head.h"
#include "http/head_writer.h"
#include "http/status.h"

namespace weir::app {
namespace {

constexpr http::HeadLimits kHeadLimits;
// Longer than a proxy keeps a connection in its pool, so that it is never this end that closes one
// in the moment in which it is used.
constexpr Duration kIdle{std::chrono::seconds(120)};
constexpr Duration kLinger{std::chrono::seconds(2)};
constexpr size_t kPiece = 64 * 1024;
// A client that reads as fast as this writes must not keep the others waiting.
constexpr int kPiecesATurn = 16;

const std::string& letters() {
  static const std::string all = [] {
    std::string text;
    while (text.size() < kPiece)
      text += "abcdefghijklmnopqrstuvwxyz0123456789-_.~ABCDEFGHIJKLMNO\n";
    text.resize(kPiece);
    return text;
  }();
  return all;
}

}  // namespace

OriginConnection::OriginConnection(Origin& origin, uint64_t id)
    : origin_(origin), id_(id), timer_(net::timer_callback<&OriginConnection::on_timer>(this)) {}

bool OriginConnection::open(int fd) {
  if (!socket_.adopt(origin_.loop().sockets(), fd, *this)) return false;
  origin_.loop().arm(timer_, kIdle);
  return true;
}

void OriginConnection::shut() {
  timer_.cancel();
  socket_.close();
}

void OriginConnection::on_timer() {
  if (state_ != State::kDelay) return origin_.forget(*this);
  begin_answer();
  on_socket();
}

void OriginConnection::on_socket() {
  while (!broken_ && step()) {
  }
  const bool reading =
      state_ == State::kHead || state_ == State::kBody || state_ == State::kClosing;
  if (broken_ || socket_.failed() || (ended_ && reading)) origin_.forget(*this);
}

// Whether another step may follow; false: wait for the socket or the timer.
bool OriginConnection::step() {
  switch (state_) {
    case State::kHead:
      return take_head() || read_more();
    case State::kBody:
      return take_body() || read_more();
    case State::kDelay:
      return false;
    case State::kWriting:
      return write();
    case State::kClosing:
      break;
  }
  return drop_rest();
}

bool OriginConnection::read_more() {
  if (ended_ || !socket_.readable()) return false;
  std::array<char, 16 * 1024> room;
  const net::IoResult got = socket_.recv(room);
  if (got.status == net::IoResult::Status::kAgain) return false;
  ended_ = got.status != net::IoResult::Status::kOk;
  if (!ended_) in_.append(room.data(), got.bytes);
  return !ended_;
}

bool OriginConnection::drop_rest() {
  in_.clear();
  return read_more();
}

bool OriginConnection::take_head() {
  const auto end = http::find_head_end(in_, searched_, kHeadLimits, http::MessageKind::kRequest);
  if (!end) {
    refuse(end.error());
    return true;
  }
  if (*end == 0) {
    searched_ = in_.size();
    return false;
  }
  base::Arena arena(origin_.blocks(), origin_.account());
  const std::string text = in_.substr(0, *end);
  in_.erase(0, *end);
  searched_ = 0;
  RequestHead head;
  if (const auto parsed = http::parse_request_head(text, kHeadLimits, arena, head); !parsed) {
    refuse(parsed.error());
    return true;
  }
  accept_request(head);
  return true;
}

void OriginConnection::refuse(const Error& error) {
  const ErrorInfo& info = error_info(error.code);
  order_ = {};
  order_.status = info.status;
  order_.close = true;
  keep_alive_ = false;
  bodiless_ = false;
  text_ = std::string(info.reason) + ": " + std::string(info.hint) + "\n";
  begin_answer();
}

void OriginConnection::accept_request(const RequestHead& head) {
  ++requests_;
  order_ = read_order(head);
  keep_alive_ = head.keep_alive && !order_.close;
  old_client_ = head.version == Version::kHttp10;
  bodiless_ = head.method == Method::kHead || order_.status == 204 || order_.status == 304;
  if (head.path == "/health") {
    text_ = "ok\n";
  } else if (!order_.problem.empty()) {
    text_ = order_.problem + "\n";
  } else {
    text_ = tell(head, {origin_.name(), id_, requests_}, order_.json);
  }
  if (head.body.kind == BodyFraming::Kind::kNone) return body_done();
  if (head.expect_continue) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    const iovec piece{const_cast<char*>(kContinue.data()), kContinue.size()};
    broken_ = socket_.send({&piece, 1}).bytes != kContinue.size();
  }
  body_.start(head.body);
  state_ = State::kBody;
}

bool OriginConnection::take_body() {
  const auto step = body_.next(in_);
  if (!step) {
    refuse(step.error());
    return true;
  }
  in_.erase(0, step->consumed);
  origin_.loop().arm(timer_, kIdle);
  if (body_.finished()) {
    body_done();
    return true;
  }
  return step->consumed > 0;
}

void OriginConnection::body_done() {
  if (order_.reset) {
    socket_.abort();
    broken_ = true;
    return;
  }
  if (order_.delay.count() == 0) return begin_answer();
  state_ = State::kDelay;
  origin_.loop().arm(timer_, order_.delay);
}

void OriginConnection::begin_answer() {
  const bool chunked = (order_.chunked || order_.trailers) && !old_client_;
  // To a client that knows no chunks, a body without a length ends with the connection.
  if ((order_.chunked || order_.trailers) && old_client_) keep_alive_ = false;
  order_.chunked = chunked;
  order_.trailers = order_.trailers && chunked;
  queue_head(order_.size.value_or(text_.size()));
  if (!bodiless_) {
    letters_left_ = order_.size.value_or(0);
    if (!order_.size) {
      if (chunked && !text_.empty()) out_ += http::ChunkPrefix(text_.size()).text();
      out_ += text_;
      if (chunked && !text_.empty()) out_ += http::kChunkEnd;
    }
    last_chunk_due_ = chunked;
  }
  state_ = State::kWriting;
  origin_.loop().arm(timer_, kIdle);
}

void OriginConnection::queue_head(uint64_t length) {
  std::array<char, http::kDateLength> date;
  http::format_date(origin_.loop().wall(), date.data());
  const bool json = order_.json && !order_.size && order_.problem.empty();
  out_ = "HTTP/1.1 " + std::to_string(order_.status) + " " +
         std::string(http::reason_phrase(order_.status)) + "\r\nDate: ";
  out_.append(date.data(), date.size());
  out_ += "\r\nServer: weir-origin\r\nX-Origin: " + origin_.name() + "\r\n";
  if (order_.status != 204) {
    out_ += json ? "Content-Type: application/json\r\n" : "Content-Type: text/plain\r\n";
    if (order_.chunked) {
      out_ += "Transfer-Encoding: chunked\r\n";
      if (order_.trailers) out_ += "Trailer: X-Origin-Bytes\r\n";
    } else if (keep_alive_ || !old_client_) {
      out_ += "Content-Length: " + std::to_string(length) + "\r\n";
    }
  }
  if (!keep_alive_) {
    out_ += "Connection: close\r\n";
  } else if (old_client_) {
    out_ += "Connection: keep-alive\r\n";
  }
  out_ += "\r\n";
}

// The next piece of a body of letters, then the end of a chunked one.
void OriginConnection::refill() {
  out_.clear();
  written_ = 0;
  if (letters_left_ > 0) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(letters_left_, kPiece));
    if (order_.chunked) out_ += http::ChunkPrefix(n).text();
    out_.append(letters(), 0, n);
    if (order_.chunked) out_ += http::kChunkEnd;
    letters_left_ -= n;
  } else if (std::exchange(last_chunk_due_, false)) {
    const uint64_t bytes = order_.size.value_or(text_.size());
    out_ = order_.trailers ? "0\r\nX-Origin-Bytes: " + std::to_string(bytes) + "\r\n\r\n"
                           : std::string(http::kLastChunk);
  }
}

bool OriginConnection::write() {
  for (int pieces = 0; pieces < kPiecesATurn; ++pieces) {
    if (written_ == out_.size()) refill();
    if (out_.empty()) return end_answer();
    const iovec piece{out_.data() + written_, out_.size() - written_};
    const net::IoResult sent = socket_.send({&piece, 1});
    if (sent.status == net::IoResult::Status::kAgain) return false;
    broken_ = sent.status != net::IoResult::Status::kOk;
    if (broken_) return false;
    written_ += sent.bytes;
    origin_.loop().arm(timer_, kIdle);
  }
  socket_.wake();
  return false;
}

// A connection that is closed while the client still sends would be reset, and the answer with it
// (RFC 9112, 9.6): say the last word, then listen until the client ends too.
bool OriginConnection::end_answer() {
  if (keep_alive_) {
    state_ = State::kHead;
    return true;
  }
  socket_.shutdown_write();
  state_ = State::kClosing;
  origin_.loop().arm(timer_, kLinger);
  return true;
}

}  // namespace weir::app
