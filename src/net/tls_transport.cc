// SPDX-License-Identifier: Apache-2.0
#include "net/tls_transport.h"

#include <openssl/bio.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "net/socket_set.h"

namespace weir::net {
namespace {

using Status = IoResult::Status;

// A handshake or a request head, in one system call.
constexpr size_t kLeastAhead = 4096;
constexpr int kWouldBlock = -1;
constexpr int kFailed = -2;

long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* method() {
  static const BIO_METHOD* const made = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index(), "weir socket");
    CHECK(m != nullptr);
    BIO_meth_set_read(m, TlsTransport::read);
    BIO_meth_set_write(m, TlsTransport::write);
    BIO_meth_set_ctrl(m, control);
    return m;
  }();
  return made;
}

}  // namespace

TlsSession::Call::Call(TlsSession& of, Socket& on, size_t plain_room)
    : session(of), socket(on), scratch(on.set_->tls_scratch()), room(plain_room) {
  session.call_ = this;
}

TlsSession::Call::~Call() {
  session.call_ = nullptr;
  if (at_ < end_) session.keep_ahead({scratch.in + at_, end_ - at_});
}

int TlsSession::Call::read(char* out, size_t size) {
  Ahead& kept = session.ahead_;
  if (kept.at < kept.end) {
    const size_t n = std::min<size_t>(size, kept.end - kept.at);
    std::memcpy(out, kept.bytes.get() + kept.at, n);
    kept.at += static_cast<uint32_t>(n);
    if (kept.at == kept.end) kept = {};
    return static_cast<int>(n);
  }
  if (at_ == end_) {
    const size_t ahead = std::min(std::max(room, kLeastAhead), sizeof scratch.in);
    if (size >= ahead) return fill(out, size);
    at_ = end_ = 0;
    const int n = fill(scratch.in, ahead);
    if (n <= 0) return n;
    end_ = static_cast<size_t>(n);
  }
  const size_t n = std::min(size, end_ - at_);
  std::memcpy(out, scratch.in + at_, n);
  at_ += n;
  return static_cast<int>(n);
}

int TlsSession::Call::fill(char* out, size_t size) {
  if (drained_) return kWouldBlock;
  const IoResult in = socket.plain_recv({out, size});
  switch (in.status) {
    case Status::kOk:
      // As in plain_recv(): after a FIN there is no new edge, so the end must be read.
      drained_ = in.bytes < size && !socket.peer_finished();
      return static_cast<int>(in.bytes);
    case Status::kAgain:
      drained_ = true;
      return kWouldBlock;
    case Status::kEof:
      ended = true;
      return 0;
    case Status::kError:
      error = in.error;
      break;
  }
  return kFailed;
}

int TlsSession::Call::write(const char* bytes, size_t size) {
  if (blocked) return kWouldBlock;
  const IoResult out = socket.plain_send({bytes, size}, more_follows);
  if (out.status == Status::kError) {
    error = out.error;
    return kFailed;
  }
  // The event that tells of room has been asked for by the short write.
  blocked = out.bytes < size;
  return out.status == Status::kOk ? static_cast<int>(out.bytes) : kWouldBlock;
}

BIO* TlsTransport::make(TlsSession& session) {
  BIO* bio = BIO_new(method());
  CHECK(bio != nullptr);
  BIO_set_data(bio, &session);
  BIO_set_init(bio, 1);
  return bio;
}

int TlsTransport::read(BIO* bio, char* out, int size) {
  BIO_clear_retry_flags(bio);
  TlsSession::Call* call = static_cast<TlsSession*>(BIO_get_data(bio))->call_;
  const int n = call->read(out, static_cast<size_t>(size));
  if (n == kWouldBlock) BIO_set_retry_read(bio);
  return std::max(n, -1);
}

int TlsTransport::write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  TlsSession::Call* call = static_cast<TlsSession*>(BIO_get_data(bio))->call_;
  const int n = call->write(bytes, static_cast<size_t>(size));
  if (n == kWouldBlock) BIO_set_retry_write(bio);
  return std::max(n, -1);
}

}  // namespace weir::net
