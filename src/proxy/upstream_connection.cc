// SPDX-License-Identifier: Apache-2.0
// Life and reading; what the exchange asks for is in upstream_write.cc.
#include "proxy/upstream_connection.h"

#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "http/head.h"
#include "proxy/exchange.h"
#include "proxy/h1_response.h"
#include "proxy/h2_upstream.h"
#include "proxy/worker.h"

namespace weir::proxy {
namespace {

using Status = net::IoResult::Status;

// As on the client's side: a first read fits most heads and leaves a large body to be spliced.
constexpr size_t kHeadRead = 4096;
constexpr size_t kTurnBytes = 256 * 1024;
constexpr uint32_t kMaxInterims = 16;
// Heads of origins: what nginx and HAProxy grant by default is 4 to 16 KiB.
constexpr http::HeadLimits kResponseLimits{64 * 1024, 256, 0};

}  // namespace

UpstreamConnection::UpstreamConnection(Worker& worker, upstream::ConnectionPermit permit)
    : upstream::PoolEntry(std::move(permit)), worker_(worker) {
  worker.mutable_stats().upstream_connections_live.add();
  worker.process_account().charge(sizeof(*this));
}

UpstreamConnection::~UpstreamConnection() = default;

Result<UpstreamStream*> UpstreamConnection::connect(Worker& worker,
                                                    upstream::ConnectionPermit permit,
                                                    Exchange& exchange) {
  auto* connection = new UpstreamConnection(worker, std::move(permit));
  const Result<void> started =
      Dial::start(connection->socket_, *connection, worker, connection->endpoint());
  if (!started) {
    connection->close();
    return std::unexpected(started.error());
  }
  connection->begin(exchange);
  return connection;
}

UpstreamStream* UpstreamConnection::reuse(upstream::PoolEntry& entry, Exchange& exchange,
                                          bool probe) {
  auto& connection = static_cast<UpstreamConnection&>(entry);
  const bool dead = !connection.quiet(probe);
  if (dead) {
    connection.close();
    return nullptr;
  }
  connection.state_ = State::kActive;
  connection.begin(exchange);
  return &connection;
}

// An idle connection is fit for use as long as the origin neither speaks unasked nor goes away. The
// socket may count as readable although nothing is there: a body's last byte leaves that behind.
bool UpstreamConnection::quiet(bool probe) {
  if (socket_.peer_finished() || socket_.failed()) return false;
  if (!socket_.readable() && !probe) return true;
  char byte;
  const ssize_t n = ::recv(socket_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n >= 0 || (errno != EAGAIN && errno != EINTR)) return false;
  socket_.clear_readable();
  return true;
}

void UpstreamConnection::begin(Exchange& exchange) {
  exchange_ = &exchange;
  request_ = new (exchange.arena().allocate(sizeof(Request))) Request;
  head_sent_ = sent_any_ = request_ended_ = keep_alive_ = false;
  body_paused_ = await_drain_ = false;
  count_request();
}

base::Arena& UpstreamConnection::arena() { return exchange_->arena(); }

Output::Memory UpstreamConnection::memory() {
  return {worker_.large_blocks(),
          exchange_ != nullptr ? exchange_->account() : worker_.process_account(),
          Output::Room::kReserved};
}

void UpstreamConnection::on_socket() {
  // The exchange outlives this call: it is taken back by the loop alone.
  Exchange* const exchange = exchange_;
  switch (state_) {
    case State::kConnecting:
      on_connecting();
      break;
    case State::kActive:
      if (socket_.writable() && (out_.congested() || await_drain_)) room_to_write();
      if (read_ended_ && tunnel_lost()) {
        fail(make_error(ErrorCode::kUpstreamTruncated, "the tunnel was reset"));
      }
      if (state_ == State::kActive) read_some();
      break;
    case State::kIdle:
      if (!quiet(false)) close();
      break;
    case State::kClosed:
      break;
  }
  if (exchange != nullptr) exchange->flush();
}

void UpstreamConnection::on_connecting() {
  switch (dial_.step(socket_, endpoint(), exchange_)) {
    case Dial::Progress::kPending:
      return;
    case Dial::Progress::kFailed:
      return fail(dial_.error());
    case Dial::Progress::kReady:
      break;
  }
  endpoint().cluster().stats().connects.add();
  if (socket_.is_tls() && socket_.tls()->alpn() == Alpn::kH2) return become_http2();
  state_ = State::kActive;
  exchange_->on_connected(*this);
  // What came with the connect, a FIN perhaps, announces itself no second time.
  if (state_ == State::kActive && socket_.readable()) socket_.wake();
}

// `protocol: auto`, and the origin has chosen: the connection goes on as a shared one.
void UpstreamConnection::become_http2() {
  endpoint().set_speaks_http2(true);
  Exchange& exchange = detach();
  const bool current = transport() == endpoint().cluster().transport();
  const H2UpstreamConnection::Joined joined =
      H2UpstreamConnection::take_over(worker_, {take_permit(), socket_, current}, exchange);
  exchange.on_stream_changed(*this, *joined.stream);
  close();
}

// A PROXY header speaks for one client.
bool UpstreamConnection::one_request_only() const {
  return endpoint().cluster().config().proxy_protocol != SendProxy::kOff;
}

void UpstreamConnection::room_to_write() {
  await_drain_ = false;
  flush();
  if (!congested()) exchange_->on_upstream_drained(*this);
}

bool UpstreamConnection::wants_read() const {
  return state_ == State::kActive && !(request_->head_done && (body_paused_ || read_ended_));
}

void UpstreamConnection::read_some() {
  char* const buffer = worker_.read_buffer();
  size_t taken = 0;
  size_t used = 0;  // Bytes at the front of the buffer that are queued but not yet flushed.
  while (wants_read() && socket_.readable() && taken < kTurnBytes) {
    if (request_->head_done && try_splice()) return run_splice();
    size_t room = request_->head_done ? worker_.body_read() : kHeadRead;
    if (used + std::min(room, 2 * kHeadRead) > Worker::kReadBuffer) {
      exchange_->flush();
      used = 0;
      continue;
    }
    room = std::min(room, Worker::kReadBuffer - used);
    const net::IoResult in = socket_.recv({buffer + used, room});
    if (in.status == Status::kAgain) return;
    // FIN alone does not end a body under TLS: anybody could have sent it (RFC 9112, 9.8).
    if (in.status == Status::kEof) return on_eof(in.error);
    if (in.status == Status::kError) return on_eof(in.error);
    if (!feed({buffer + used, in.bytes})) return;
    taken += in.bytes;
    used += in.bytes;
  }
  if (wants_read() && socket_.readable()) socket_.wake();
}

// False: the response is over, one way or the other, and the exchange is no longer ours.
bool UpstreamConnection::feed(std::string_view in) {
  while (!in.empty()) {
    if (!(request_->head_done ? feed_body(in) : feed_head(in))) return false;
  }
  return true;
}

bool UpstreamConnection::feed_head(std::string_view& in) {
  std::string_view so_far = in;
  const size_t before = request_->head_size;
  if (before > 0) {
    request_->keep(in.substr(0, std::min(in.size(), kResponseLimits.max_bytes + 1 - before)),
                   arena());
    so_far = {request_->head, request_->head_size};
  }
  const Result<size_t> end =
      http::find_head_end(so_far, before, kResponseLimits, http::MessageKind::kResponse);
  if (!end) {
    fail(end.error());
    return false;
  }
  if (*end == 0) {
    if (before == 0) request_->keep(in, arena());
    in = {};
    return true;
  }
  const std::string_view text = so_far.substr(0, *end);
  in.remove_prefix(*end - before);
  request_->head_size = 0;
  if (!head_complete(before > 0 ? text : arena().copy(text))) return false;
  if (!request_->head_done || !request_->body.finished()) return true;
  response_complete(!in.empty());
  return false;
}

bool UpstreamConnection::head_complete(std::string_view text) {
  ResponseHead head;
  const Result<void> parsed =
      http::parse_response_head(text, kResponseLimits, arena(), exchange_->request().method, head);
  if (!parsed) {
    fail(parsed.error());
    return false;
  }
  if (head.status == 101) {
    if (const char* problem = refuse_switch(head)) {
      fail(make_error(ErrorCode::kUpstreamUpgrade, problem, Retry::kNo));
      return false;
    }
    head.body = {BodyFraming::Kind::kTunnel, 0};
  } else if (head.status < 200) {
    // Each costs memory until the final one, and nobody has use for more (100, 102, 103).
    if (++request_->interims > kMaxInterims) {
      fail(make_error(ErrorCode::kUpstreamBadHead, "too many interim responses"));
      return false;
    }
    // The head's memory may be in use by what is queued: the next one begins anew.
    request_->head = nullptr;
    request_->head_capacity = 0;
    exchange_->on_interim(head);
    return true;
  }
  request_->head_done = true;
  request_->body.start(head.body, &arena());
  // After an upgrade that was declined nothing else is sent: some servers have taken the connection
  // from their HTTP side before they look at the request (Node's `upgrade` event), and nobody would
  // answer.
  keep_alive_ = head.keep_alive && head.body.kind != BodyFraming::Kind::kUntilClose &&
                request_framing_ != BodyFraming::Kind::kTunnel;
  Exchange& exchange = *exchange_;
  exchange.on_response_head(*this, head);
  return exchange_ == &exchange;  // Else it did not want this response.
}

bool UpstreamConnection::feed_body(std::string_view& in) {
  const Result<http::BodyReader::Step> step = request_->body.next(in);
  if (!step) {
    fail(make_error(ErrorCode::kUpstreamBadFraming, step.error().detail, Retry::kNo));
    return false;
  }
  Exchange& exchange = *exchange_;
  if (!step->data.empty()) exchange.on_response_body(step->data);
  if (exchange_ != &exchange) return false;
  in.remove_prefix(step->consumed);
  if (!request_->body.finished()) return true;
  response_complete(!in.empty());
  return false;
}

bool UpstreamConnection::try_splice() {
  if (request_->splice) return true;
  if (!socket_.is_plain()) return false;
  const BodyFraming::Kind kind = request_->body.kind();
  if ((kind != BodyFraming::Kind::kLength && kind != BodyFraming::Kind::kUntilClose) ||
      request_->body.remaining() < SpliceRelay::kWorthIt) {
    return false;
  }
  exchange_->flush();
  if (body_paused_ || exchange_->response_sink() == nullptr) return false;
  if (!exchange_->account().may_carry(SpliceRelay::kPipe)) return false;
  const net::Pipe pipe = worker_.pipes().take();
  if (!pipe.valid()) return false;
  request_->splice.emplace(worker_.pipes(), pipe, exchange_->account());
  return true;
}

void UpstreamConnection::run_splice() {
  net::Socket* const sink = exchange_->response_sink();
  if (sink == nullptr) return;  // The client is going: its connection brings the news.
  const SpliceRelay::Progress progress =
      request_->splice->run(socket_, *sink, request_->body.remaining());
  using Splice = SpliceRelay::Progress::State;
  if (progress.read > 0) {
    Exchange& exchange = *exchange_;
    request_->body.skip(progress.read);
    worker_.mutable_stats().spliced_bytes.add(progress.read);
    exchange.on_response_spliced(progress.read);
    if (exchange_ != &exchange) return;
  }
  switch (progress.state) {
    case Splice::kDone:
      response_complete(false);
      return;
    case Splice::kWaitSource:
      return;
    case Splice::kYield:
      socket_.wake();
      return;
    case Splice::kWaitSink:
    case Splice::kSinkError:
      body_paused_ = true;
      exchange_->await_response_sink();
      return;
    case Splice::kSourceEnd:
      return on_eof(0);
    case Splice::kSourceError:
      return on_eof(progress.error);
  }
}

// The origin has sent its last byte (error 0) or reset the connection.
void UpstreamConnection::on_eof(int error) {
  if (request_->head_done && error == 0 && request_->body.on_eof()) {
    if (!in_tunnel()) return response_complete(false);
    read_ended_ = true;
    return exchange_->on_tunnel_end();
  }
  const net::TlsSession* tls = socket_.tls();
  if (!request_->head_done && tls != nullptr && tls->failure() != net::TlsFailure::kNone) {
    // With TLS 1.3 a server refuses a client's certificate after the handshake.
    return fail(make_error(ErrorCode::kUpstreamTls, tls->failure_reason(), Retry::kIdempotent));
  }
  if (request_->head_done) {
    return fail(make_error(ErrorCode::kUpstreamTruncated, nullptr, Retry::kNo, error));
  }
  const Retry retry = sent_any_ ? Retry::kIdempotent : Retry::kUnsent;
  // TCP gave up on bytes that the origin does not acknowledge (tcp_user_timeout).
  if (error == ETIMEDOUT) {
    return fail(make_error(ErrorCode::kUpstreamTimeout, "not acknowledged", retry, error));
  }
  const char* detail = request_->head_size > 0 ? "in the middle of its head" : nullptr;
  fail(make_error(ErrorCode::kUpstreamReset, detail, retry, error));
}

// `surplus`: bytes came behind the response, which nobody asked for.
void UpstreamConnection::response_complete(bool surplus) {
  const HeaderList trailers = request_->body.trailers();
  const bool reusable = keep_alive_ && request_ended_ && !one_request_only() && out_.empty() &&
                        !surplus && !write_broken_ && !socket_.peer_finished() && !socket_.failed();
  Exchange& exchange = detach();
  if (reusable) {
    state_ = State::kIdle;
    endpoint().cluster().give_back(*this);
  } else {
    close();
  }
  exchange.on_response_end(trailers);
}

void UpstreamConnection::fail(const Error& error) {
  Exchange& exchange = detach();
  close();
  exchange.on_upstream_error(*this, error);
}

Exchange& UpstreamConnection::detach() {
  Exchange& exchange = *exchange_;
  request_->~Request();
  request_ = nullptr;
  exchange_ = nullptr;
  if (!out_.congested()) out_.clear(memory());
  out_.forget_arena();
  return exchange;
}

void UpstreamConnection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  leave_pool();
  socket_.close();
  out_.clear(memory());
  worker_.process_account().refund(sizeof(*this));
  worker_.mutable_stats().upstream_connections_live.sub();
  worker_.loop().retire(*this);
}

void UpstreamConnection::close_idle() { close(); }

}  // namespace weir::proxy
