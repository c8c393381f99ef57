// SPDX-License-Identifier: Apache-2.0
// How an nghttp2 session is made, and the life of the streams on it. The table of callbacks is
// built once in the process.
#include "http/h2_impl.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace weir::http {
namespace {

constexpr size_t kFramePayload = 16384;
// Answers to SETTINGS and PING that may wait for a socket that takes nothing.
constexpr size_t kMaxWaitingAcks = 1000;
constexpr uint64_t kNoRateLimit = 1'000'000'000;
constexpr size_t kMaxSettings = 32;
constexpr uint32_t kDefaultWindow = 65535;
// Streams over the limit whose refusal the client has not read yet. nghttp2 ends the connection at
// the first one over the limit that it knows, once its SETTINGS are acknowledged: it is told one
// that is higher by this, and weir refuses by its own.
constexpr uint32_t kMostRefused = 1000;
// WINDOW_UPDATE of closed streams that a peer may save up.
constexpr uint32_t kMostLate = 1000;

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
  // Resets are ours to count: a client that cancels now and then, however long it stays, is
  // welcome.
  nghttp2_option_set_stream_reset_rate_limit(option, kNoRateLimit, kNoRateLimit);
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
  // The first, so that append_settings() knows its place.
  if (server) {
    add(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
        size_t{options.max_concurrent_streams} + kMostRefused);
  }
  add(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
      std::min<uint32_t>(options.stream_window, NGHTTP2_MAX_WINDOW_SIZE));
  add(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options.head.max_bytes);
  if (server) {
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
  settings_owed = server;
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
  stream.window_updates_due_ = 1;  // many raise a window before they begin
  if (server) stream.ended_in_head_ = stream.tunnel_ = false;
  attached.push_back(stream);
  ++owner.streams_;
  ++open;
}

void H2Session::Impl::detach(H2Stream& stream) {
  if (receiving == &stream) receiving = nullptr;
  if (found == &stream) found = nullptr;
  keep_dues(stream);
  if (!stream.closed_) --open;
  stream.unlink();
  stream.id_ = 0;
  stream.fields_ = nullptr;
  stream.borrowed_ = {};
  stream.held_.clear(blocks);
  stream.end_framed_ = true;
  --owner.streams_;
}

void H2Session::Impl::keep_dues(H2Stream& stream) {
  dues.late_window_updates = std::min(
      dues.late_window_updates + std::exchange(stream.window_updates_due_, uint16_t{0}), kMostLate);
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

}  // namespace weir::http
