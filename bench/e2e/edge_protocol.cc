// SPDX-License-Identifier: Apache-2.0
#include "edge_protocol.h"

#include <cstdlib>
#include <cstring>
#include <vector>

namespace weir::bench {
namespace {

constexpr size_t kHeadLimit = 16 * 1024;

class Http1 : public Protocol {
 public:
  Http1(const Ask& ask, Ledger& ledger) : expected_(ask.expected), ledger_(ledger) {
    request_ = "GET " + ask.path + " HTTP/1.1\r\nHost: " + ask.host +
               "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
  }

  void begin(std::string&) override {}

  void fill(std::string& out, size_t most) override {
    if (most == 0 || waiting_ || !ledger_.next(started_)) return;
    waiting_ = true;
    out += request_;
  }

  bool feed(std::string_view in, std::string&) override {
    if (!waiting_) return false;  // bytes nobody asked for
    if (left_ == 0) {
      held_ += in;
      const size_t end = held_.find("\r\n\r\n");
      if (end == std::string::npos) return held_.size() < kHeadLimit;
      if (!take_head(end)) return false;
      in = in.substr(in.size() - (held_.size() - end - 4));
      held_.clear();
    }
    if (in.size() > left_) return false;
    left_ -= in.size();
    if (left_ > 0) return true;
    waiting_ = false;
    ledger_.done(started_);
    return true;
  }

 private:
  bool take_head(size_t end) {
    held_[end] = '\0';
    const char* size = strcasestr(held_.c_str(), "\ncontent-length:");
    if (!held_.starts_with("HTTP/1.1 200") || size == nullptr) return false;
    left_ = std::strtoul(size + 16, nullptr, 10);
    return left_ == expected_ && strcasestr(held_.c_str(), "\nconnection: close") == nullptr;
  }

  size_t expected_;
  Ledger& ledger_;
  std::string request_;
  std::string held_;
  size_t left_ = 0;
  bool waiting_ = false;
  uint64_t started_ = 0;
};

class Http2 : public Protocol {
 public:
  Http2(const Ask& ask, Ledger& ledger) : ask_(ask), ledger_(ledger), most_(ask.streams) {}

  void begin(std::string& out) override {
    out += h2::kPreface;
    const auto setting = [](char id, uint32_t value) {
      return std::string{0, id} + h2::u32(value);
    };
    h2::append_frame(out, h2::kSettings, 0, 0, setting(2, 0) + setting(4, kWindow));
    h2::append_frame(out, h2::kWindowUpdate, 0, 0, h2::u32(kWindow));
  }

  void fill(std::string& out, size_t most) override {
    if (!settled_) return;
    uint64_t started = 0;
    for (; most > 0 && active_ < most_ && ledger_.next(started); --most) {
      Request& request = slot(next_id_);
      request = {next_id_, 0, started};
      h2::append_frame(out, h2::kHeaders, h2::kEndStream | h2::kEndHeaders, next_id_,
                       next_id_ == 1 ? first_block() : later_block_);
      next_id_ += 2;
      ++active_;
    }
  }

  bool feed(std::string_view in, std::string& out) override {
    return cutter_.feed(in, [&](const h2::Frame& frame) { return take(frame, out); });
  }

 private:
  struct Request {
    uint32_t id = 0;  // 0: free
    size_t got = 0;
    uint64_t started = 0;
  };
  static constexpr uint32_t kWindow = 1u << 28;
  static constexpr uint32_t kSlots = 4096;  // a slow stream may be overtaken by so many
  static constexpr uint32_t kTableNeeded = 512;

  Request& slot(uint32_t id) { return requests_[id / 2 % kSlots]; }

  bool take(const h2::Frame& frame, std::string& out) {
    switch (frame.type) {
      case h2::kData:
        return take_data(frame, out);
      case h2::kHeaders:
        return take_headers(frame);
      case h2::kSettings:
        return take_settings(frame, out);
      case h2::kPing:
        if ((frame.flags & h2::kAck) == 0)
          h2::append_frame(out, h2::kPing, h2::kAck, 0, frame.payload);
        return true;
      case h2::kRstStream:
        return end(slot(frame.stream), false);
      case h2::kGoaway:
        return false;
      default:
        return true;
    }
  }

  bool take_data(const h2::Frame& frame, std::string& out) {
    Request& request = slot(frame.stream);
    if (request.id != frame.stream || (frame.flags & h2::kPadded) != 0) return false;
    request.got += frame.payload.size();
    unacknowledged_ += static_cast<uint32_t>(frame.payload.size());
    if (unacknowledged_ > kWindow / 2) {
      h2::append_frame(out, h2::kWindowUpdate, 0, 0, h2::u32(unacknowledged_));
      unacknowledged_ = 0;
    }
    if ((frame.flags & h2::kEndStream) == 0) return true;
    return end(request, request.got == ask_.expected);
  }

  // Everybody here writes ":status 200" as the one byte of the static table. What follows it is not
  // looked at: it would need the dynamic table.
  bool take_headers(const h2::Frame& frame) {
    Request& request = slot(frame.stream);
    if (request.id != frame.stream || (frame.flags & h2::kPadded) != 0) return false;
    std::string_view block = frame.payload;
    if ((frame.flags & h2::kPriorityFlag) != 0) block.remove_prefix(5);
    while (!block.empty() && (block[0] & 0xe0) == 0x20) block.remove_prefix(1);  // table size
    const bool good = !block.empty() && static_cast<uint8_t>(block[0]) == 0x88;
    if ((frame.flags & h2::kEndStream) != 0) return end(request, good && ask_.expected == 0);
    return good;
  }

