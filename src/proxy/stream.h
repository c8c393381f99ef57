// SPDX-License-Identifier: Apache-2.0
// The two seams of an exchange: what it may ask of the client's side and of the origin's side,
// whatever protocol stands behind. HTTP/1 connections implement them; an HTTP/2 stream will too,
// and no step of the exchange can tell.
//
// Rules for both: send_* only queue, and views passed in stay valid until flush(). Nothing here
// calls the exchange back: what a write finds out (a reset, room again) arrives later, from the
// loop.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

#include <string_view>

namespace weir::net {
class Socket;
}

namespace weir::proxy {

class DownstreamStream {
 public:
  /// A 1xx answer (RFC 9110, 15.2). Dropped for clients that cannot take one.
  virtual void send_interim(const ResponseHead& head) = 0;
  /// The final head; head.body says how much will follow. `last`: this ends the connection for the
  /// client (it is told so).
  virtual void send_head(const ResponseHead& head, bool last) = 0;
  virtual void send_body(std::string_view bytes) = 0;
  virtual void send_end(const HeaderList& trailers) = 0;
  virtual void flush() = 0;
  /// Bytes wait for the client: send no more body until Exchange::on_downstream_drained().
  virtual bool congested() const = 0;
  /// Stop and go on delivering the request's body.
  virtual void pause_body() = 0;
  virtual void resume_body() = 0;
  /// The answer cannot be completed: the client must see that it was cut off.
  virtual void abort() = 0;
  /// The plain socket that body bytes may be moved into as they are; null if they need framing or
  /// sealing, or if earlier ones still wait.
  virtual net::Socket* raw_sink() = 0;
  /// Somebody moves bytes into raw_sink() and it is full: tell the exchange when it drains.
  virtual void await_drain() = 0;
  /// The exchange has logged and counted: take it back, soon but not now.
  virtual void exchange_finished() = 0;

 protected:
  ~DownstreamStream() = default;
};

class UpstreamStream {
 public:
  virtual void send_head(const RequestHead& head) = 0;
  virtual void send_body(std::string_view bytes) = 0;
  virtual void send_end(const HeaderList& trailers) = 0;
  virtual void flush() = 0;
  virtual bool congested() const = 0;
  /// Stop and go on delivering the response's body.
  virtual void pause_body() = 0;
  virtual void resume_body() = 0;
  /// As for DownstreamStream.
  virtual net::Socket* raw_sink() = 0;
  virtual void await_drain() = 0;
  /// The exchange is no longer interested; no call to it follows. An unfinished response is cut
  /// off.
  virtual void release() = 0;
  /// Whether this connection had served a request before this one.
  virtual bool reused() const = 0;
  /// Whether a byte of this request may have reached the origin.
  virtual bool sent_any() const = 0;

 protected:
  ~UpstreamStream() = default;
};

}  // namespace weir::proxy
