// SPDX-License-Identifier: Apache-2.0
#include "http/head_writer.h"

#include <cstring>

#include "http/header_id.h"

namespace weir::http {
namespace {

constexpr size_t kMaxDigits = 20;
constexpr std::string_view kContentLengthName = "Content-Length: ";
constexpr std::string_view kChunkedLine = "Transfer-Encoding: chunked\r\n";
constexpr std::string_view kCloseLine = "Connection: close\r\n";
constexpr std::string_view kKeepAliveLine = "Connection: keep-alive\r\n";
// Either framing line, the longest Connection line and the empty one.
constexpr size_t kFixedLines =
    kChunkedLine.size() + kContentLengthName.size() + kMaxDigits + 2 + kKeepAliveLine.size() + 2;

/// memcpy without the call for the short texts that heads are made of: a call and its dispatch cost
/// more than the copy.
inline char* put(char* to, std::string_view text) {
  size_t n = text.size();
  const char* from = text.data();
  if (n > 32) {
    std::memcpy(to, from, n);
  } else if (n >= 16) {
    std::memcpy(to, from, 16);
    std::memcpy(to + n - 16, from + n - 16, 16);
  } else if (n >= 8) {
    std::memcpy(to, from, 8);
    std::memcpy(to + n - 8, from + n - 8, 8);
  } else if (n >= 4) {
    std::memcpy(to, from, 4);
    std::memcpy(to + n - 4, from + n - 4, 4);
  } else {
    for (size_t i = 0; i < n; ++i) to[i] = from[i];
  }
  return to + n;
}

/// The decimal digits of `n` in the last bytes of `digits`.
std::string_view decimal(uint64_t n, char (&digits)[kMaxDigits]) {
  char* at = digits + kMaxDigits;
  do {
    *--at = static_cast<char>('0' + n % 10);
    n /= 10;
  } while (n != 0);
  return {at, static_cast<size_t>(digits + kMaxDigits - at)};
}

size_t fields_bound(const HeaderList& headers) {
  size_t bound = 0;
  for (const Header& header : headers) bound += header.name.size() + header.value.size() + 4;
  return bound;
}

}  // namespace

char* HeadWriter::take(size_t n) {
  if (static_cast<size_t>(end_ - at_) < n) {
    overflow_ = true;
    return nullptr;
  }
  char* at = at_;
  at_ += n;
  return at;
}

void HeadWriter::raw(std::string_view text) {
  if (char* at = take(text.size())) put(at, text);
}

void HeadWriter::request_line(std::string_view method, std::string_view path,
                              std::string_view query, bool has_query) {
  constexpr std::string_view kVersion = " HTTP/1.1\r\n";
  char* at =
      take(method.size() + 1 + path.size() + (has_query ? 1 + query.size() : 0) + kVersion.size());
  if (at == nullptr) return;
  at = put(at, method);
  *at++ = ' ';
  at = put(at, path);
  if (has_query) {
    *at++ = '?';
    at = put(at, query);
  }
  put(at, kVersion);
}

void HeadWriter::status_line(uint16_t code, std::string_view reason) {
  char* at = take(13 + reason.size() + 2);
  if (at == nullptr) return;
  at = put(at, "HTTP/1.1 ");
  *at++ = static_cast<char>('0' + code / 100 % 10);
  *at++ = static_cast<char>('0' + code / 10 % 10);
  *at++ = static_cast<char>('0' + code % 10);
  *at++ = ' ';
  at = put(at, reason);
  put(at, "\r\n");
}

void HeadWriter::header(std::string_view name, std::string_view value) {
  char* at = take(name.size() + value.size() + 4);
  if (at == nullptr) return;
  at = put(at, name);
  *at++ = ':';
  *at++ = ' ';
  at = put(at, value);
  *at++ = '\r';
  *at = '\n';
}

void HeadWriter::content_length(uint64_t n) {
  char digits[kMaxDigits];
  std::string_view text = decimal(n, digits);
  char* at = take(kContentLengthName.size() + text.size() + 2);
  if (at == nullptr) return;
  at = put(at, kContentLengthName);
  at = put(at, text);
  put(at, "\r\n");
}

void HeadWriter::chunked() { raw(kChunkedLine); }

void HeadWriter::finish() { raw("\r\n"); }

size_t request_head_bound(const RequestHead& head) {
  constexpr size_t kLine = sizeof(" ? HTTP/1.1\r\n") + sizeof("Host: \r\n");
  return kLine + head.method_text.size() + head.path.size() + head.query.size() +
         2 * head.authority.size() + fields_bound(head.headers) + kFixedLines;
}

size_t response_head_bound(const ResponseHead& head) {
  return sizeof("HTTP/1.1 200 \r\n") + head.reason.size() + fields_bound(head.headers) +
         kFixedLines;
}

void write_request_head(const RequestHead& head, HeadWriter& out) {
  // CONNECT alone names an authority (RFC 9112, 3.2.3).
  const bool connect = head.method == Method::kConnect;
  out.request_line(head.method_text, connect ? head.authority : head.path, head.query,
                   head.has_query);
  out.header("Host", head.authority);
  for (const Header& header : head.headers) {
    bool own = header.id == HeaderId::kHost || header.id == HeaderId::kContentLength ||
               header.id == HeaderId::kTransferEncoding;
    if (!own) out.header(header.name, header.value);
  }
  if (head.body.kind == BodyFraming::Kind::kLength) out.content_length(head.body.length);
  if (head.body.kind == BodyFraming::Kind::kChunked) out.chunked();
  out.finish();
}

void write_response_head(const ResponseHead& head, ConnectionField connection, HeadWriter& out) {
  out.status_line(head.status, head.reason);
  bool may_describe =
      head.body.kind == BodyFraming::Kind::kNone && head.status >= 200 && head.status != 204;
  for (const Header& header : head.headers) {
    if (header.id == HeaderId::kTransferEncoding) continue;
    if (header.id == HeaderId::kContentLength && !may_describe) continue;
    out.header(header.name, header.value);
  }
  if (connection == ConnectionField::kClose) out.raw(kCloseLine);
  if (connection == ConnectionField::kKeepAlive) out.raw(kKeepAliveLine);
  if (head.body.kind == BodyFraming::Kind::kLength) out.content_length(head.body.length);
  if (head.body.kind == BodyFraming::Kind::kChunked) out.chunked();
  out.finish();
}

ChunkPrefix::ChunkPrefix(uint64_t size) : begin(sizeof(bytes)) {
  bytes[--begin] = '\n';
  bytes[--begin] = '\r';
  do {
    bytes[--begin] = "0123456789abcdef"[size % 16];
    size /= 16;
  } while (size != 0);
}

size_t last_chunk_bound(const HeaderList& trailers) {
  return kLastChunk.size() + fields_bound(trailers);
}

void write_last_chunk(const HeaderList& trailers, HeadWriter& out) {
  out.raw("0\r\n");
  for (const Header& trailer : trailers) out.header(trailer.name, trailer.value);
  out.finish();
}

}  // namespace weir::http
