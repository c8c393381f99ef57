// SPDX-License-Identifier: Apache-2.0
// One side of an HTTP/2 connection (RFC 9113): bytes in, events out; no socket, no exchange. The
// only header through which the rest of weir knows HTTP/2; nghttp2 stays behind it. It checks heads
// by weir's own rules on top of nghttp2's, so that what it hands out has exactly one meaning in
// HTTP/1 as well; it counts glitches; it never sends window updates by itself.
//
// Credit: a connection's credit goes back as DATA arrives, a stream's when consume() says that its
// bytes went on, so that one stalled stream never stalls its connection.
//
// Output: send_*() queue; pull() turns what is queued into frames, by the priorities of RFC 9218
// and the peer's windows. Bytes given to send_data() are borrowed until hold() (or release());
// heads are copied at once; trailers must live until they are framed: pending() tells.
//
// Lifetime: streams belong to the user of the session and are known to it from attach (the user
// returns or passes one) until on_closed(), release(), or the session's end; release() makes the
// session forget one at once. Handlers may call send_*, consume, reset, release and goaway from
// within an event, but never feed() or pull(). One thread.
#pragma once

#include <weir/error.h>
#include <weir/message.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/arena.h"
#include "base/block.h"
#include "base/buffer_chain.h"
#include "base/intrusive_list.h"
#include "http/head.h"

namespace weir::http {

/// Codes of RFC 9113, section 7.
enum class H2Error : uint32_t {
  kNoError = 0x0,
  kProtocolError = 0x1,
  kInternalError = 0x2,
  kFlowControlError = 0x3,
  kStreamClosed = 0x5,
  kRefusedStream = 0x7,
  kCancel = 0x8,
  kEnhanceYourCalm = 0xb,
  kHttp11Required = 0xd,
};

/// The preface by which a client of prior knowledge is told (RFC 9113, 3.4).
inline constexpr std::string_view kH2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether `bytes` are the beginning of the preface, and not all of it.
inline bool is_cut_preface(std::string_view bytes) {
  return bytes.size() < kH2Preface.size() && kH2Preface.starts_with(bytes);
}

struct H2Options {
  /// That the peer may have open (server: more are refused one by one), or weir (client).
  uint32_t max_concurrent_streams = 100;
  uint32_t stream_window = 65536;        ///< Bytes the peer may have under way on a stream.
  uint32_t connection_window = 1048576;  ///< And on the connection; at least 65535.
  uint32_t max_glitches = 1000;          ///< GOAWAY at 75 %, end at 100 %; 0: never.
  HeadLimits head;
  std::string_view scheme = "http";    ///< Of the connection: what :scheme must agree with.
  bool allow_connect_protocol = true;  ///< Server: offer extended CONNECT (RFC 8441).
};

class H2Session;
struct H2Fields;
struct H2AttachedTag;

/// A stream, as the session calls it back. The user derives from it.
class H2Stream : public base::ListLink<H2AttachedTag> {
 public:
  /// 0 before it is open and after the session has forgotten it.
  int32_t id() const { return id_; }
  /// Bytes queued for this stream that are not in frames yet (window closed, or not pulled).
  size_t queued() const { return held_.size() + borrowed_.size(); }
  /// Something of what was given for this stream is not in frames yet: bytes, or its end.
  bool pending() const { return queued() > 0 || (ending_ && !end_framed_); }

