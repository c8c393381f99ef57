// SPDX-License-Identifier: Apache-2.0
#include "edge_stream.h"

#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace weir::bench {
namespace {

constexpr size_t kChunk = 64 * 1024;
char sealed_bytes[kChunk];
char plain_bytes[kChunk];

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

}  // namespace

TlsClient::TlsClient(std::string_view alpn) : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX* context = context_.get();
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set1_curves_list(context, "X25519");
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  std::string wire(1, static_cast<char>(alpn.size()));
  wire += alpn;
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<const uint8_t*>(wire.data()),
                          static_cast<unsigned>(wire.size()));
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, on_session);
  SSL_CTX_set_app_data(context, this);
}

int TlsClient::on_session(SSL* ssl, SSL_SESSION* session) {
  static_cast<TlsClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->session_.reset(session);
  return 1;  // the session is ours now
}

void Stream::open(int port, TlsClient* tls, bool resume) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) die("socket");
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  established_ = false;
  begun_ = false;
  drained_ = true;
  closing_ = false;
  window_ = {};
  out_.clear();
  out_at_ = 0;
  if (tls != nullptr) {
    ssl_.reset(SSL_new(tls->context()));
    SSL_set_tlsext_host_name(ssl_.get(), "bench.test");
    BIO* bio = BIO_new(bio_method());
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_connect_state(ssl_.get());
    if (resume && tls->session() != nullptr) SSL_set_session(ssl_.get(), tls->session());
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS) {
    die("connect");
  }
}

void Stream::close(bool abort) {
  if (fd_ < 0) return;
  if (abort) {
    const linger at_once{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  } else {
    finish();
  }
  ::close(fd_);
  fd_ = -1;
  ssl_.reset();
}

void Stream::finish() {
  if (ssl_ && established_) {
    SSL_shutdown(ssl_.get());
    send_out();
  }
  shutdown(fd_, SHUT_WR);
}

std::string_view Stream::alpn() const {
  const uint8_t* name = nullptr;
  unsigned length = 0;
  if (ssl_) SSL_get0_alpn_selected(ssl_.get(), &name, &length);
  return {reinterpret_cast<const char*>(name), length};
}

void Stream::readable(bool closing) {
  drained_ = false;
  closing_ = closing;
}

// A short read means drained, unless the peer has closed.
std::optional<std::string_view> Stream::receive(char* to) {
  if (drained_) return std::string_view{};
  const ssize_t got = recv(fd_, to, kChunk, 0);
  if (got == 0 || (got < 0 && errno != EAGAIN)) return std::nullopt;
  if (got < static_cast<ssize_t>(kChunk) && !closing_) drained_ = true;
  if (got < 0) drained_ = true;
  return std::string_view{to, got < 0 ? 0 : static_cast<size_t>(got)};
}

std::optional<std::string_view> Stream::read() {
  if (!ssl_) return receive(plain_bytes);
  for (;;) {
    if (established_) {
      const int length = SSL_read(ssl_.get(), plain_bytes, kChunk);
      if (length > 0) return std::string_view{plain_bytes, static_cast<size_t>(length)};
      if (SSL_get_error(ssl_.get(), length) != SSL_ERROR_WANT_READ) return std::nullopt;
    }
    const auto sealed = receive(sealed_bytes);
    if (!sealed || sealed->empty()) return sealed;
    window_ = *sealed;
    if (!established_ && !handshake()) return std::nullopt;
    // Where the handshake goes on it has taken all there was, otherwise SSL_read takes the rest.
  }
}

bool Stream::handshake() {
  const int result = SSL_do_handshake(ssl_.get());
  established_ = result == 1;
  if (!established_ && SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) return false;
  return send_out();
}

bool Stream::write(std::string_view bytes) {
  if (!ssl_) {
    out_ += bytes;
  } else if (!bytes.empty() &&
             SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0) {
    return false;
  }
  return send_out();
}

bool Stream::flush() {
  if (!begun_) {
    begun_ = true;
    if (ssl_) return handshake();
    established_ = true;
  }
  return send_out();
}

bool Stream::send_out() {
  while (out_at_ < out_.size()) {
    const ssize_t sent = send(fd_, out_.data() + out_at_, out_.size() - out_at_, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    out_at_ += static_cast<size_t>(sent);
  }
  out_.clear();
  out_at_ = 0;
  return true;
}

// BoringSSL reads a record's head and body apart: from memory that costs nothing.
int Stream::bio_read(BIO* bio, char* to, int room) {
  Stream& stream = *static_cast<Stream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (stream.window_.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t length = stream.window_.copy(to, static_cast<size_t>(room));
  stream.window_.remove_prefix(length);
  return static_cast<int>(length);
}

int Stream::bio_write(BIO* bio, const char* from, int length) {
  Stream& stream = *static_cast<Stream*>(BIO_get_data(bio));
  stream.out_.append(from, static_cast<size_t>(length));
  return length;
}

long Stream::bio_ctrl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* Stream::bio_method() {
  static BIO_METHOD* method = [] {
    BIO_METHOD* made = BIO_meth_new(0, "bench");
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_ctrl);
    return made;
  }();
  return method;
}

}  // namespace weir::bench
