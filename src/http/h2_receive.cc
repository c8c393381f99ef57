// SPDX-License-Identifier: Apache-2.0
// What comes for a stream: its head, its body, its trailers, its end.
#include "http/h2_impl.h"

namespace weir::http {
namespace {

// Interim responses of one request that cost nothing; an origin that sends more plays for time.
constexpr uint8_t kFreeInterims = 8;
// They all lie in the exchange's memory.
constexpr uint8_t kMaxInterims = 64;

std::string_view as_text(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

// ---- Header blocks.

int H2Session::Impl::on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  Impl& impl = *static_cast<Impl*>(self);
  const int32_t id = frame->hd.stream_id;
  impl.receiving = nullptr;
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) return impl.open_stream(id);
  H2Stream* stream = impl.find(id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  impl.begin_fields(*stream, impl.server || stream->head_received_ ? H2Fields::Kind::kTrailers
                                                                   : H2Fields::Kind::kHead);
  return impl.verdict();
}

int H2Session::Impl::open_stream(int32_t id) {
  const bool room = open < options.max_concurrent_streams;
  H2Stream* stream = room ? handler.on_stream_open() : nullptr;
  if (stream == nullptr) {
    glitch();
    // nghttp2 answers what fails here with INTERNAL_ERROR, unless there is a reset already.
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return dead ? NGHTTP2_ERR_CALLBACK_FAILURE : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  attach(*stream, id);
  nghttp2_session_set_stream_user_data(session, id, stream);
  begin_fields(*stream, H2Fields::Kind::kHead);
  return verdict();
}

void H2Session::Impl::begin_fields(H2Stream& stream, H2Fields::Kind kind) {
  base::Arena& arena = stream.h2_arena();
  stream.fields_ = new (arena.allocate(sizeof(H2Fields))) H2Fields(kind, arena, options.head);
  receiving = &stream;
}

int H2Session::Impl::on_header(nghttp2_session*, const nghttp2_frame*, const uint8_t* name,
                               size_t name_size, const uint8_t* value, size_t value_size,
                               uint8_t /*flags*/, void* self) {
  Impl& impl = *static_cast<Impl*>(self);
  // A stream that is let go in the middle of a block has been reset: nghttp2 goes on decoding
  // without asking for each field.
  if (impl.receiving == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  if (!impl.receiving->fields_->add(as_text(name, name_size), as_text(value, value_size))) {
    impl.end_for(ErrorCode::kHttp2Abuse, "header block far beyond its limit");
  }
  return impl.verdict();
}

void H2Session::Impl::headers_done(const nghttp2_frame& frame) {
  H2Stream* stream = std::exchange(receiving, nullptr);
  if (stream == nullptr) return;
  const int32_t id = frame.hd.stream_id;
  const bool ended = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  H2Fields& fields = *stream->fields_;
  if (fields.kind == H2Fields::Kind::kTrailers) {
    if (fields.problem == ErrorCode::kCount) return message_ended(id, fields.list);
    glitch();
    return break_off(*stream, H2Error::kEnhanceYourCalm);
  }
  server ? request_done(*stream, ended) : response_done(*stream, ended);
  if (ended) message_ended(id, {});
}

void H2Session::Impl::request_done(H2Stream& stream, bool ended) {
  stream.head_received_ = true;
  RequestHead head;
  Result<void> made = make_h2_request(*stream.fields_, options.scheme, ended, head);
  if (made) {
    stream.method_ = head.method;
    return stream.on_request(head);
  }
  stream.muted_ = true;
  glitch();
  stream.on_bad_request(made.error());
}

void H2Session::Impl::response_done(H2Stream& stream, bool ended) {
  ResponseHead head;
  Result<void> made =
      make_h2_response(*stream.fields_, {stream.method_, stream.tunnel_}, ended, head);
  if (made && head.status < 200 && ++stream.interims_ > kMaxInterims) {
    made = fail(ErrorCode::kUpstreamBadHead, "too many interim responses");
  }
  if (!made) {
    glitch();
    cut(stream, H2Error::kProtocolError);
    return stream.on_bad_response(made.error());
  }
  if (head.status < 200) {
    if (stream.interims_ > kFreeInterims) glitch();
    return stream.on_interim(head);
  }
  stream.head_received_ = true;
  stream.on_response(head);
}

// ---- Bodies and ends.

int H2Session::Impl::on_data_chunk(nghttp2_session*, uint8_t /*flags*/, int32_t id,
                                   const uint8_t* data, size_t size, void* self) {
  Impl& impl = *static_cast<Impl*>(self);
  // The connection's credit is back before anybody has looked at the bytes: it is the streams'
  // windows that bound what weir holds.
  nghttp2_session_consume_connection(impl.session, size);
  H2Stream* stream = impl.find(id);
  if (stream == nullptr || stream->muted_) return impl.verdict();
  stream->on_data(as_text(data, size));
  return impl.verdict();
}

void H2Session::Impl::data_done(const nghttp2_frame& frame) {
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
    return message_ended(frame.hd.stream_id, {});
  }
  if (frame.hd.length == frame.data.padlen) glitch();
}

void H2Session::Impl::message_ended(int32_t id, const HeaderList& trailers) {
  H2Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->remote_ended_ = true;
  if (!server) forgive_one();
  if (!stream->muted_) stream->on_end(trailers);
}

int H2Session::Impl::on_stream_close(nghttp2_session*, int32_t id, uint32_t code, void* self) {
  Impl& impl = *static_cast<Impl*>(self);
  H2Stream* stream = impl.find(id);
  if (stream == nullptr) return impl.verdict();
  if (stream->remote_ended_ && stream->end_framed_) {
    stream->closed_ = true;
    --impl.open;
    impl.found = nullptr;
    impl.keep_dues(*stream);
    return impl.verdict();
  }
  // Reset by the peer, above GOAWAY's last id, or malformed beyond what on_invalid_frame() sees: a
  // body that is not as long as it says.
  if (impl.server && id != impl.reset_by_peer) impl.glitch();
  impl.lose(*stream, static_cast<H2Error>(code));
  return impl.verdict();
}

int H2Session::Impl::on_invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int error_code,
                                      void* self) {
  Impl& impl = *static_cast<Impl*>(self);
  impl.glitch();
  H2Stream* stream = impl.find(frame->hd.stream_id);
  if (stream == nullptr) return impl.verdict();
  // nghttp2 has queued the reset; the stream need not wait to be told until that is framed.
  impl.lose(*stream, error_code == NGHTTP2_ERR_FLOW_CONTROL ? H2Error::kFlowControlError
                                                            : H2Error::kProtocolError);
  return impl.verdict();
}

}  // namespace weir::http
