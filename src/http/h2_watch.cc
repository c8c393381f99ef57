// SPDX-License-Identifier: Apache-2.0
// Rules on a client's frames that nghttp2 is too lenient with: it ignores what comes on closed
// streams, since it cannot tell those that weir has reset from those that the client has ended, and
// all PRIORITY frames. Heads are looked at one byte before nghttp2 has them whole.
#include <algorithm>

#include "http/h2_impl.h"

namespace weir::http {

void H2Session::Impl::take(std::string_view bytes) {
  if (bytes.empty()) return;
  const ssize_t taken = nghttp2_session_mem_recv(
      session, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (taken >= 0 || dead) return;
  const char* detail = nghttp2_strerror(static_cast<int>(taken));
  if (taken == NGHTTP2_ERR_FLOODED || taken == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) {
    return end_for(ErrorCode::kHttp2Abuse, detail);
  }
  end_for(ErrorCode::kBadFraming, detail, H2Error::kProtocolError);
}

void H2Session::Impl::take_watched(std::string_view bytes) {
  size_t given = 0;
  for (size_t at = 0; at < bytes.size() && !dead;) {
    at += reader.next(bytes.substr(at));
    if (!reader.complete() || !deserves_look(reader.head())) continue;
    // The frames before this one first: what they do to the stream decides.
    take(bytes.substr(given, at - 1 - given));
    given = at - 1;
    if (!dead) look_at(reader.head());
  }
  if (!dead) take(bytes.substr(given));
}

bool H2Session::Impl::deserves_look(const H2FrameHead& head) {
  // What interrupts a header block is refused whatever it is.
  const bool inside = in_block;
  if (head.type == NGHTTP2_HEADERS || head.type == NGHTTP2_CONTINUATION) {
    in_block = (head.flags & NGHTTP2_FLAG_END_HEADERS) == 0;
  }
  if (inside) return false;
  if (head.type == NGHTTP2_PRIORITY) return head.stream == 0 || head.stream == head.depends_on;
  if (head.stream % 2 == 0) return false;
  if (head.type == NGHTTP2_DATA) return true;
  if (head.type != NGHTTP2_HEADERS) return false;
  if (head.stream <= highest) return true;
  if (head.stream > highest + 2) skipped = {highest, head.stream};
  highest = head.stream;
  return false;
}

void H2Session::Impl::look_at(const H2FrameHead& head) {
  const int32_t id = head.stream;
  if (head.type == NGHTTP2_PRIORITY) {
    // RFC 9113 has kept only the first of the two rules; who breaks the second is broken as well.
    return end_for(ErrorCode::kBadFraming, id == 0 ? "PRIORITY on stream 0" : "PRIORITY on itself",
                   H2Error::kProtocolError);
  }
  if (find(id) != nullptr || nghttp2_session_get_stream_remote_close(session, id) != -1) return;
  // Idle, or not taken any more after GOAWAY.
  if (id > std::min(last_served, nghttp2_session_get_last_proc_stream_id(session))) return;
  if (id > skipped.first && id < skipped.second) {
    return end_for(ErrorCode::kBadFraming, "stream id goes back", H2Error::kProtocolError);
  }
  if (!resets.may_have(id)) {
    return end_for(ErrorCode::kBadFraming, "frame on a closed stream", H2Error::kStreamClosed);
  }
  if ((head.flags & NGHTTP2_FLAG_END_STREAM) != 0) resets.forget(id);
  if (head.type == NGHTTP2_HEADERS || head.length == 0) glitch();
}

void H2Session::Impl::note_sent(const nghttp2_frame& frame) {
  const int32_t id = frame.hd.stream_id;
  if (frame.hd.type == NGHTTP2_RST_STREAM) {
    if (nghttp2_session_get_stream_remote_close(session, id) != 1) resets.add(id);
  } else if (frame.hd.type == NGHTTP2_GOAWAY) {
    last_served = frame.goaway.last_stream_id;
  }
}

}  // namespace weir::http
