// SPDX-License-Identifier: Apache-2.0
// What comes for the connection, and what comes only to cost: glitches. nghttp2 has limits of its
// own on resets, CONTINUATION and unanswered SETTINGS and PING, which stay on.
#include <algorithm>

#include "http/h2_impl.h"

namespace weir::http {
namespace {

// Frames of a header block that cost nothing.
constexpr uint32_t kFreeContinuations = 4;

}  // namespace

int H2Session::Impl::on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* hd, void* self) {
  Impl& impl = *static_cast<Impl*>(self);
  switch (hd->type) {
    case NGHTTP2_HEADERS:
      impl.continuations = 0;
      // Requests that come after a warning are ignored; but they are decoded.
      if (impl.warned && impl.find(hd->stream_id) == nullptr) impl.glitch();
      break;
    case NGHTTP2_CONTINUATION:
      if (++impl.continuations > kFreeContinuations) impl.glitch();
      break;
    case NGHTTP2_PRIORITY:
      // RFC 9113, 5.3.2 has made these meaningless.
      impl.glitch();
      break;
    case NGHTTP2_SETTINGS:
      if ((hd->flags & NGHTTP2_FLAG_ACK) == 0) impl.settings_begin();
      break;
    case NGHTTP2_WINDOW_UPDATE:
      // Of a closed stream: nobody else is told.
      if (hd->stream_id != 0 &&
          nghttp2_session_get_stream_remote_window_size(impl.session, hd->stream_id) == -1) {
        impl.spend(impl.dues.late_window_updates);
      }
      break;
    default:
      break;
  }
  return impl.verdict();
}

int H2Session::Impl::on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  Impl& impl = *static_cast<Impl*>(self);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      impl.headers_done(*frame);
      break;
    case NGHTTP2_DATA:
      impl.data_done(*frame);
      break;
    case NGHTTP2_SETTINGS:
      impl.settings_done(*frame);
      break;
    case NGHTTP2_PING:
      impl.ping_done(*frame);
      break;
    case NGHTTP2_RST_STREAM:
      impl.reset_received(*frame);
      break;
    case NGHTTP2_GOAWAY:
      impl.goaway_received(*frame);
      break;
    case NGHTTP2_WINDOW_UPDATE:
      impl.window_updated(*frame);
      break;
    case NGHTTP2_PRIORITY_UPDATE:
      impl.glitch();
      break;
    default:
      break;
  }
  return impl.verdict();
}

void H2Session::Impl::settings_begin() {
  initial_window =
      nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
  widest = -1;
  attached.for_each([this](H2Stream& stream) {
    const int64_t window = nghttp2_session_get_stream_remote_window_size(session, stream.id_);
    widest = std::max(widest, window);
  });
}

void H2Session::Impl::settings_done(const nghttp2_frame& frame) {
  if ((frame.hd.flags & NGHTTP2_FLAG_ACK) != 0) return;
  const int64_t now =
      nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
  // nghttp2 resets the streams; RFC 9113, 6.9.2 asks for the end of the connection.
  if (widest >= 0 && widest + now - initial_window > NGHTTP2_MAX_WINDOW_SIZE) {
    return end_for(ErrorCode::kBadFraming, "window over its maximum", H2Error::kFlowControlError);
  }
  if (settings_received) glitch();
  settings_received = true;
  handler.on_settings();
}

void H2Session::Impl::ping_done(const nghttp2_frame& frame) {
  const bool answer = (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0;
  if (answer && pings > 0) {
    --pings;
  } else if (answer) {
    glitch();
  } else {
    spend(dues.pings);
  }
}

/// Rapid reset (CVE-2023-44487): work was begun and nobody wants its result.
void H2Session::Impl::reset_received(const nghttp2_frame& frame) {
  reset_by_peer = frame.hd.stream_id;
  resets.forget(reset_by_peer);
  H2Stream* stream = find(frame.hd.stream_id);
  if (server && (stream == nullptr || !stream->head_framed_)) glitch();
}

void H2Session::Impl::goaway_received(const nghttp2_frame& frame) {
  if (goaway_seen) glitch();
  goaway_seen = true;
  handler.on_goaway();
  if (server) return;
  // nghttp2 ends the streams above the last id; requests that are not framed yet it would keep
  // until there is room for them.
  while (H2Stream* stream = find_unframed(frame.goaway.last_stream_id)) {
    break_off(*stream, H2Error::kRefusedStream);
  }
}

H2Stream* H2Session::Impl::find_unframed(int32_t above) {
  H2Stream* last = nullptr;
  attached.for_each([&](H2Stream& stream) {
    if (!stream.head_framed_ && stream.id_ > above) last = &stream;
  });
  return last;
}

void H2Session::Impl::window_updated(const nghttp2_frame& frame) {
  if (frame.hd.stream_id == 0) return spend(dues.window_updates);
  H2Stream* stream = find(frame.hd.stream_id);
  if (stream == nullptr) return spend(dues.late_window_updates);
  uint32_t due = stream->window_updates_due_;
  if (due > 0) --stream->window_updates_due_;
  spend(due);
}

void H2Session::Impl::spend(uint32_t& due) {
  if (due == 0) return glitch();
  --due;
}

// ---- The count.

void H2Session::Impl::glitch() {
  const uint64_t count = ++owner.glitches_;
  handler.on_glitch();
  const uint64_t most = options.max_glitches;
  if (most == 0 || dead) return;
  if (!warned && count * 4 >= most * 3) warn();
  if (count >= most) end_for(ErrorCode::kHttp2Abuse, "too many glitches");
}

void H2Session::Impl::warn() {
  warned = true;
  if (!server) {
    goaway_owed = true;
    return;
  }
  nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_ENHANCE_YOUR_CALM,
                        nullptr, 0);
}

void H2Session::Impl::forgive_one() {
  if (owner.glitches_ > 0) --owner.glitches_;
}

void H2Session::Impl::end_for(ErrorCode code, const char* detail, H2Error reason) {
  if (dead) return;
  error = make_error(server ? code : ErrorCode::kUpstreamHttp2, detail);
  end_connection(reason);
}

}  // namespace weir::http
