// SPDX-License-Identifier: Apache-2.0
// Bytes through a session; what it agreed on is in tls_facts.cc.
#include "net/tls_session.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "net/tls_client_side.h"
#include "net/tls_failure.h"
#include "net/tls_transport.h"
#include "net/tls_trust.h"

namespace weir::net {
namespace {

using Status = IoResult::Status;

// The bytes that a send() was given, piece by piece.
class Offer {
 public:
  explicit Offer(std::span<const iovec> pieces) : pieces_(pieces) {
    for (const iovec& piece : pieces) left_ += piece.iov_len;
  }
  size_t left() const { return left_; }

  void skip(size_t bytes) {
    left_ -= bytes;
    while (bytes > 0) {
      const size_t n = std::min(bytes, piece().size());
      used_ += n;
      bytes -= n;
    }
  }

  /// The next bytes for one record: where they are if one piece has them all, else joined in
  /// `scratch`.
  std::string_view next(TlsScratch& scratch) {
    const size_t size = std::min(left_, TlsScratch::kRecord);
    const std::string_view first = piece();
    if (first.size() >= size) return first.substr(0, size);
    Offer ahead = *this;
    for (size_t joined = 0; joined < size;) {
      const std::string_view part = ahead.piece().substr(0, size - joined);
      std::memcpy(scratch.out + joined, part.data(), part.size());
      ahead.skip(part.size());
      joined += part.size();
    }
    return {scratch.out, size};
  }

 private:
  /// What is left of the first piece that has something left. Requires: left() > 0.
  std::string_view piece() {
    while (used_ == pieces_.front().iov_len) {
      pieces_ = pieces_.subspan(1);
      used_ = 0;
    }
    return {static_cast<const char*>(pieces_.front().iov_base) + used_,
            pieces_.front().iov_len - used_};
  }

  std::span<const iovec> pieces_;
  size_t used_ = 0;  ///< Of the first piece.
  size_t left_ = 0;
};

}  // namespace

TlsSession::TlsSession(SSL* ssl, std::shared_ptr<const void> context)
    : ssl_(ssl), context_(std::move(context)) {
  SSL_set_app_data(ssl_, this);
  BIO* bio = TlsTransport::make(*this);
  SSL_set_bio(ssl_, bio, bio);
  // A record that is half out stays as it is; the caller's bytes may have moved meanwhile.
  SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_shed_handshake_config(ssl_, 1);
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

void TlsSession::keep_ahead(std::string_view received) {
  if (received.empty()) return;
  // What was kept before comes first: Call leaves something only if it took all of that.
  DCHECK(ahead_.at == ahead_.end);
  ahead_.bytes = std::make_unique_for_overwrite<char[]>(received.size());
  std::memcpy(ahead_.bytes.get(), received.data(), received.size());
  ahead_.at = 0;
  ahead_.end = static_cast<uint32_t>(received.size());
}

bool TlsSession::has_pending() const {
  return ahead_.at < ahead_.end || read_end_.status != Status::kOk || SSL_pending(ssl_) > 0;
}

Handshake TlsSession::handshake(Socket& socket) {
  if (established_) return Handshake::kDone;
  if (failure_ != TlsFailure::kNone) return Handshake::kError;
  Call call(*this, socket, 0);
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) return end_handshake();
  const int why = SSL_get_error(ssl_, result);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return Handshake::kAgain;
  if (call.ended || call.error != 0) {
    failure_ = TlsFailure::kPeerClosed;
    reason_ = "connection closed in the handshake";
    ERR_clear_error();
  } else {
    note_failure();
  }
  return Handshake::kError;
}

Handshake TlsSession::end_handshake() {
  const STACK_OF(CRYPTO_BUFFER)* chain = SSL_get0_peer_certificates(ssl_);
  peer_verified_ = trust_ != nullptr && chain != nullptr && sk_CRYPTO_BUFFER_num(chain) > 0;
  // A ticket outlives the look at the certificate in it, but not the certificate.
  if (peer_verified_ && SSL_session_reused(ssl_) != 0 &&
      certificate_expired(sk_CRYPTO_BUFFER_value(chain, 0))) {
    failure_ = TlsFailure::kCertificate;
    reason_ = "certificate verify failed: expired";
    SSL_send_fatal_alert(ssl_, SSL_AD_CERTIFICATE_EXPIRED);
    ERR_clear_error();
    return Handshake::kError;
  }
  established_ = true;
  return Handshake::kDone;
}

void TlsSession::note_failure() {
  // The first that TLS itself says: a cipher's complaint may come before it.
  uint32_t packed = 0;
  do {
    packed = ERR_get_error();
  } while (packed != 0 && ERR_GET_LIB(packed) != ERR_LIB_SSL);
  const TlsDiagnosis diagnosis = diagnose(packed, verify_reason_);
  failure_ = diagnosis.failure;
  reason_ = diagnosis.reason;
  ERR_clear_error();
}

IoResult TlsSession::recv(Socket& socket, std::span<char> room) {
  if (read_end_.status != Status::kOk) return read_end_;
  Call call(*this, socket, room.size());
  size_t got = 0;
  while (got < room.size()) {
    call.room = room.size() - got;
    const int n = SSL_read(ssl_, room.data() + got, static_cast<int>(call.room));
    if (n > 0) {
      got += static_cast<size_t>(n);
      continue;
    }
    const int why = SSL_get_error(ssl_, n);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) break;
    // Told now if there is nothing else to tell, else at the next call.
    read_end_ = end_of_read(call, why);
    if (got == 0) return read_end_;
    break;
  }
  return {got > 0 ? Status::kOk : Status::kAgain, 0, got};
}

