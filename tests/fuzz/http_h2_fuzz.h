// SPDX-License-Identifier: Apache-2.0
// A script from the fuzzer's input, run on an HTTP/2 session: bytes and frames from the peer, and
// whatever the user of a session may call, in any order. What the session hands out is written as
// HTTP/1 and must be read there as the same message.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "../unit/http/h2_peer.h"
#include "http/header_id.h"
#include "http_fuzz.h"

namespace weir::http {

inline void check_request(const RequestHead& head) {
  CHECK(head.version == Version::kHttp2);
  if (head.method == Method::kConnect || !head.protocol.empty()) return;
  Memory memory;
  RequestHead copy = head;
  remove_hop_by_hop(copy.headers);
  std::string text(request_head_bound(copy), '?');
  HeadWriter writer(text);
  write_request_head(copy, writer);
  CHECK(!writer.overflow());
  text.resize(writer.size());
  if (text.size() > HeadLimits{}.max_bytes || head.path.size() > 5000) return;  // grew past a limit
  Result<size_t> end = find_head_end(text, 0, {}, MessageKind::kRequest);
  CHECK(end && *end == text.size());
  RequestHead read;
  CHECK(parse_request_head(text, {}, memory.arena, read));
  CHECK(read.method_text == head.method_text && read.authority == head.authority);
  CHECK(read.path == head.path && read.query == head.query && read.has_query == head.has_query);
  CHECK(read.body.kind == head.body.kind && read.body.length == head.body.length);
}

inline void check_response(const ResponseHead& head) {
  if (head.status < 200 || head.body.kind == BodyFraming::Kind::kTunnel) return;
  Memory memory;
  ResponseHead copy = head;
  remove_hop_by_hop(copy.headers);
  std::string text(response_head_bound(copy), '?');
  HeadWriter writer(text);
  write_response_head(copy, ConnectionField::kNone, writer);
  CHECK(!writer.overflow());
  text.resize(writer.size());
  if (text.size() > HeadLimits{}.max_bytes) return;
  Result<size_t> end = find_head_end(text, 0, {}, MessageKind::kResponse);
  CHECK(end && *end == text.size());
  ResponseHead read;
  const bool bodiless = head.body.kind == BodyFraming::Kind::kNone;
  CHECK(parse_response_head(text, {}, memory.arena, bodiless ? Method::kHead : Method::kGet, read));
  CHECK(read.status == head.status && read.body.kind == head.body.kind);
  CHECK(read.body.length == head.body.length);
}

class H2Script {
 public:
  H2Script(H2Session::Role role, std::string_view text)
      : server_(role == H2Session::Role::kServer), rest_(text), peer_(role, options()) {
    peer_.on_event = [](H2TestStream& stream, std::string_view what) {
      CHECK(stream.arena.held() < 1 << 20);
      if (what.starts_with("request")) check_request(stream.request);
      if (what.starts_with("response")) check_response(stream.response);
    };
  }

  void run() {
    feed(server_ ? h2_preface() : h2_frame(kSettingsFrame, 0, 0, {}));
    for (int steps = 0; !rest_.empty() && steps < 300; ++steps) step();
    (void)peer_.pull();
    peer_.session.deliver();
    peer_.session.close_streams(H2Error::kCancel);
    CHECK(peer_.session.streams() == 0 && peer_.account.held() == 0);
  }

 private:
  static H2Options options() {
    H2Options options;
    options.head.max_bytes = 16384;
    options.max_glitches = 200;
    return options;
  }
  std::string_view take_text() {
    size_t n = std::min(take_byte(rest_), rest_.size());
    std::string_view text = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return text;
  }
  void feed(std::string_view bytes) { (void)peer_.session.feed(bytes); }
  uint32_t stream_id() { return static_cast<uint32_t>(take_byte(rest_) % 16); }

  void feed_frame() {
    auto type = static_cast<uint8_t>(take_byte(rest_) % 17);
    auto flags = static_cast<uint8_t>(take_byte(rest_));
    uint32_t id = stream_id();
    feed(h2_frame(type, flags, id, take_text()));
  }

