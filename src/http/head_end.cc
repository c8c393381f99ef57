// SPDX-License-Identifier: Apache-2.0
// Where a head ends, with the checks that need every byte once: line ends, control bytes, limits.
#include <algorithm>
#include <cstring>

#include "http/head.h"
#include "http/limits.h"
#include "http/scan.h"

namespace weir::http {
namespace {

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

  /// Whether a line with something in it ends at `at`, and a field or the empty line follows.
  bool plain_line_end(size_t at) const {
    return at + 2 < bytes.size() && at > start && bytes[at - 1] != '\n' && bytes[at] == '\r' &&
           bytes[at + 1] == '\n' && bytes[at + 2] != ' ' && bytes[at + 2] != '\t';
  }

  Result<size_t> run(size_t from) const {
    while ((from = find_control(bytes.data(), from, bytes.size())) < bytes.size()) {
      if (plain_line_end(from)) {
        from += 2;
        continue;
      }
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
