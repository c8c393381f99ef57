// SPDX-License-Identifier: Apache-2.0
// Where a head ends, with the checks that need every byte once: line ends, control bytes, limits.
#include <algorithm>
#include <cstring>

#include "http/head.h"
#include "http/limits.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace weir::http {
namespace {

bool is_control(char c) {
  auto u = static_cast<unsigned char>(c);
  return (u < 0x20 && u != '\t') || u == 0x7f;
}

/// The first control byte other than HTAB in [from, end), or `end`.
size_t find_control(const char* bytes, size_t from, size_t end) {
#ifdef __SSE2__
  // Sixteen bytes a step: a browser's head has some 700, and a table look-up costs a cycle each.
  const __m128i last_control = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; from + 16 <= end; from += 16) {
    __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + from));
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, last_control), block);
    __m128i bad =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(block, tab), low), _mm_cmpeq_epi8(block, del));
    int mask = _mm_movemask_epi8(bad);
    if (mask != 0) return from + static_cast<size_t>(__builtin_ctz(static_cast<unsigned>(mask)));
  }
#endif
  while (from < end && !is_control(bytes[from])) ++from;
  return from;
}

struct Scan {
  std::string_view bytes;  // cut to the limits: nothing past them is looked at
  size_t start;            // of the start line, after the empty line that may precede it
  MessageKind kind;

  std::unexpected<Error> bad(size_t at, const char* what) const {
    if (kind == MessageKind::kResponse) return fail(ErrorCode::kUpstreamBadHead, what);
    bool in_first_line = std::memchr(bytes.data() + start, '\n', at - start) == nullptr;
    return fail(in_first_line ? ErrorCode::kBadRequestLine : ErrorCode::kBadHeader, what);
  }

  /// Looks at the control byte at `at`. n > 0: the head ends there; 0: go on after it.
  Result<size_t> control(size_t at) const {
    char c = bytes[at];
    bool last = at + 1 == bytes.size();
    if (c == '\r') {
      bool may_be_leading = kind == MessageKind::kRequest && start == 0 && last;
      if (at == start && !may_be_leading) return bad(at, "empty start line");
      if (!last && bytes[at + 1] != '\n') return bad(at, "bare CR");
      return size_t{0};
    }
    if (c != '\n') return bad(at, "control byte");
    if (at == start || bytes[at - 1] != '\r') return bad(at, "bare LF");
    if (at >= start + 2 && bytes[at - 2] == '\n') return at + 1;
    if (!last && (bytes[at + 1] == ' ' || bytes[at + 1] == '\t')) {
      // Folding, or white space before the first field: two readers, two meanings (RFC 9112, 2.2
      // and 5.2).
      return fail(
          kind == MessageKind::kRequest ? ErrorCode::kBadHeader : ErrorCode::kUpstreamBadHead,
          "line starts with white space");
    }
    return size_t{0};
  }

  Result<size_t> run(size_t from) const {
    while ((from = find_control(bytes.data(), from, bytes.size())) < bytes.size()) {
      Result<size_t> found = control(from);
      if (!found || *found > 0) return found;
      ++from;
    }
    return size_t{0};
  }
};

}  // namespace

Result<size_t> find_head_end(std::string_view bytes, size_t searched, const HeadLimits& limits,
                             MessageKind kind) {
  bool request = kind == MessageKind::kRequest;
  size_t start = request && bytes.starts_with("\r\n") ? 2 : 0;
  size_t cut = std::min(bytes.size(), limits.max_bytes);
  // The latest place for the CR of the request line: "METHOD SP target SP HTTP/1.1".
  size_t line_end = start + kMaxMethodBytes + 1 + limits.max_uri_bytes + 9;
  bool line_too_long = false;
  if (request && searched <= line_end && cut > start) {
    size_t within = std::min(cut, line_end + 1) - start;
    if (std::memchr(bytes.data() + start, '\r', within) == nullptr) {
      cut = start + within;
      line_too_long = cut == line_end + 1;
    }
  }
  Scan scan{bytes.substr(0, cut), start, kind};
  // The last byte seen is looked at again: CR, and LF before white space, need the byte after.
  Result<size_t> end = scan.run(std::max(start, searched > 0 ? searched - 1 : 0));
  if (!end || *end > 0) return end;
  if (line_too_long) return fail(ErrorCode::kUriTooLong);
  if (bytes.size() < limits.max_bytes) return size_t{0};
  return fail(request ? ErrorCode::kHeaderTooLarge : ErrorCode::kUpstreamHeadTooLarge);
}

}  // namespace weir::http