  /// Memory for heads and trailers; lives at least as long as the stream is attached.
  virtual base::Arena& h2_arena() = 0;
  /// Who pays for held bytes.
  virtual base::Account& h2_account() = 0;
  /// Asked before `bytes` are copied to be held: false gives the stream up, as release() does, and
  /// nobody is called back for it. Never to call the session.
  virtual bool may_hold(size_t /*bytes*/) { return true; }
  /// Server: the whole head is in `head` (method, path, authority, protocol, body framing, all
  /// normalised as parse_request_head() does). Client: never called.
  virtual void on_request(const RequestHead& head) = 0;
  /// Server: the head breaks a rule that deserves an answer rather than a reset (431, 414, 400).
  /// Nothing more comes from the client on this stream.
  virtual void on_bad_request(const Error& error) = 0;
  /// Client: a 1xx; then the final head. Server: never called.
  virtual void on_interim(const ResponseHead& head) = 0;
  virtual void on_response(const ResponseHead& head) = 0;
  /// Client: the head breaks a rule of weir's (kUpstreamBadHead, kUpstreamHeadTooLarge, ...). As
  /// after on_reset(), the session has forgotten the stream.
  virtual void on_bad_response(const Error& /*error*/) { on_reset(H2Error::kProtocolError); }
  /// Body bytes, in the buffer given to feed(). Each byte is owed a consume().
  virtual void on_data(std::string_view bytes) = 0;
  /// The peer's last frame on the stream; trailers are checked and may be empty.
  virtual void on_end(const HeaderList& trailers) = 0;
  /// The stream is over before its time: reset by the peer, refused (kRefusedStream: also by a
  /// GOAWAY that says that it was not processed), malformed, or the connection ended. The session
  /// has forgotten it.
  virtual void on_reset(H2Error code) = 0;
  /// pending() has become false in a pull(), after it had been true at the end of an earlier one.
  virtual void on_drained() = 0;

 protected:
  H2Stream() = default;
  H2Stream(const H2Stream&) = delete;
  H2Stream& operator=(const H2Stream&) = delete;
  /// Requires: forgotten by the session.
  ~H2Stream() = default;

 private:
  friend class H2Session;
  int32_t id_ = 0;
  H2Fields* fields_ = nullptr;  ///< A head or trailers being received; in h2_arena().
  std::string_view borrowed_;   ///< Given by send_data(), not framed, not copied yet.
  base::BufferChain held_;      ///< Earlier bytes, copied by hold().
  HeaderList trailers_out_;
  H2Error lost_code_{};              ///< For on_reset(), once that may be called.
  uint32_t pending_since_ = 0;       ///< The pull in or after which pending() became true.
  uint16_t window_updates_due_ = 0;  ///< That our DATA gives the peer a reason for.
  Method method_ = Method::kGet;
  uint8_t interims_ = 0;
  bool tunnel_ = false;         ///< Client: an extended or plain CONNECT.
  bool head_received_ = false;  ///< The final one: what comes next are trailers.
  bool muted_ = false;          ///< on_bad_request() was called.
  bool remote_ended_ = false;   ///< on_end() was called.
  bool head_framed_ = false;    ///< The final head.
  bool ended_in_head_ = false;  ///< END_STREAM went with the head: no body, no trailers.
  bool ending_ = false;         ///< send_end() was called.
  bool end_framed_ = false;     ///< END_STREAM is in a frame.
  bool deferred_ = false;       ///< nghttp2 waits for more to send.
  bool closed_ = false;         ///< nghttp2 has forgotten it already: both sides have ended.
  bool cut_short_ = false;      ///< The last DATA was tiny for want of window.
};

/// What concerns the connection as a whole.
class H2SessionHandler {
 public:
  /// Server: a client opens a stream. Null refuses it with REFUSED_STREAM.
  virtual H2Stream* on_stream_open() = 0;
  /// The peer will open no more streams (server), or takes no more of ours (client: GOAWAY).
  virtual void on_goaway() = 0;
  /// Client: the peer's SETTINGS came (the first, or changed ones).
  virtual void on_settings() = 0;
  /// A frame that serves only to cost (see glitches()); for counters.
  virtual void on_glitch() = 0;

 protected:
  ~H2SessionHandler() = default;
};

class H2Session {
 public:
  enum class Role : uint8_t { kServer, kClient };

  /// `handler` and `blocks` (large ones, for held bytes) outlive the session. The preface and our
  /// SETTINGS are queued at once.
  H2Session(Role role, const H2Options& options, H2SessionHandler& handler,
            base::BlockPool& blocks);
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;
  /// Requires: close_streams() was called, or no stream is attached.
  ~H2Session();