  /// A head that is right but for one more field.
  void feed_head() {
    H2FieldList fields = {{":status", "200"}};
    if (server_) {
      fields = {{":method", "POST"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}};
    }
    size_t which = take_byte(rest_);
    std::string_view name = take_text();
    std::string_view value = take_text();
    if (which < fields.size()) {
      fields[which].second = value;
    } else {
      fields.push_back({std::string(name), std::string(value)});
    }
    auto flags = static_cast<uint8_t>(take_byte(rest_) % 2);
    feed(h2_headers(server_ ? next_id_ : stream_id(), fields, flags));
    if (server_) next_id_ += 2;
  }

  H2TestStream* stream() {
    size_t i = take_byte(rest_);
    return peer_.streams.empty() ? nullptr : peer_.streams[i % peer_.streams.size()].get();
  }

  void open() {
    RequestHead head = h2_get("/x");
    size_t shape = take_byte(rest_);
    head.body.kind = static_cast<BodyFraming::Kind>(shape % 5);
    head.body.length = shape % 7;
    if (head.body.kind == BodyFraming::Kind::kTunnel) head.protocol = "websocket";
    if (shape > 200) head.method = Method::kHead, head.method_text = "HEAD";
    (void)peer_.session.send_request(peer_.make_stream(), head);
  }

  void respond() {
    H2TestStream* to = stream();
    if (to == nullptr) return;
    size_t shape = take_byte(rest_);
    ResponseHead head;
    head.status = shape % 9 == 0 ? 103 : 200;
    head.body.kind = static_cast<BodyFraming::Kind>(shape % 5);
    head.body.length = shape % 7;
    if (head.status == 103) return peer_.session.send_interim(*to, head);
    peer_.session.send_response(*to, head);
  }

  void send() {
    static const std::string kBody(40000, 'b');
    H2TestStream* to = stream();
    if (to == nullptr) return;
    size_t how = take_byte(rest_);
    if (how % 4 == 0) return peer_.session.hold(*to);
    if (how % 4 != 1) {
      return peer_.session.send_data(*to, std::string_view(kBody).substr(0, how * how));
    }
    Header memory[] = {{"x-sum", "1", HeaderId::kOther}};
    HeaderList trailers(to->arena.array<Header>(1), 1);
    trailers.push(memory[0]);
    peer_.session.send_end(*to, how % 8 == 1 ? trailers : HeaderList{});
  }

  void let_go() {
    H2TestStream* which = stream();
    if (which == nullptr) return;
    switch (take_byte(rest_) % 4) {
      case 0:
        return peer_.session.release(*which, H2Error::kCancel);
      case 1:
        return peer_.session.finish(*which);
      case 2:
        return peer_.session.consume(*which, which->body.size());
      default:
        // Its memory goes at once.
        std::erase_if(peer_.streams, [which](const auto& s) { return s.get() == which; });
    }
  }

  void act_on_session() {
    switch (take_byte(rest_) % 8) {
      case 0:
        return peer_.session.shut_down(false);
      case 1:
        return peer_.session.shut_down(true);
      case 2:
        return peer_.session.terminate(H2Error::kInternalError);
      case 3:
        return peer_.session.ping();
      case 4:
        return peer_.session.close_streams(H2Error::kCancel);
      default:
        return peer_.session.deliver();
    }
  }

  void step() {
    switch (take_byte(rest_) % 10) {
      case 0:
        return feed(take_text());
      case 1:
      case 2:
        return feed_frame();
      case 3:
        return feed_head();
      case 4:
        return server_ ? respond() : open();
      case 5:
      case 6:
        return send();
      case 7:
        return let_go();
      case 8:
        return act_on_session();
      default:
        (void)peer_.pull(1 + take_byte(rest_) * 64);
    }
  }

  const bool server_;
  std::string_view rest_;
  uint32_t next_id_ = 1;
  H2Peer peer_;
};

}  // namespace weir::http
