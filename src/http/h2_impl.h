// SPDX-License-Identifier: Apache-2.0
// nghttp2's side of an H2Session: its callbacks, and what is shared between them. They come on the
// stack of feed() (receiving) and of pull() (framing). Handlers may release any stream from within
// an event, so that after each event a stream is looked up again. Internal to this folder.
#pragma once

#include <nghttp2/nghttp2.h>

#include <utility>

#include "base/intrusive_list.h"
#include "http/h2_fields.h"
#include "http/h2_frame_reader.h"
#include "http/h2_memory.h"
#include "http/h2_resets.h"
#include "http/h2_session.h"

namespace weir::http {

/// How many frames of a kind our DATA gives the peer a reason for: more of them serve only to cost.
struct H2Dues {
  uint32_t window_updates = 1;       ///< Of the connection.
  uint32_t late_window_updates = 0;  ///< Of streams that are closed by now.
  uint32_t pings = 0;                ///< gRPC measures the way by a PING for DATA.
};

struct H2Session::Impl {
  Impl(H2Session& session, Role role, const H2Options& given, H2SessionHandler& events,
       base::BlockPool& pool);
  ~Impl();

  static const nghttp2_session_callbacks* callbacks();

  // ---- Streams (h2_impl.cc).
  H2Stream* find(int32_t id);
  void attach(H2Stream& stream, int32_t id);
  /// The session forgets `stream`; nghttp2 has to be told beside, if it still knows it.
  void detach(H2Stream& stream);
  /// RST_STREAM, if nghttp2 still knows the stream, and detach().
  void cut(H2Stream& stream, H2Error code);
  /// cut(), and the stream is told.
  void break_off(H2Stream& stream, H2Error code);
  /// nghttp2 knows the stream no more, or has queued its reset: it is told, now or by deliver().
  void lose(H2Stream& stream, H2Error code);
  void end_open_streams();
  /// GOAWAY with `code`; from now on nothing is read.
  void end_connection(H2Error code);
  /// The same because of what the peer does; feed() says so.
  void end_for(ErrorCode code, const char* detail, H2Error reason = H2Error::kEnhanceYourCalm);

  // ---- Before nghttp2 receives (h2_watch.cc).
  void take(std::string_view bytes);
  /// Server: take(), with a look at what nghttp2 is too lenient with.
  void take_watched(std::string_view bytes);
  bool deserves_look(const H2FrameHead& head);
  void look_at(const H2FrameHead& head);

  // ---- Receiving (h2_receive.cc, h2_frames.cc).
  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* hd, void* self);
  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_size, const uint8_t* value, size_t value_size, uint8_t flags,
                       void* self);
  static int on_data_chunk(nghttp2_session*, uint8_t flags, int32_t id, const uint8_t* data,
                           size_t size, void* self);
  static int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int on_invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int error, void* self);
  static int on_stream_close(nghttp2_session*, int32_t id, uint32_t code, void* self);

  int open_stream(int32_t id);
  void begin_fields(H2Stream& stream, H2Fields::Kind kind);
  void headers_done(const nghttp2_frame& frame);
  void request_done(H2Stream& stream, bool ended);
  void response_done(H2Stream& stream, bool ended);
  void message_ended(int32_t id, const HeaderList& trailers);
  void data_done(const nghttp2_frame& frame);
  void settings_begin();
  void settings_done(const nghttp2_frame& frame);
  void ping_done(const nghttp2_frame& frame);
  void goaway_received(const nghttp2_frame& frame);
  /// Client: a request with an id above that which is not framed yet.
  H2Stream* find_unframed(int32_t above);
  void window_updated(const nghttp2_frame& frame);
  void reset_received(const nghttp2_frame& frame);
  /// What callbacks of nghttp2 return: a failure once nothing is to be read any more.
  int verdict() const { return dead ? NGHTTP2_ERR_CALLBACK_FAILURE : 0; }

  // ---- Glitches (h2_frames.cc).
  void glitch();
  /// At three quarters.
  void warn();
  /// One of those that are due, or else a glitch.
  void spend(uint32_t& due);
  void forgive_one();

  /// What was due for a stream that closes may still be under way.
  void keep_dues(H2Stream& stream);

  // ---- Framing (h2_send.cc).
  static ssize_t on_read(nghttp2_session*, int32_t id, uint8_t* buffer, size_t size,
                         uint32_t* flags, nghttp2_data_source* source, void* self);
  static int on_send_data(nghttp2_session*, nghttp2_frame* frame, const uint8_t* head, size_t size,
                          nghttp2_data_source* source, void* self);
  static int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int on_frame_not_send(nghttp2_session*, const nghttp2_frame* frame, int error, void* self);
  void end_of_data(H2Stream& stream, uint32_t& flags);
  void append_body(H2Stream& stream, size_t size);
  void count_data(H2Stream& stream, size_t size);
  /// Which frames on closed streams the client may still have under way.
  void note_sent(const nghttp2_frame& frame);
  /// Our first SETTINGS, with the limit that nghttp2 was not told.
  void append_settings(std::string_view frame);
  /// END_STREAM is in a frame.
  void end_framed(H2Stream& stream);
  void after_framing(H2Stream& stream);
  /// pending() is about to become true, if it is not yet.
  void note_pending(H2Stream& stream);
  void resume(H2Stream& stream);

  H2Session& owner;
  H2SessionHandler& handler;
  base::BlockPool& blocks;
  const H2Options options;
  const bool server;
  H2Memory memory;
  nghttp2_session* session = nullptr;
  base::IntrusiveList<H2Stream, H2AttachedTag> attached;
  base::IntrusiveList<H2Stream, H2AttachedTag> lost;  ///< By a pull(), to be told.

  H2FrameReader reader{kH2Preface.size()};
  H2Resets resets;                        ///< Ours.
  std::pair<int32_t, int32_t> skipped{};  ///< Streams between these were never opened.
  int32_t highest = 0;                    ///< Stream that the client has named in a HEADERS frame.
  int32_t last_served = INT32_MAX;        ///< By our GOAWAY.
  bool in_block = false;                  ///< CONTINUATION must come next.

  uint32_t open = 0;              ///< Streams that count against the limit on concurrent ones.
  int64_t widest = -1;            ///< Window of a stream, before the SETTINGS under way.
  uint32_t initial_window = 0;    ///< The same.
  H2Stream* receiving = nullptr;  ///< Whose header block is under way.
  H2Stream* found = nullptr;      ///< By the last find(): the next one is often for it.
  uint32_t continuations = 0;     ///< Of the header block under way.
  uint32_t pings = 0;             ///< Ours that have no answer yet.
  int32_t reset_by_peer = 0;      ///< The stream of the last RST_STREAM.
  bool goaway_owed = false;       ///< on_goaway() is to be called.
  bool preface_owed = false;      ///< Client: not pulled yet.
  bool settings_owed = false;     ///< Server: not pulled yet.
  bool settings_received = false;
  bool goaway_seen = false;
  uint32_t goaway_code = 0;  ///< Of the last GOAWAY that was framed.
  bool warned = false;       ///< Of glitches: GOAWAY was sent.
  bool going = false;        ///< Client: shut_down() was called.
  bool dead = false;         ///< Nothing is read any more.
  H2Dues dues;
  Error error{};  ///< Why it is dead; kInternal if our own side called terminate().

  base::BufferChain* out = nullptr;  ///< Of the pull() under way.
  base::Account* out_account = nullptr;
  size_t out_limit = 0;
  uint32_t pulls = 0;  ///< Pulls that are over.
};

}  // namespace weir::http