  /// Takes received bytes, all of them. An error ends the connection: a GOAWAY is queued; pull()
  /// what there is, send it and close. kHttp2Abuse if it was the glitches.
  Result<void> feed(std::string_view bytes);
  /// What a pull() has found out that ends streams (on_reset()) waits for this or for the next
  /// feed(): nothing but on_drained() is called from within a pull().
  void deliver();
  /// deliver() has something to tell.
  bool undelivered() const;
  /// Whether feed() is on the stack: pull() must wait.
  bool feeding() const { return feeding_; }
  /// Appends frames to `out`, charged to `account`, until nothing more can be framed or `out` has
  /// `limit` bytes. True: something was appended.
  bool pull(base::BufferChain& out, base::Account& account, size_t limit);
  /// pull() would have something to append.
  bool wants_write() const;
  /// Neither side has anything left to say: close the connection.
  bool finished() const;

  // ---- Server.
  void send_interim(H2Stream& stream, const ResponseHead& head);
  /// head.headers as end-to-end headers, names of any case; connection headers must be gone.
  void send_response(H2Stream& stream, const ResponseHead& head);

  // ---- Client.
  /// Opens a stream. False: no more ids or the peer has sent GOAWAY; nothing happened.
  /// head.protocol opens an extended CONNECT (or a plain one for "connect").
  bool send_request(H2Stream& stream, const RequestHead& head);
  /// Streams that may be open at once: what the peer allows, held down by our own option.
  uint32_t max_streams() const;
  bool peer_allows_connect_protocol() const;

  // ---- Both.
  void send_data(H2Stream& stream, std::string_view borrowed);
  void send_end(H2Stream& stream, const HeaderList& trailers);
  /// Copies what is still borrowed: afterwards the caller's bytes may go.
  void hold(H2Stream& stream);
  /// `bytes` of the stream's DATA went on: its sender may send as many more.
  void consume(H2Stream& stream, size_t bytes);
  /// RST_STREAM, and the session forgets the stream. Harmless on a stream that is forgotten.
  void release(H2Stream& stream, H2Error code);
  /// The stream is complete on our side and the peer's interest in it is not: forget it; a server
  /// whose client has not finished sends RST_STREAM(NO_ERROR) after what is queued (RFC 9113, 8.1).
  void finish(H2Stream& stream);
  /// Gracious end (RFC 9113, 6.8): first tells the client to open no more streams, streams in
  /// flight included; `last`: now names the last stream that will be served.
  void shut_down(bool last);
  /// GOAWAY with an error; nothing is read any more.
  void terminate(H2Error code);
  void ping();
  /// Every attached stream gets on_reset(code) and is forgotten (the socket has died).
  void close_streams(H2Error code);

  size_t streams() const { return streams_; }
  /// Bytes that the session itself has allocated; streams and queues of bytes apart.
  size_t memory() const;
  /// Frames of this connection that served only to cost: resets of streams that had no answer yet,
  /// empty DATA, SETTINGS, PRIORITY, PING and WINDOW_UPDATE that no DATA of ours gives a reason
  /// for, windows opened byte by byte, refused and malformed streams, long CONTINUATION chains. One
  /// is forgiven for each request that was answered.
  uint32_t glitches() const { return glitches_; }
  /// The name of the error for which the connection ended by our GOAWAY; null if it did not.
  const char* broken_rule() const;
  /// They have come to 75 % of the allowance, and the peer was told.
  bool calmed() const;
  /// The user's own: what it saw of the peer weighs like `weight` of them.
  void glitch(uint32_t weight);
  /// Time forgives: a connection that lives for days may ping now and then.
  void forgive(uint32_t glitches) { glitches_ -= glitches < glitches_ ? glitches : glitches_; }

 private:
  struct Impl;  ///< nghttp2's side.
  std::unique_ptr<Impl> impl_;
  size_t streams_ = 0;
  uint32_t glitches_ = 0;
  bool feeding_ = false;
};

}  // namespace weir::http
