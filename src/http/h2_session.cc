// SPDX-License-Identifier: Apache-2.0
// Life of a session and of its streams. One nghttp2 session each; callbacks and options are built
// once in the process.
#include "http/h2_session.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "http/h2_impl.h"

namespace weir::http {
namespace {

constexpr size_t kFramePayload = 16384;
// Answers to SETTINGS and PING that may wait for a socket that takes nothing.
constexpr size_t kMaxWaitingAcks = 1000;
constexpr size_t kMaxSettings = 32;
constexpr uint32_t kDefaultWindow = 65535;

uint32_t code_of(H2Error code) { return static_cast<uint32_t>(code); }

/// Frames that one header block may have: those that a block of the allowed size needs, and some
/// for peers that cut elsewhere.
size_t max_continuations(const H2Options& options) {
  return 8 + options.head.max_bytes / kFramePayload;
}

nghttp2_option* make_options(const H2Options& given) {
  nghttp2_option* option = nullptr;
  CHECK(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_max_outbound_ack(option, kMaxWaitingAcks);
  nghttp2_option_set_max_settings(option, kMaxSettings);
  nghttp2_option_set_max_continuations(option, max_continuations(given));
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
  // What weir adds to a head that was within its limits must not make it unsendable; and nghttp2
  // counts by the worst case of its encoding.
  nghttp2_option_set_max_send_header_block_length(option, 2 * given.head.max_bytes + 65536);
  return option;
}

void submit_settings(nghttp2_session* session, const H2Options& options, bool server) {
  std::array<nghttp2_settings_entry, 5> entries;
  size_t n = 0;
  auto add = [&](int32_t id, size_t value) {
    entries[n++] = {id, static_cast<uint32_t>(std::min<size_t>(value, UINT32_MAX))};
  };
  add(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
      std::min<uint32_t>(options.stream_window, NGHTTP2_MAX_WINDOW_SIZE));
  add(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options.head.max_bytes);
  if (server) {
    add(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams);
    add(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1);
    if (options.allow_connect_protocol) add(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
  } else {
    add(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
  }
  CHECK(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, entries.data(), n) == 0);
  uint32_t window =
      std::clamp<uint32_t>(options.connection_window, kDefaultWindow, NGHTTP2_MAX_WINDOW_SIZE);
  CHECK(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                              static_cast<int32_t>(window)) == 0);
}

}  // namespace

const nghttp2_session_callbacks* H2Session::Impl::callbacks() {
  static const nghttp2_session_callbacks* const kTable = [] {
    nghttp2_session_callbacks* table = nullptr;
    CHECK(nghttp2_session_callbacks_new(&table) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(table, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(table, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(table, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(table, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(table, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(table, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(table, on_send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(table, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(table, on_frame_not_send);
    return table;
  }();
  return kTable;
}

H2Session::Impl::Impl(H2Session& session_of, Role role, const H2Options& given,
                      H2SessionHandler& events, base::BlockPool& pool)
    : owner(session_of),
      handler(events),
      blocks(pool),
      options(given),
      server(role == Role::kServer) {
  nghttp2_option* option = make_options(options);
  nghttp2_mem interface = memory.interface();
  int made = server ? nghttp2_session_server_new3(&session, callbacks(), this, option, &interface)
                    : nghttp2_session_client_new3(&session, callbacks(), this, option, &interface);
  CHECK(made == 0);
  nghttp2_option_del(option);
  memory.making = false;
  if (!server) {
    // The preface stands in the shared buffer: taken from there before others use it.
    const uint8_t* bytes = nullptr;
    CHECK(nghttp2_session_mem_send(session, &bytes) == static_cast<ssize_t>(kH2Preface.size()));
    preface_owed = true;
  }
  submit_settings(session, options, server);
}

H2Session::Impl::~Impl() {
  CHECK(attached.empty() && lost.empty());
  nghttp2_session_del(session);
}

// ---- Streams.

H2Stream* H2Session::Impl::find(int32_t id) {
  if (found == nullptr || found->id_ != id) {
    found = static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }
  return found;
}

void H2Session::Impl::attach(H2Stream& stream, int32_t id) {
  DCHECK(!stream.linked());
  stream.id_ = id;
  stream.fields_ = nullptr;
  stream.trailers_out_ = {};
  stream.pending_since_ = pulls;
  stream.interims_ = 0;
  stream.head_received_ = stream.muted_ = stream.remote_ended_ = false;
  stream.head_framed_ = stream.ending_ = stream.end_framed_ = false;
  stream.deferred_ = stream.closed_ = stream.cut_short_ = false;
  stream.window_used_ = true;
  if (server) stream.ended_in_head_ = stream.tunnel_ = false;
  attached.push_back(stream);
  ++owner.streams_;
}

void H2Session::Impl::detach(H2Stream& stream) {
  if (receiving == &stream) receiving = nullptr;
  if (found == &stream) found = nullptr;
  stream.unlink();
  stream.id_ = 0;
  stream.fields_ = nullptr;
  stream.borrowed_ = {};
  stream.held_.clear(blocks);
  stream.end_framed_ = true;
  --owner.streams_;
}

void H2Session::Impl::cut(H2Stream& stream, H2Error code) {
  const int32_t id = stream.id_;
  const bool known = id != 0 && !stream.closed_;
  const bool over = stream.remote_ended_ && stream.end_framed_;
  detach(stream);
  if (!known) return;
  nghttp2_session_set_stream_user_data(session, id, nullptr);
  if (over) return;
  // From here on nghttp2 frames nothing of what was queued for the stream.
  nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, code_of(code));
}

void H2Session::Impl::break_off(H2Stream& stream, H2Error code) {
  cut(stream, code);
  stream.on_reset(code);
}

void H2Session::Impl::lose(H2Stream& stream, H2Error code) {
  nghttp2_session_set_stream_user_data(session, stream.id_, nullptr);
  if (owner.feeding_) {
    detach(stream);
    return stream.on_reset(code);
  }
  if (receiving == &stream) receiving = nullptr;
  if (found == &stream) found = nullptr;
  stream.unlink();
  stream.id_ = 0;
  stream.borrowed_ = {};
  stream.held_.clear(blocks);
  stream.lost_code_ = code;
  lost.push_back(stream);
}

void H2Session::Impl::end_open_streams() {
  attached.for_each([this](H2Stream& stream) {
    if (!stream.closed_) lose(stream, H2Error::kProtocolError);
  });
}

void H2Session::Impl::end_connection(H2Error code) {
  if (dead) return;
  dead = true;
  nghttp2_session_terminate_session(session, code_of(code));
}

// ---- The session.

H2Session::H2Session(Role role, const H2Options& options, H2SessionHandler& handler,
                     base::BlockPool& blocks)
    : impl_(std::make_unique<Impl>(*this, role, options, handler, blocks)) {}

H2Session::~H2Session() = default;

Result<void> H2Session::feed(std::string_view bytes) {
  Impl& impl = *impl_;
  deliver();
  if (!impl.dead && !bytes.empty()) {
    feeding_ = true;
    const ssize_t taken = nghttp2_session_mem_recv(
        impl.session, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    feeding_ = false;
    if (taken < 0 && !impl.dead) {
      const bool flood =
          taken == NGHTTP2_ERR_FLOODED || taken == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
      impl.error = make_error(flood         ? ErrorCode::kHttp2Abuse
                              : impl.server ? ErrorCode::kBadFraming
                                            : ErrorCode::kUpstreamHttp2,
                              nghttp2_strerror(static_cast<int>(taken)));
      impl.end_connection(flood ? H2Error::kEnhanceYourCalm : H2Error::kProtocolError);
    }
  }
  deliver();
  if (impl.error.code != ErrorCode::kInternal) return std::unexpected(impl.error);
  return {};
}

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
    out.append({reinterpret_cast<const char*>(bytes), static_cast<size_t>(n)}, impl.blocks,
               account);
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