  bool take_settings(const h2::Frame& frame, std::string& out) {
    if ((frame.flags & h2::kAck) != 0) return true;
    uint32_t table = 4096;
    for (size_t at = 0; at + 6 <= frame.payload.size(); at += 6) {
      const uint32_t value = h2::read_u32(frame.payload.substr(at + 2));
      if (frame.payload[at + 1] == 1) table = value;
      if (frame.payload[at + 1] == 3 && value < most_) most_ = value;
    }
    if (!settled_) make_blocks(table);
    settled_ = true;
    h2::append_frame(out, h2::kSettings, h2::kAck, 0, {});
    return true;
  }

  // The four fields below stand in the dynamic table after the first request, the last one first.
  void make_blocks(uint32_t table) {
    const bool indexed = table >= kTableNeeded;
    const std::string fixed{'\x82', ask_.https ? '\x87' : '\x86'};
    literals_ = fixed + h2::literal(4, ask_.path, indexed) + h2::literal(1, ask_.host, indexed) +
                h2::literal(58, "bench", indexed) + h2::literal(19, "*/*", indexed);
    later_block_ = indexed ? fixed + "\xc1\xc0\xbf\xbe" : literals_;
    if (!indexed) literals_.insert(0, "\x20");  // the table shrinks to nothing
  }

  const std::string& first_block() const { return literals_; }

  bool end(Request& request, bool good) {
    if (request.id == 0) return true;
    const uint64_t started = request.started;
    request = {};
    --active_;
    if (good) {
      ledger_.done(started);
    } else {
      ledger_.failed();
    }
    return true;
  }

  const Ask& ask_;
  Ledger& ledger_;
  h2::Cutter cutter_;
  std::string literals_;
  std::string later_block_;
  std::vector<Request> requests_{kSlots};
  bool settled_ = false;
  uint32_t most_;
  uint32_t active_ = 0;
  uint32_t next_id_ = 1;
  uint32_t unacknowledged_ = 0;
};

// One masked binary frame in flight, which the origin echoes as it is.
class WebSocket : public Protocol {
 public:
  WebSocket(const Ask& ask, Ledger& ledger) : ask_(ask), ledger_(ledger) {
    const size_t size = ask.expected;
    frame_ = std::string{'\x82', '\xfe', static_cast<char>(size >> 8), static_cast<char>(size)} +
             "mask" + std::string(size, 'x');
  }

  // The key is RFC 6455's example, so that the origin knows the answer.
  void begin(std::string& out) override {
    out += "GET " + ask_.path + " HTTP/1.1\r\nHost: " + ask_.host +
           "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  }

  void fill(std::string& out, size_t most) override {
    if (!switched_ || most == 0 || left_ > 0 || !ledger_.next(started_)) return;
    left_ = frame_.size();
    out += frame_;
  }

  bool feed(std::string_view in, std::string&) override {
    if (!switched_) {
      head_ += in;
      const size_t end = head_.find("\r\n\r\n");
      if (end == std::string::npos) return head_.size() < kHeadLimit;
      switched_ = head_.starts_with("HTTP/1.1 101") && end + 4 == head_.size();
      return switched_;
    }
    if (in.size() > left_ ||
        std::memcmp(in.data(), frame_.data() + frame_.size() - left_, in.size()) != 0) {
      return false;
    }
    left_ -= in.size();
    if (left_ == 0) ledger_.done(started_);
    return true;
  }

 private:
  const Ask& ask_;
  Ledger& ledger_;
  std::string frame_;
  std::string head_;
  bool switched_ = false;
  size_t left_ = 0;
  uint64_t started_ = 0;
};

}  // namespace

std::unique_ptr<Protocol> make_protocol(Kind kind, const Ask& ask, Ledger& ledger) {
  if (kind == Kind::kHttp1) return std::make_unique<Http1>(ask, ledger);
  if (kind == Kind::kHttp2) return std::make_unique<Http2>(ask, ledger);
  return std::make_unique<WebSocket>(ask, ledger);
}

namespace h2 {

uint32_t read_u32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

std::string u32(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

void append_frame(std::string& out, uint8_t type, uint8_t flags, uint32_t stream,
                  std::string_view payload) {
  const size_t length = payload.size();
  const char head[] = {static_cast<char>(length >> 16), static_cast<char>(length >> 8),
                       static_cast<char>(length),       static_cast<char>(type),
                       static_cast<char>(flags),        static_cast<char>(stream >> 24),
                       static_cast<char>(stream >> 16), static_cast<char>(stream >> 8),
                       static_cast<char>(stream)};
  out.append(head, sizeof head);
  out += payload;
}

std::string literal(uint8_t name, std::string_view value, bool indexed) {
  std::string field;
  if (indexed) {
    field += static_cast<char>(0x40 | name);  // names below 63 fit the byte
  } else if (name < 15) {
    field += static_cast<char>(name);
  } else {
    field += '\x0f';
    field += static_cast<char>(name - 15);
  }
  field += static_cast<char>(value.size());  // below 127
  return field.append(value);
}

bool Cutter::cut(std::string_view& in, Frame& frame) {
  if (in.size() < kFrameHead) return false;
  const size_t length = read_u32(in) >> 8;
  if (in.size() < kFrameHead + length) return false;
  frame.type = static_cast<uint8_t>(in[3]);
  frame.flags = static_cast<uint8_t>(in[4]);
  frame.stream = read_u32(in.substr(5)) & 0x7fffffff;
  frame.payload = in.substr(kFrameHead, length);
  in.remove_prefix(kFrameHead + length);
  return true;
}

}  // namespace h2
}  // namespace weir::bench
