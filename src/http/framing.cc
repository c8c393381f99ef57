// SPDX-License-Identifier: Apache-2.0
#include "http/framing.h"

#include <limits>

#include "http/chars.h"
#include "http/header_id.h"
#include "http/limits.h"

namespace weir::http {

void FramingFacts::add_content_length(std::string_view value) {
  // Even equal values, in one line or several, are refused: RFC 9110, 8.6 allows that, nginx does
  // so, and a reader before or behind weir may take the first, the last or the joined one.
  if (has_length) {
    problem = "several Content-Length";
    return;
  }
  has_length = true;
  // 19 digits are below 2^64, so the sum cannot wrap; no sign, no space, no list, no hex.
  if (value.empty() || value.size() > 19) {
    problem = "Content-Length is not a number";
    return;
  }
  uint64_t n = 0;
  for (char c : value) {
    if (c < '0' || c > '9') {
      problem = "Content-Length is not a number";
      return;
    }
    n = n * 10 + static_cast<uint64_t>(c - '0');
  }
  if (n > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    problem = "Content-Length is too large";
    return;
  }
  length = n;
}

void FramingFacts::add_transfer_encoding(std::string_view value) {
  // Exactly one `chunked`: weir offers no other coding, and variants ("identity", "chunked,
  // chunked", "xchunked") are the classic ways to make two readers disagree.
  if (chunked) {
    problem = "several Transfer-Encoding";
    return;
  }
  chunked = true;
  if (!iequals(value, "chunked")) problem = "Transfer-Encoding is not 'chunked'";
}

void FramingFacts::finish(Version version) {
  if (problem != nullptr || !chunked) return;
  if (has_length) problem = "Content-Length with Transfer-Encoding";
  // RFC 9112, 6.1: framing of a 1.0 message with Transfer-Encoding is to be treated as faulty.
  if (version == Version::kHttp10) problem = "Transfer-Encoding in HTTP/1.0";
}

void ConnectionFacts::add(std::string_view value) {
  for (std::string_view option = next_member(value); !option.empty(); option = next_member(value)) {
    too_many |= ++count > kMaxConnectionOptions;
    close |= iequals(option, "close");
    keep_alive |= iequals(option, "keep-alive");
    upgrade |= iequals(option, "upgrade");
  }
}

std::string_view next_member(std::string_view& list) {
  while (!list.empty()) {
    size_t comma = list.find(',');
    std::string_view member = list.substr(0, comma);
    list.remove_prefix(comma == list.npos ? list.size() : comma + 1);
    while (!member.empty() && (member.front() == ' ' || member.front() == '\t')) {
      member.remove_prefix(1);
    }
    while (!member.empty() && (member.back() == ' ' || member.back() == '\t')) {
      member.remove_suffix(1);
    }
    if (!member.empty()) return member;
  }
  return {};
}

bool is_field_name(std::string_view name, bool& underscore) {
  unsigned all = kTokenChar;
  bool found = false;
  for (char c : name) {
    all &= kCharTable[static_cast<uint8_t>(c)];
    found |= c == '_';
  }
  underscore = found;
  return all != 0 && !name.empty();
}

}  // namespace weir::http
