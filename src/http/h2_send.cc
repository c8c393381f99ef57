// SPDX-License-Identifier: Apache-2.0
// What leaves: heads into nghttp2's queue, and bodies straight from where they lie into the output
// when their turn has come (no copy between).
#include <algorithm>

#include "base/check.h"
#include "http/h2_impl.h"
#include "http/h2_output.h"

namespace weir::http {
namespace {

constexpr size_t kFrameHead = 9;
// DATA that is smaller for want of window, twice in a row, is what a peer aims at that opens its
// window byte by byte.
constexpr size_t kTinyData = 64;
constexpr size_t kPieceRead = 4096;
// What a peer may save up.
constexpr uint32_t kMostDue = 1000;

nghttp2_data_provider body_provider(nghttp2_data_source_read_callback read) {
  return {.source = {.ptr = nullptr}, .read_callback = read};
}

bool no_body(const BodyFraming& body) {
  return body.kind == BodyFraming::Kind::kNone ||
         (body.kind == BodyFraming::Kind::kLength && body.length == 0);
}

bool is_interim(const nghttp2_headers& frame) {
  if (frame.nvlen == 0) return false;
  const nghttp2_nv& first = frame.nva[0];
  return first.namelen == 7 && first.name[0] == ':' && first.name[1] == 's' &&
         first.value[0] == '1';
}

}  // namespace

// ---- Heads.

void H2Session::send_interim(H2Stream& stream, const ResponseHead& head) {
  if (stream.id_ == 0 || stream.closed_ || stream.ending_) return;
  H2Output fields(stream.h2_arena(), head.headers.size() + 1);
  fields.response(head);
  nghttp2_submit_headers(impl_->session, NGHTTP2_FLAG_NONE, stream.id_, nullptr, fields.data(),
                         fields.size(), nullptr);
}

void H2Session::send_response(H2Stream& stream, const ResponseHead& head) {
  if (stream.id_ == 0 || stream.closed_) return;
  stream.ended_in_head_ = no_body(head.body);
  H2Output fields(stream.h2_arena(), head.headers.size() + 2);
  fields.response(head);
  nghttp2_data_provider body = body_provider(Impl::on_read);
  nghttp2_submit_response(impl_->session, stream.id_, fields.data(), fields.size(),
                          stream.ended_in_head_ ? nullptr : &body);
}

bool H2Session::send_request(H2Stream& stream, const RequestHead& head) {
  Impl& impl = *impl_;
  if (impl.dead || impl.warned || impl.going) return false;
  if (nghttp2_session_check_request_allowed(impl.session) == 0) return false;
  stream.ended_in_head_ = no_body(head.body);
  stream.method_ = head.method;
  stream.tunnel_ = !head.protocol.empty();
  H2Output fields(stream.h2_arena(), head.headers.size() + 6);
  fields.request(head, impl.options.scheme);
  nghttp2_data_provider body = body_provider(Impl::on_read);
  const int32_t id = nghttp2_submit_request(impl.session, nullptr, fields.data(), fields.size(),
                                            stream.ended_in_head_ ? nullptr : &body, &stream);
  if (id < 0) return false;
  impl.attach(stream, id);
  return true;
}

// ---- Bodies.

void H2Session::send_data(H2Stream& stream, std::string_view borrowed) {
  if (stream.id_ == 0 || stream.closed_ || stream.ended_in_head_ || stream.ending_) return;
  if (borrowed.empty()) return;
  impl_->note_pending(stream);
  const bool follows = stream.borrowed_.data() + stream.borrowed_.size() == borrowed.data();
  if (!stream.borrowed_.empty() && follows) {
    stream.borrowed_ = {stream.borrowed_.data(), stream.borrowed_.size() + borrowed.size()};
  } else {
    hold(stream);
    if (stream.id_ == 0) return;
    stream.borrowed_ = borrowed;
  }
  impl_->resume(stream);
}

void H2Session::send_end(H2Stream& stream, const HeaderList& trailers) {
  if (stream.id_ == 0 || stream.ending_) return;
  impl_->note_pending(stream);
  stream.ending_ = true;
  if (stream.ended_in_head_) return;
  stream.trailers_out_ = trailers;
  impl_->resume(stream);
}

void H2Session::hold(H2Stream& stream) {
  if (stream.borrowed_.empty()) return;
  if (!stream.may_hold(stream.borrowed_.size())) {
    return release(stream, H2Error::kEnhanceYourCalm);
  }
  stream.held_.append(stream.borrowed_, impl_->blocks, stream.h2_account());
  stream.borrowed_ = {};
}

void H2Session::Impl::note_pending(H2Stream& stream) {
  if (!stream.pending()) stream.pending_since_ = pulls;
}

void H2Session::Impl::resume(H2Stream& stream) {
  if (std::exchange(stream.deferred_, false)) nghttp2_session_resume_data(session, stream.id_);
}

// ---- Framing, on the stack of pull().

ssize_t H2Session::Impl::on_read(nghttp2_session*, int32_t id, uint8_t*, size_t size,
                                 uint32_t* flags, nghttp2_data_source*, void* self) {
  Impl& impl = *static_cast<Impl*>(self);
  H2Stream* stream = impl.find(id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  *flags = NGHTTP2_DATA_FLAG_NO_COPY;
  const size_t queued = stream->queued();
  if (queued == 0 && !stream->ending_) {
    stream->deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  const size_t taken = std::min(size, queued);
  if (taken == queued && stream->ending_) impl.end_of_data(*stream, *flags);
  const bool tiny = taken < queued && taken < kTinyData;
  if (std::exchange(stream->cut_short_, tiny) && tiny) impl.glitch();
  return static_cast<ssize_t>(taken);
}

void H2Session::Impl::end_of_data(H2Stream& stream, uint32_t& flags) {
  flags |= NGHTTP2_DATA_FLAG_EOF;
  if (stream.trailers_out_.size() == 0) return;
  H2Output fields(stream.h2_arena(), stream.trailers_out_.size());
  fields.trailers(stream.trailers_out_);
  if (fields.size() == 0) return;
  flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  nghttp2_submit_trailer(session, stream.id_, fields.data(), fields.size());
}

int H2Session::Impl::on_send_data(nghttp2_session*, nghttp2_frame* frame, const uint8_t* head,
                                  size_t size, nghttp2_data_source*, void* self) {
  Impl& impl = *static_cast<Impl*>(self);
  H2Stream* stream = impl.find(frame->hd.stream_id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  impl.out->append({reinterpret_cast<const char*>(head), kFrameHead}, impl.blocks,
                   *impl.out_account);
  impl.append_body(*stream, size);
  impl.count_data(*stream, size);
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) impl.end_framed(*stream);
  impl.after_framing(*stream);
  return impl.out->size() < impl.out_limit ? 0 : NGHTTP2_ERR_PAUSE;
}

void H2Session::Impl::append_body(H2Stream& stream, size_t size) {
  while (size > 0 && !stream.held_.empty()) {
    std::string_view run = stream.held_.front().substr(0, size);
    out->append(run, blocks, *out_account);
    size -= run.size();
    stream.held_.consume(run.size(), blocks);
  }
  out->append(stream.borrowed_.substr(0, size), blocks, *out_account);
  stream.borrowed_.remove_prefix(size);
}

/// Peers answer each frame with a WINDOW_UPDATE, or each piece that they read; and that for the
/// stream and for the connection.
void H2Session::Impl::count_data(H2Stream& stream, size_t size) {
  const uint32_t updates = static_cast<uint32_t>(1 + size / kPieceRead);
  stream.window_updates_due_ =
      static_cast<uint16_t>(std::min(stream.window_updates_due_ + updates, kMostDue));
  dues.window_updates = std::min(dues.window_updates + updates, kMostDue);
  dues.pings = std::min(dues.pings + 1, kMostDue);
}

int H2Session::Impl::on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  Impl& impl = *static_cast<Impl*>(self);
  if (impl.server) impl.note_sent(*frame);
  if (frame->hd.type == NGHTTP2_GOAWAY) impl.goaway_code = frame->goaway.error_code;
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  H2Stream* stream = impl.find(frame->hd.stream_id);
  if (stream == nullptr || is_interim(frame->headers)) return 0;
  stream->head_framed_ = true;
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  impl.end_framed(*stream);
  impl.after_framing(*stream);
  return 0;
}

void H2Session::Impl::append_settings(std::string_view frame) {
  constexpr size_t kValue = kFrameHead + sizeof(uint16_t);
  const uint32_t limit = options.max_concurrent_streams;
  const char told[] = {static_cast<char>(limit >> 24), static_cast<char>(limit >> 16),
                       static_cast<char>(limit >> 8), static_cast<char>(limit)};
  out->append(frame.substr(0, kValue), blocks, *out_account);
  out->append({told, sizeof(told)}, blocks, *out_account);
  out->append(frame.substr(kValue + sizeof(told)), blocks, *out_account);
}

void H2Session::Impl::end_framed(H2Stream& stream) {
  stream.end_framed_ = true;
  if (server && !stream.muted_) forgive_one();
}

void H2Session::Impl::after_framing(H2Stream& stream) {
  if (!stream.pending() && pulls > stream.pending_since_) stream.on_drained();
}

/// A head that cannot be framed (too large for nghttp2) must not leave its stream waiting.
int H2Session::Impl::on_frame_not_send(nghttp2_session*, const nghttp2_frame* frame, int code,
                                       void* self) {
  Impl& impl = *static_cast<Impl*>(self);
  if (frame->hd.type != NGHTTP2_HEADERS || code == NGHTTP2_ERR_SESSION_CLOSING) return 0;
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    // nghttp2 never opened the stream, so that nobody else will tell.
    H2Stream* lost = nullptr;
    impl.attached.for_each([&](H2Stream& stream) {
      if (stream.id_ == frame->hd.stream_id) lost = &stream;
    });
    if (lost != nullptr) impl.lose(*lost, H2Error::kInternalError);
  } else if (H2Stream* stream = impl.find(frame->hd.stream_id)) {
    nghttp2_submit_rst_stream(impl.session, NGHTTP2_FLAG_NONE, stream->id_, NGHTTP2_INTERNAL_ERROR);
    impl.lose(*stream, H2Error::kInternalError);
  }
  return 0;
}

}  // namespace weir::http
