// SPDX-License-Identifier: Apache-2.0
// What the user of a session calls, but for what it sends (h2_send.cc).
#include "http/h2_session.h"

#include <algorithm>

#include "base/check.h"
#include "http/h2_impl.h"

namespace weir::http {

H2Session::H2Session(Role role, const H2Options& options, H2SessionHandler& handler,
                     base::BlockPool& blocks)
    : impl_(std::make_unique<Impl>(*this, role, options, handler, blocks)) {}

H2Session::~H2Session() = default;

Result<void> H2Session::feed(std::string_view bytes) {
  Impl& impl = *impl_;
  deliver();
  if (!impl.dead && !bytes.empty()) {
    feeding_ = true;
    impl.server ? impl.take_watched(bytes) : impl.take(bytes);
    feeding_ = false;
  }
  deliver();
  if (impl.error.code != ErrorCode::kInternal) return std::unexpected(impl.error);
  return {};
}

size_t H2Session::memory() const { return sizeof(Impl) + impl_->memory.held; }

bool H2Session::undelivered() const { return !impl_->lost.empty(); }

void H2Session::deliver() {
  Impl& impl = *impl_;
  while (H2Stream* stream = impl.lost.front()) {
    impl.detach(*stream);
    stream->on_reset(stream->lost_code_);
  }
  if (std::exchange(impl.goaway_owed, false)) impl.handler.on_goaway();
}

bool H2Session::pull(base::BufferChain& out, base::Account& account, size_t limit) {
  DCHECK(!feeding_);
  Impl& impl = *impl_;
  const size_t before = out.size();
  impl.out = &out;
  impl.out_account = &account;
  impl.out_limit = limit;
  if (std::exchange(impl.preface_owed, false)) out.append(kH2Preface, impl.blocks, account);
  while (out.size() < limit && wants_write()) {
    const uint8_t* bytes = nullptr;
    const ssize_t n = nghttp2_session_mem_send(impl.session, &bytes);
    if (n <= 0) break;
    const std::string_view framed(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
    if (std::exchange(impl.settings_owed, false)) {
      impl.append_settings(framed);
    } else {
      out.append(framed, impl.blocks, account);
    }
  }
  impl.out = nullptr;
  ++impl.pulls;
  // nghttp2 may have ended the connection by itself, for a broken rule.
  if (finished()) impl.end_open_streams();
  return out.size() > before;
}

bool H2Session::wants_write() const {
  return impl_->preface_owed || nghttp2_session_want_write(impl_->session) != 0;
}

bool H2Session::finished() const {
  return nghttp2_session_want_read(impl_->session) == 0 && !wants_write();
}

void H2Session::consume(H2Stream& stream, size_t bytes) {
  if (stream.id_ == 0 || stream.closed_ || stream.remote_ended_) return;
  nghttp2_session_consume_stream(impl_->session, stream.id_, bytes);
}

void H2Session::release(H2Stream& stream, H2Error code) {
  if (stream.linked()) impl_->cut(stream, code);
}

void H2Session::finish(H2Stream& stream) {
  if (!stream.linked()) return;
  if (stream.pending() || !stream.end_framed_) return impl_->cut(stream, H2Error::kInternalError);
  // END_STREAM is in a frame already, so that the reset comes after it and loses nothing.
  impl_->cut(stream, impl_->server ? H2Error::kNoError : H2Error::kCancel);
}

void H2Session::shut_down(bool last) {
  Impl& impl = *impl_;
  if (!last && impl.server) {
    nghttp2_submit_shutdown_notice(impl.session);
    return;
  }
  impl.going = true;
  nghttp2_submit_goaway(impl.session, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(impl.session), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

uint32_t H2Session::max_streams() const {
  const uint32_t allowed =
      nghttp2_session_get_remote_settings(impl_->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return std::min(allowed, impl_->options.max_concurrent_streams);
}

bool H2Session::peer_allows_connect_protocol() const {
  return nghttp2_session_get_remote_settings(impl_->session,
                                             NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

const char* H2Session::broken_rule() const {
  return impl_->goaway_code == NGHTTP2_NO_ERROR ? nullptr
                                                : nghttp2_http2_strerror(impl_->goaway_code);
}

bool H2Session::calmed() const { return impl_->warned; }

void H2Session::glitch(uint32_t weight) {
  glitches_ += weight - 1;
  impl_->glitch();
}

void H2Session::terminate(H2Error code) { impl_->end_connection(code); }

void H2Session::ping() {
  constexpr uint8_t kOpaque[8] = {'w', 'e', 'i', 'r'};
  if (nghttp2_submit_ping(impl_->session, NGHTTP2_FLAG_NONE, kOpaque) == 0) ++impl_->pings;
}

void H2Session::close_streams(H2Error code) {
  deliver();
  while (H2Stream* stream = impl_->attached.front()) impl_->break_off(*stream, code);
}

}  // namespace weir::http
