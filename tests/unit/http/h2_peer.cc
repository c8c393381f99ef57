// SPDX-License-Identifier: Apache-2.0
#include "h2_peer.h"

#include "http/header_id.h"

namespace weir::http {
namespace {

std::string_view kind_name(const BodyFraming& body) {
  switch (body.kind) {
    case BodyFraming::Kind::kNone:
      return "none";
    case BodyFraming::Kind::kLength:
      return "length";
    case BodyFraming::Kind::kChunked:
      return "chunked";
    case BodyFraming::Kind::kUntilClose:
      return "until-close";
    case BodyFraming::Kind::kTunnel:
      return "tunnel";
  }
  return "?";
}

std::string text_of(const HeaderList& headers) {
  std::string out;
  for (const Header& header : headers) {
    out.append(header.name).append(": ").append(header.value).append("\n");
  }
  return out;
}

}  // namespace

// ---- The stream.

H2TestStream::H2TestStream(H2Peer& of) : peer(of) {}

H2TestStream::~H2TestStream() { peer.session.release(*this, H2Error::kCancel); }

void H2TestStream::note(const std::string& what) {
  events += what + "\n";
  if (peer.on_event) peer.on_event(*this, what);
}

void H2TestStream::on_request(const RequestHead& head) {
  request = head;
  fields = text_of(head.headers);
  note("request " + std::string(head.method_text) + " " + std::string(head.authority) + " " +
       std::string(head.path) + (head.has_query ? "?" + std::string(head.query) : "") + " " +
       std::string(kind_name(head.body)));
}

void H2TestStream::on_bad_request(const Error& error) {
  note("bad " + std::string(error_info(error.code).reason));
}

void H2TestStream::on_interim(const ResponseHead& head) {
  note("interim " + std::to_string(head.status));
}

void H2TestStream::on_response(const ResponseHead& head) {
  response = head;
  fields = text_of(head.headers);
  note("response " + std::to_string(head.status) + " " + std::string(kind_name(head.body)));
}

void H2TestStream::on_bad_response(const Error& error) {
  reset = true;
  note("bad " + std::string(error_info(error.code).reason));
}

void H2TestStream::on_data(std::string_view bytes) {
  body += bytes;
  if (consume_at_once) peer.session.consume(*this, bytes.size());
  if (peer.on_event) peer.on_event(*this, "data");
}

void H2TestStream::on_end(const HeaderList& list) {
  ended = true;
  trailers = text_of(list);
  note("end " + std::to_string(body.size()));
}

void H2TestStream::on_reset(H2Error code) {
  reset = true;
  note("reset " + std::to_string(static_cast<uint32_t>(code)));
}

void H2TestStream::on_drained() { note("drained"); }

// ---- The peer.

H2Peer::H2Peer(H2Session::Role role, const H2Options& options)
    : session(role, options, *this, blocks) {}

H2Peer::~H2Peer() {
  on_event = nullptr;
  session.close_streams(H2Error::kCancel);
  streams.clear();
}

H2Stream* H2Peer::on_stream_open() { return refuse ? nullptr : &make_stream(); }

H2TestStream& H2Peer::make_stream() {
  streams.push_back(std::make_unique<H2TestStream>(*this));
  return *streams.back();
}

std::string H2Peer::pull(size_t limit) {
  base::BufferChain chain;
  std::string out;
  while (session.pull(chain, account, limit)) {
    while (!chain.empty()) {
      out += chain.front();
      chain.consume(chain.front().size(), blocks);
    }
  }
  return out;
}

std::string H2Peer::all_events() const {
  std::string out = events;
  for (const std::unique_ptr<H2TestStream>& stream : streams) out += stream->events;
  return out;
}

H2Pair::H2Pair(const H2Options& server_options, const H2Options& client_options)
    : client(H2Session::Role::kClient, client_options),
      server(H2Session::Role::kServer, server_options) {
  run();
}

void H2Pair::run() {
  for (;;) {
    std::string up = client.pull();
    std::string down = server.pull();
    if (up.empty() && down.empty()) return;
    server_fed = server.session.feed(up);
    client_fed = client.session.feed(down);
  }
}

// ---- Frames.

std::string h2_u32(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

std::string h2_frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string out = h2_u32(static_cast<uint32_t>(payload.size())).substr(1);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  return out.append(h2_u32(stream)).append(payload);
}

namespace {

/// RFC 7541, 5.1 and 5.2, with a prefix of seven bits.
std::string h2_string(std::string_view text) {
  std::string out;
  size_t rest = text.size();
  if (rest < 127) {
    out += static_cast<char>(rest);
    return out.append(text);
  }
  out += static_cast<char>(127);
  for (rest -= 127; rest >= 128; rest /= 128) out += static_cast<char>(rest % 128 + 128);
  out += static_cast<char>(rest);
  return out.append(text);
}

}  // namespace

std::string h2_field(std::string_view name, std::string_view value) {
  return std::string(1, '\0') + h2_string(name) + h2_string(value);
}

std::string h2_block(const H2FieldList& fields) {
  std::string out;
  for (const auto& [name, value] : fields) out += h2_field(name, value);
  return out;
}

std::string h2_headers(uint32_t stream, const H2FieldList& fields, uint8_t flags) {
  return h2_frame(kHeadersFrame, flags | kEndHeaders, stream, h2_block(fields));
}

std::string h2_preface() { return std::string(kH2Preface) + h2_frame(kSettingsFrame, 0, 0, {}); }

uint32_t H2Frame::word(size_t at) const {
  uint32_t out = 0;
  for (size_t i = at; i < at + 4 && i < payload.size(); ++i) {
    out = out << 8 | static_cast<uint8_t>(payload[i]);
  }
  return out;
}

std::vector<H2Frame> h2_frames(std::string_view bytes) {
  std::vector<H2Frame> out;
  if (bytes.starts_with(kH2Preface)) bytes.remove_prefix(kH2Preface.size());
  while (bytes.size() >= 9) {
    auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])); };
    size_t size = at(0) << 16 | at(1) << 8 | at(2);
    H2Frame frame;
    frame.type = static_cast<uint8_t>(at(3));
    frame.flags = static_cast<uint8_t>(at(4));
    frame.stream = at(5) << 24 | at(6) << 16 | at(7) << 8 | at(8);
    frame.payload = bytes.substr(9, size);
    bytes.remove_prefix(std::min(bytes.size(), 9 + size));
    out.push_back(frame);
  }
  return out;
}

