// SPDX-License-Identifier: Apache-2.0
// One normal form of a path (see uri.h). Most paths are normal already and are only looked at.
#include <cstring>

#include "http/chars.h"
#include "http/uri.h"

namespace weir::http {
namespace {

constexpr char kHex[] = "0123456789ABCDEF";

/// Whether the segment after `slash` is empty or a dot segment (with parameters or without).
bool needs_care(std::string_view path, size_t slash) {
  std::string_view rest = path.substr(slash + 1);
  if (rest.empty() || (rest[0] != '.' && rest[0] != '/')) return false;
  size_t dots = rest.starts_with("..") ? 2 : rest[0] == '.' ? 1 : 0;
  return rest.size() == dots || rest[dots] == '/' || rest[dots] == ';';
}

/// Whether nothing needs to change, nor a closer look.
bool is_normal(std::string_view path) {
  for (size_t i = 0; i < path.size(); ++i) {
    if (!is_char(path[i], kPathChar)) return false;
    if (path[i] == '/' && needs_care(path, i)) return false;
  }
  return true;
}

class Normaliser {
 public:
  Normaliser(std::string_view raw, char* out) : raw_(raw), out_(out) {}

  /// Null, or what is wrong.
  const char* run() {
    while (at_ < raw_.size()) {
      const char* problem = raw_[at_] == '/' ? slash() : byte();
      if (problem != nullptr) return problem;
    }
    return end_segment(true);
  }
  std::string_view text() const { return {out_, size_}; }

 private:
  const char* slash() {
    const char* problem = end_segment(false);
    if (problem != nullptr) return problem;
    ++at_;
    if (size_ == 0 || out_[size_ - 1] != '/') out_[size_++] = '/';
    segment_ = size_;
    escaped_dot_ = false;
    return nullptr;
  }

  /// Looks at the segment just written: "." and ".." act and vanish.
  const char* end_segment(bool last) {
    std::string_view segment{out_ + segment_, size_ - segment_};
    std::string_view name = segment.substr(0, segment.find(';'));
    if (size_t semicolon = name.find("%3B"); semicolon != name.npos) {
      name = name.substr(0, semicolon);
    }
    if (name != "." && name != "..") return nullptr;
    // Servlet containers drop ";parameters" before they look for dots: "/..;/" climbs there.
    if (name.size() != segment.size()) return "dot segment with parameters";
    if (escaped_dot_) return "encoded dot segment";
    size_ = segment_;
    if (name == "..") {
      if (size_ == 1) return "path climbs above the root";
      std::string_view parent{out_, size_ - 1};
      size_ = parent.rfind('/') + 1;
    }
    // The slash before the segment stands; the one after it would double it.
    if (!last) --size_;
    segment_ = size_;
    return nullptr;
  }

  const char* byte() {
    char c = raw_[at_];
    if (c == '%') return escape();
    if (!is_char(c, kVisibleChar) || c == '#' || c == '\\') return "byte not allowed in a path";
    ++at_;
    if (is_char(c, kPathChar)) {
      out_[size_++] = c;
    } else {
      put_escaped(static_cast<uint8_t>(c));
    }
    return nullptr;
  }

  const char* escape() {
    int code = code_at(at_);
    if (code < 0) return "broken percent-encoding";
    if (code == '/' || code == '\\') return "encoded slash";
    if (code < 0x20 || code == 0x7f) return "encoded control byte";
    if (code == 0xc0 || code == 0xc1) {
      // Overlong UTF-8: lax decoders read C0 AF as "/" and C0 AE as ".".
      int next = code_at(at_ + 3);
      if (next >= 0x80 && next < 0xc0) return "overlong UTF-8";
    }
    at_ += 3;
    if (is_char(static_cast<char>(code), kUnreservedChar)) {
      out_[size_++] = static_cast<char>(code);
      escaped_dot_ |= code == '.';
    } else {
      put_escaped(static_cast<uint8_t>(code));
    }
    return nullptr;
  }

  /// The byte that "%XX" at `at` stands for, or -1.
  int code_at(size_t at) const {
    if (at + 3 > raw_.size() || raw_[at] != '%') return -1;
    if (!is_char(raw_[at + 1], kHexChar) || !is_char(raw_[at + 2], kHexChar)) return -1;
    return static_cast<int>(hex_value(raw_[at + 1]) * 16 + hex_value(raw_[at + 2]));
  }

  void put_escaped(uint8_t byte) {
    out_[size_++] = '%';
    out_[size_++] = kHex[byte >> 4];
    out_[size_++] = kHex[byte & 15];
  }

  std::string_view raw_;
  char* out_;
  size_t at_ = 0;
  size_t size_ = 0;
  size_t segment_ = 0;        // where the current segment starts in out_
  bool escaped_dot_ = false;  // the current segment had a dot written as %2E
};

}  // namespace

Result<std::string_view> normalise_path(std::string_view raw, base::Arena& arena) {
  if (!raw.starts_with('/')) return fail(ErrorCode::kBadTarget, "path does not start with '/'");
  if (is_normal(raw)) return raw;
  size_t room = raw.size();
  for (char c : raw) room += is_char(c, kPathChar) ? 0 : 2;
  Normaliser normaliser(raw, static_cast<char*>(arena.allocate(room)));
  if (const char* problem = normaliser.run()) return fail(ErrorCode::kBadTarget, problem);
  return normaliser.text();
}

}  // namespace weir::http
