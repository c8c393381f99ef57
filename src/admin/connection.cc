// SPDX-License-Identifier: Apache-2.0
#include "admin/connection.h"

#include <sys/socket.h>

#include <array>
#include <utility>

#include "admin/server.h"
#include "base/arena.h"
#include "http/date.h"
#include "http/head.h"
#include "http/status.h"

namespace weir::admin {
namespace {

constexpr http::HeadLimits kHeadLimits{
    .max_bytes = 16 * 1024, .max_headers = 64, .max_uri_bytes = 4 * 1024};
// No verb reads a body; what clients send all the same is read and dropped up to this.
constexpr size_t kMostBody = 64 * 1024;
// For a whole head or body to come, for an answer to be taken, between two requests.
constexpr Duration kPatience{std::chrono::seconds(30)};
constexpr size_t kMostBuffered = 16 * 1024;

// For the log: whose verb it is.
std::string peer_of(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {};
  return "uid " + std::to_string(peer.uid);
}

}  // namespace

Connection::Connection(Server& server, uint64_t id, Door door)
    : server_(server),
      id_(id),
      door_(door),
      timer_(net::timer_callback<&Connection::on_timeout>(this)) {}

bool Connection::open(int fd) {
  if (door_ == Door::kUnixSocket) who_ = peer_of(fd);
  if (!socket_.adopt(server_.loop().sockets(), fd, *this)) return false;
  server_.loop().arm(timer_, kPatience);
  return true;
}

void Connection::shut() {
  timer_.cancel();
  socket_.close();
}

void Connection::on_timeout() { server_.forget(*this); }

void Connection::on_socket() {
  if (socket_.failed()) return server_.forget(*this);
  while (step()) {
  }
  // A peer that has said its last word may still wait for an answer, but not for another request.
  const bool over = ended_ && (state_ == State::kHead || state_ == State::kBody);
  if (over || socket_.failed()) server_.forget(*this);
}

bool Connection::step() {
  switch (state_) {
    case State::kHead:
      return take_head() || read_more();
    case State::kBody:
      return take_body() || read_more();
    case State::kWaiting:
      return false;
    case State::kWriting:
      break;
  }
  return write();
}

// True if something came or the end did.
bool Connection::read_more() {
  if (ended_ || !socket_.readable() || in_.size() >= kMostBuffered + kHeadLimits.max_bytes) {
    return false;
  }
  std::array<char, 4096> room;
  const net::IoResult got = socket_.recv(room);
  switch (got.status) {
    case net::IoResult::Status::kOk:
      in_.append(room.data(), got.bytes);
      return true;
    case net::IoResult::Status::kAgain:
      return false;
    case net::IoResult::Status::kEof:
    case net::IoResult::Status::kError:
      break;
  }
  ended_ = true;
  return false;
}

// True if a head was there.
bool Connection::take_head() {
  const auto end = http::find_head_end(in_, searched_, kHeadLimits, http::MessageKind::kRequest);
  if (!end) {
    refuse(end.error());
    return true;
  }
  if (*end == 0) {
    searched_ = in_.size();
    return false;
  }
  base::Arena arena(server_.blocks(), server_.account());
  const std::string head_text = in_.substr(0, *end);
  in_.erase(0, *end);
  searched_ = 0;
  RequestHead head;
  if (const auto parsed = http::parse_request_head(head_text, kHeadLimits, arena, head); !parsed) {
    refuse(parsed.error());
    return true;
  }
  keep_alive_ = head.keep_alive;
  head_only_ = head.method == Method::kHead;
  request_ = {head.method, std::string(head.path), std::string(head.query), door_, who_};
  if (head.body.kind == BodyFraming::Kind::kNone) {
    submit();
    return true;
  }
  if (head.expect_continue) out_ = "HTTP/1.1 100 Continue\r\n\r\n";
  body_.start(head.body);
  body_bytes_ = 0;
  state_ = State::kBody;
  return true;
}

// True if some of the body was there.
bool Connection::take_body() {
  if (written_ < out_.size()) {
    // The 100 is small enough for any socket that has just been read from.
    const iovec piece{out_.data(), out_.size()};
    socket_.send({&piece, 1});
    out_.clear();
  }
  const auto step = body_.next(in_);
  if (!step) {
    refuse(step.error());
    return true;
  }
  in_.erase(0, step->consumed);
  body_bytes_ += step->data.size();
  if (body_bytes_ > kMostBody) {
    refuse(make_error(ErrorCode::kBodyTooLarge));
    return true;
  }
  if (body_.finished()) {
    submit();
    return true;
  }
  return step->consumed > 0;
}

void Connection::submit() {
  state_ = State::kWaiting;
  // A reload takes as long as it takes.
  timer_.cancel();
  if (const auto response = server_.handle(id_, request_)) queue(*response);
}

void Connection::refuse(const Error& error) {
  const ErrorInfo& info = error_info(error.code);
  keep_alive_ = false;
  head_only_ = false;
  in_.clear();
  ended_ = true;
  queue({info.status,
         "text/plain; charset=utf-8",
         std::string(info.reason) + ": " + std::string(info.hint) + "\n",
         {}});
}

void Connection::answer(Response response) {
  queue(response);
  on_socket();
}

void Connection::queue(const Response& response) {
  std::array<char, http::kDateLength> date;
  http::format_date(server_.loop().wall(), date.data());
  out_ = "HTTP/1.1 " + std::to_string(response.status) + " " +
         std::string(http::reason_phrase(response.status)) + "\r\ndate: ";
  out_.append(date.data(), date.size());
  out_ += "\r\ncontent-type: " + response.content_type +
          "\r\ncontent-length: " + std::to_string(response.body.size()) +
          "\r\ncache-control: no-store\r\n";
  if (!response.allow.empty()) out_ += "allow: " + response.allow + "\r\n";
  if (!keep_alive_) out_ += "connection: close\r\n";
  out_ += "\r\n";
  if (!head_only_) out_ += response.body;
  written_ = 0;
  state_ = State::kWriting;
  server_.loop().arm(timer_, kPatience);
}

// True if all of the answer is out and another request may be looked for.
bool Connection::write() {
  while (written_ < out_.size()) {
    const iovec piece{out_.data() + written_, out_.size() - written_};
    const net::IoResult sent = socket_.send({&piece, 1});
    if (sent.status == net::IoResult::Status::kAgain) return false;
    if (sent.status != net::IoResult::Status::kOk) {
      ended_ = true;
      state_ = State::kHead;
      return false;
    }
    written_ += sent.bytes;
    server_.loop().arm(timer_, kPatience);
  }
  // A large page gives its memory back while the connection idles.
  out_ = std::string();
  written_ = 0;
  state_ = State::kHead;
  if (keep_alive_) return true;
  ended_ = true;
  return false;
}

}  // namespace weir::admin