std::string h2_describe(std::string_view bytes) {
  constexpr std::string_view kNames[] = {"DATA",          "HEADERS",      "PRIORITY", "RST_STREAM",
                                         "SETTINGS",      "PUSH_PROMISE", "PING",     "GOAWAY",
                                         "WINDOW_UPDATE", "CONTINUATION"};
  std::string out;
  for (const H2Frame& frame : h2_frames(bytes)) {
    if (frame.type == kSettingsFrame) continue;
    out += std::string(frame.type < 10 ? kNames[frame.type] : "OTHER") + " " +
           std::to_string(frame.stream);
    if (frame.type == kDataFrame) out += " " + std::to_string(frame.payload.size());
    if (frame.type == kResetFrame || frame.type == kWindowFrame) {
      out += " " + std::to_string(frame.word());
    }
    if (frame.type == kGoAwayFrame) {
      out += " " + std::to_string(frame.word()) + " " + std::to_string(frame.word(4));
    }
    const bool may_end = frame.type == kDataFrame || frame.type == kHeadersFrame;
    if (may_end && (frame.flags & kEndStream) != 0) out += " END_STREAM";
    out += "\n";
  }
  return out;
}

RequestHead h2_get(std::string_view path) {
  RequestHead head;
  head.method_text = "GET";
  head.authority = head.host = "a.example";
  head.path = path;
  return head;
}

}  // namespace weir::http
