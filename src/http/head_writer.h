// SPDX-License-Identifier: Apache-2.0
// Writes heads into memory of the caller's, at memcpy speed and in one canonical form: HTTP/1.1,
// origin-form, one framing field that follows from BodyFraming and never from what was received.
// Never writes past the span: an overflow sets a flag, and then nothing of the output counts.
// Not a policy: which fields are there is decided before. One thread; the span outlives the writer.
#pragma once

#include <weir/message.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace weir::http {

class HeadWriter {
 public:
  explicit HeadWriter(std::span<char> out)
      : begin_(out.data()), at_(out.data()), end_(out.data() + out.size()) {}

  void request_line(std::string_view method, std::string_view path, std::string_view query,
                    bool has_query);
  /// An empty reason is legal and is written as such.
  void status_line(uint16_t code, std::string_view reason);
  void header(std::string_view name, std::string_view value);
  void content_length(uint64_t n);
  void chunked();
  /// The empty line.
  void finish();
  /// Bytes that are well-formed already.
  void raw(std::string_view text);

  size_t size() const { return static_cast<size_t>(at_ - begin_); }
  std::string_view text() const { return {begin_, size()}; }
  bool overflow() const { return overflow_; }

 private:
  char* take(size_t n);

  char* begin_;
  char* at_;
  char* end_;
  bool overflow_ = false;
};

/// What a response's head says about the connection.
enum class ConnectionField : uint8_t {
  kNone,       ///< HTTP/1.1 stays open without a word.
  kClose,      ///< "Connection: close".
  kKeepAlive,  ///< "Connection: keep-alive", which an HTTP/1.0 client needs to hear.
};
/// What to say to a client of `version` whose connection stays open or not.
constexpr ConnectionField connection_field(Version version, bool keep_alive) {
  if (!keep_alive) return ConnectionField::kClose;
  return version == Version::kHttp10 ? ConnectionField::kKeepAlive : ConnectionField::kNone;
}

/// Bytes that are enough for write_request_head() / write_response_head() of this head.
size_t request_head_bound(const RequestHead& head);
size_t response_head_bound(const ResponseHead& head);

/// Request line in origin-form (or "*", or the authority for CONNECT), Host = authority first, then
/// `headers` without Host and the framing fields, then the framing of head.body. Hop-by-hop fields
/// must be gone already.
void write_request_head(const RequestHead& head, HeadWriter& out);

/// Status line, `headers` without the framing fields, `connection`, then the framing of head.body.
/// With no body (HEAD, 304) the origin's Content-Length stays: it describes what GET would give
/// (RFC 9110, 8.6); in 1xx and 204 it is dropped, being forbidden there.
void write_response_head(const ResponseHead& head, ConnectionField connection, HeadWriter& out);

/// Before each chunk: the prefix "<hex>\r\n" in `out`; after it kChunkEnd.
struct ChunkPrefix {
  explicit ChunkPrefix(uint64_t size);
  std::string_view text() const { return {bytes + begin, sizeof(bytes) - begin}; }

  char bytes[18];
  uint8_t begin;
};
inline constexpr std::string_view kChunkEnd = "\r\n";
/// The end of a chunked body without trailers.
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
/// After a chunk's data, all that ends the body: kChunkEnd and kLastChunk in one.
inline constexpr std::string_view kChunkEndLast = "\r\n0\r\n\r\n";

/// The end of a chunked body with trailers: "0\r\n", the fields, the empty line.
size_t last_chunk_bound(const HeaderList& trailers);
void write_last_chunk(const HeaderList& trailers, HeadWriter& out);

}  // namespace weir::http