IoResult TlsSession::end_of_read(const Call& call, int ssl_error) {
  if (ssl_error == SSL_ERROR_ZERO_RETURN) return {Status::kEof, 0, 0};
  if (call.error != 0) return {Status::kError, call.error, 0};
  if (call.ended) return {Status::kEof, ECONNRESET, 0};
  note_failure();
  return {Status::kError, EPROTO, 0};
}

IoResult TlsSession::send(Socket& socket, std::span<const iovec> pieces, bool more_follows) {
  Call call(*this, socket, 0);
  call.more_follows = more_follows;
  Offer offer(pieces);
  if (sealed_ > 0) {
    // Its content is not looked at again: the record is what it is.
    const IoResult out = seal({call.scratch.out, sealed_});
    if (out.status != Status::kOk) return out;
    credit_ = std::exchange(sealed_, 0);
  }
  size_t sent = std::min<size_t>(credit_, offer.left());
  credit_ -= static_cast<uint32_t>(sent);
  offer.skip(sent);
  while (offer.left() > 0) {
    const std::string_view record = offer.next(call.scratch);
    call.more_follows = more_follows || offer.left() > record.size();
    const uint64_t records = SSL_get_write_sequence(ssl_);
    const IoResult out = seal(record);
    if (out.status == Status::kOk) {
      sent += out.bytes;
      offer.skip(out.bytes);
      continue;
    }
    if (out.status == Status::kAgain && SSL_get_write_sequence(ssl_) != records) {
      sealed_ = static_cast<uint32_t>(record.size());
    }
    if (sent == 0) return out;
    break;
  }
  return {Status::kOk, 0, sent};
}

IoResult TlsSession::seal(std::string_view bytes) {
  const int n = SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
  if (n > 0) return {Status::kOk, 0, static_cast<size_t>(n)};
  const int why = SSL_get_error(ssl_, n);
  if (why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ) return {Status::kAgain, 0, 0};
  ERR_clear_error();
  return {Status::kError, call_->error != 0 ? call_->error : EPIPE, 0};
}

bool TlsSession::send_close_notify(Socket& socket) {
  if (!established_ || close_notify_sent_) return true;
  Call call(*this, socket, 0);
  call.more_follows = true;  // The FIN comes with it.
  if (sealed_ > 0) {
    if (seal({call.scratch.out, sealed_}).status == Status::kAgain) return false;
    sealed_ = 0;
  }
  const int result = SSL_shutdown(ssl_);
  const bool again = result < 0 && SSL_get_error(ssl_, result) == SSL_ERROR_WANT_WRITE;
  ERR_clear_error();
  close_notify_sent_ = !again;
  return !again;
}

}  // namespace weir::net
