// SPDX-License-Identifier: Apache-2.0
//
// A client's side of one connection, plain or TLS 1.3, for the load generator and the attacker.
// Not a library: edge-triggered epoll is the caller's, nothing times out, certificates are not
// verified against a CA (their signature is). One thread; a chunk that read() gave is valid until
// the next read() of any stream, which is why a caller reads a stream dry before the next.
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::bench {

// What the TLS connections of a run share. AES-128-GCM and X25519 alone are asked for, so that
// every proxy does the same work.
class TlsClient {
 public:
  // `alpn`: "h2" or "http/1.1".
  explicit TlsClient(std::string_view alpn);
  SSL_CTX* context() { return context_.get(); }
  // The newest session that a server gave, for handshakes that resume; null before the first.
  SSL_SESSION* session() { return session_.get(); }

 private:
  static int on_session(SSL* ssl, SSL_SESSION* session);

  bssl::UniquePtr<SSL_CTX> context_;
  bssl::UniquePtr<SSL_SESSION> session_;
};

class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { close(false); }

  // Begins to connect; `tls` null: plain. `resume`: offer the newest session where there is one.
  void open(int port, TlsClient* tls, bool resume);
  // `abort`: by RST, which leaves no TIME_WAIT behind; otherwise as finish() does.
  void close(bool abort);
  // Says close_notify and FIN; what the server still says can be read.
  void finish();

  int fd() const { return fd_; }
  bool established() const { return established_; }
  bool resumed() const { return ssl_ && SSL_session_reused(ssl_.get()); }
  const char* cipher() const { return ssl_ ? SSL_get_cipher_name(ssl_.get()) : "plain"; }
  std::string_view alpn() const;
  size_t unsent() const { return out_.size() - out_at_; }

  // To be called once an event says that there is something to read; then read() until empty.
  void readable(bool closing);
  // A chunk; empty: no more for now; nullopt: the connection is over or broken.
  std::optional<std::string_view> read();
  // What the socket does not take stays here for flush(). False: broken.
  bool write(std::string_view bytes);
  // Also what brings a connection from connecting to established. False: broken.
  bool flush();

 private:
  friend class TlsClient;
  static int bio_read(BIO* bio, char* to, int room);
  static int bio_write(BIO* bio, const char* from, int length);
  static long bio_ctrl(BIO* bio, int command, long number, void* pointer);
  static BIO_METHOD* bio_method();
  bool handshake();
  bool send_out();
  std::optional<std::string_view> receive(char* to);

  int fd_ = -1;
  bssl::UniquePtr<SSL> ssl_;
  bool begun_ = false;
  bool established_ = false;
  bool drained_ = true;
  bool closing_ = false;
  std::string_view window_;  // received and not yet taken by TLS
  std::string out_;          // sealed and not yet sent
  size_t out_at_ = 0;
};

}  // namespace weir::bench
