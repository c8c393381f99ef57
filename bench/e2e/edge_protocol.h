// SPDX-License-Identifier: Apache-2.0
//
// What a client says on one connection of bench_edge_load: HTTP/1, HTTP/2, WebSocket frames. Bytes
// in, bytes out; sockets, time and counting are the caller's (Ledger). Written to be cheap, so that
// the load generator can share a core with the origin: HTTP/2 does not decode header blocks beyond
// the status, and sends every request after the first as indexed fields.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weir::bench {

class Ledger {
 public:
  virtual ~Ledger() = default;
  // May a request begin? If so `started` is when it was due, in microseconds.
  virtual bool next(uint64_t& started) = 0;
  virtual void done(uint64_t started) = 0;
  // A wrong or reset answer on a connection that lives on.
  virtual void failed() = 0;
};

struct Ask {
  std::string path = "/bytes/128";
  std::string host = "bench.test";
  bool https = true;
  size_t expected = 128;  // bytes of the answer; of a frame's payload for WebSocket
  uint32_t streams = 1;   // requests in flight a connection, HTTP/2 only
};

class Protocol {
 public:
  virtual ~Protocol() = default;
  // The connection is there.
  virtual void begin(std::string& out) = 0;
  // Begins at most so many requests of those that the ledger has.
  virtual void fill(std::string& out, size_t most) = 0;
  // False: the connection is of no use any more.
  virtual bool feed(std::string_view in, std::string& out) = 0;
};

enum class Kind { kHttp1, kHttp2, kWebSocket };

std::unique_ptr<Protocol> make_protocol(Kind kind, const Ask& ask, Ledger& ledger);

// Frames of HTTP/2 (RFC 9113 section 4.1), which the attacker and the origin write as well.
namespace h2 {

enum Type : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
constexpr uint8_t kEndStream = 1;
constexpr uint8_t kAck = 1;
constexpr uint8_t kEndHeaders = 4;
constexpr uint8_t kPadded = 8;
constexpr uint8_t kPriorityFlag = 32;
constexpr size_t kFrameHead = 9;
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct Frame {
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string_view payload;
};

uint32_t read_u32(std::string_view bytes);
std::string u32(uint32_t value);
void append_frame(std::string& out, uint8_t type, uint8_t flags, uint32_t stream,
                  std::string_view payload);
// A literal field with a name of the static table (below 15, or below 127 if `indexed`).
std::string literal(uint8_t name, std::string_view value, bool indexed);

// Cuts a stream of bytes into frames; what is incomplete is kept for the next call.
class Cutter {
 public:
  template <class Handler>
  bool feed(std::string_view in, Handler&& handle) {
    if (!held_.empty()) {
      held_ += in;
      in = held_;
    }
    Frame frame;
    while (cut(in, frame)) {
      if (!handle(frame)) return false;
    }
    held_ = std::string(in);
    return true;
  }

 private:
  static bool cut(std::string_view& in, Frame& frame);
  std::string held_;
};

}  // namespace h2
}  // namespace weir::bench
