// SPDX-License-Identifier: Apache-2.0
#include "proxy/h2_connection.h"

#include <array>
#include <utility>

#include "proxy/exchange.h"
#include "proxy/worker.h"

namespace weir::proxy {
namespace {

using Status = net::IoResult::Status;

// One connection's share of a turn.
constexpr size_t kTurnBytes = 256 * 1024;
// Small frames cost the most: a first look tells whether more of them may come in this turn. Of a
// client's requests, each the start of an exchange, a KiB holds as many as are let in at once.
constexpr size_t kFirstRead = 1024;
constexpr size_t kFirstReadOfOrigin = 4 * 1024;
// Frames that wait for the socket. Small, so that what is urgent does not stand behind much.
constexpr size_t kOutLimit = 64 * 1024;
// The same while memory is short: one frame.
constexpr size_t kShortOutLimit = 16 * 1024;
// From here on a write need not wait for the end of the batch.
constexpr size_t kSendNow = 32 * 1024;

}  // namespace

H2Connection::H2Connection(Worker& worker, http::H2Session::Role role,
                           const http::H2Options& options, base::Account& account)
    : worker_(worker),
      account_(account),
      first_read_(role == http::H2Session::Role::kServer ? kFirstRead : kFirstReadOfOrigin),
      session_(role, options, *this, worker.large_blocks()),
      forgiven_at_(worker.loop().now()) {}

void H2Connection::touch(Exchange& exchange) {
  std::vector<Exchange*>& touched = worker_.touched();
  if (touched.empty() || touched.back() != &exchange) touched.push_back(&exchange);
}

// A connection that lives for days may ping now and then.
void H2Connection::forgive() {
  const TimePoint now = worker_.loop().now();
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(now - forgiven_at_).count();
  if (passed <= 0) return;
  forgiven_at_ = now;
  session_.forgive(static_cast<uint32_t>(std::min<int64_t>(passed, UINT32_MAX)));
}

bool H2Connection::feed(std::string_view bytes) {
  forgive();
  if (Result<void> taken = session_.feed(bytes); !taken) {
    dead_ = true;
    error_ = taken.error();
  }
  const bool enough = fed();
  flush_touched();
  return enough;
}

// Exchanges are taken back by the loop alone, so that all of these are still there.
void H2Connection::flush_touched() {
  std::vector<Exchange*>& touched = worker_.touched();
  for (size_t i = 0; i < touched.size(); ++i) touched[i]->flush();
  touched.clear();
}

void H2Connection::read_some() {
  char* const buffer = worker_.read_buffer();
  size_t taken = 0;
  size_t room = first_read_;
  while (!dead_ && socket_.readable() && taken < kTurnBytes) {
    const net::IoResult in = socket_.recv({buffer, room});
    if (in.status == Status::kAgain) return;
    if (in.status != Status::kOk) {
      dead_ = true;
      error_ = make_error(ErrorCode::kClientClosed, nullptr, Retry::kNo, in.error);
      return;
    }
    read_at_ = worker_.loop().now();
    if (feed({buffer, in.bytes})) break;
    taken += in.bytes;
    room = Worker::kReadBuffer;
  }
  if (!dead_ && socket_.readable()) socket_.wake();
}

// What a socket that is full does not take stays with its streams, who can be refused.
size_t H2Connection::out_limit() const {
  if (worker_.memory_stage() < base::MemoryStage::kShrink) return kOutLimit;
  return blocked_ ? 0 : kShortOutLimit;
}

void H2Connection::charge_session() {
  const size_t now = session_.memory();
  if (now > session_charged_) account_.charge(now - session_charged_);
  if (now < session_charged_) account_.refund(session_charged_ - now);
  session_charged_ = now;
}

void H2Connection::flush(http::H2Stream& stream) {
  const size_t limit = out_limit();
  if (!pumping_ && !session_.feeding() && out_.size() < limit && socket_.is_open()) {
    pumping_ = true;
    session_.pull(out_, account_, limit);
    pumping_ = false;
  }
  session_.hold(stream);
  if (session_.undelivered()) socket_.wake();
  if (blocked_ || !socket_.is_open()) return;
  if (out_.size() >= kSendNow && !pumping_) send_out();
  if (!out_.empty() || session_.wants_write()) socket_.wake();
}

void H2Connection::pump() {
  if (socket_.writable()) blocked_ = false;
  pumping_ = true;
  while (socket_.is_open() && !blocked_) {
    session_.pull(out_, account_, out_limit());
    if (out_.empty() || !send_out()) break;
  }
  pumping_ = false;
  if (socket_.is_open()) charge_session();
}

// False: the socket is full or broken.
bool H2Connection::send_out() {
  while (!out_.empty()) {
    std::array<iovec, 8> runs;
    const size_t n = out_.fill(runs);
    const net::IoResult sent = socket_.send(std::span<const iovec>(runs.data(), n));
    if (sent.status == Status::kOk) {
      out_.consume(sent.bytes, worker_.large_blocks());
      continue;
    }
    blocked_ = sent.status == Status::kAgain;
    if (!blocked_) {
      // Reading tells why; if it tells nothing, the connection is over all the same.
      out_.clear(worker_.large_blocks());
      blocked_ = true;
      socket_.mark_readable();
      socket_.wake();
    }
    return false;
  }
  return true;
}

void H2Connection::release_memory() {
  out_.clear(worker_.large_blocks());
  account_.refund(std::exchange(session_charged_, 0));
}

}  // namespace weir::proxy
