// SPDX-License-Identifier: Apache-2.0
#include "http/uri.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "http/chars.h"

namespace weir::http {
namespace {

std::unexpected<Error> bad_host(const char* what) { return fail(ErrorCode::kBadHost, what); }

/// A name or an IPv4 address; a final dot is cut off: "a.example." and "a.example" are one host
/// for every route, so the origin gets to see one of them too.
Result<std::string_view> parse_name(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty()) return bad_host("empty host");
  char before = '.';
  for (char c : host) {
    if (!is_char(c, kHostChar)) return bad_host("byte not allowed in a host");
    if (c == '.' && before == '.') return bad_host("empty label");
    before = c;
  }
  if (before == '.') return bad_host("empty label");
  return host;
}

/// "[...]" with a plain IPv6 address; zones and future forms have no meaning here.
bool is_ipv6_literal(std::string_view host) {
  char text[INET6_ADDRSTRLEN];
  std::string_view address = host.substr(1, host.size() - 2);
  if (address.size() >= sizeof(text) || address.find('\0') != address.npos) return false;
  std::memcpy(text, address.data(), address.size());
  text[address.size()] = 0;
  in6_addr parsed;
  return inet_pton(AF_INET6, text, &parsed) == 1;
}

/// 0 if it is not 1-65535 without leading zeros.
uint16_t parse_port(std::string_view digits) {
  if (digits.empty() || digits.size() > 5 || digits.front() == '0') return 0;
  unsigned port = 0;
  for (char c : digits) {
    if (c < '0' || c > '9') return 0;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return port > 65535 ? uint16_t{0} : static_cast<uint16_t>(port);
}

bool has_upper(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

Result<Authority> parse_authority(std::string_view raw, base::Arena& arena) {
  size_t host_end = 0;
  if (raw.starts_with('[')) {
    host_end = raw.find(']') + 1;
    if (host_end == 0) return bad_host("unclosed bracket");
  } else {
    host_end = std::min(raw.find(':'), raw.size());
  }
  std::string_view host = raw.substr(0, host_end);
  std::string_view port = raw.substr(host_end);
  if (host.starts_with('[')) {
    if (!is_ipv6_literal(host)) return bad_host("not an IPv6 address");
  } else {
    Result<std::string_view> name = parse_name(host);
    if (!name) return std::unexpected(name.error());
    host = *name;
  }
  Authority out;
  bool dot_cut = host.size() != host_end;
  // An empty port means the default one (RFC 3986, 6.2.3).
  if (port.size() > 1) {
    out.port = parse_port(port.substr(1));
    if (port.front() != ':' || out.port == 0) return bad_host("not a port");
  } else if (port.size() == 1 && port.front() != ':') {
    return bad_host("bytes after the bracket");
  } else {
    port = {};
  }
  out.text = raw.substr(0, host.size() + port.size());
  if (has_upper(host) || (dot_cut && !port.empty())) {
    char* copy = static_cast<char*>(arena.allocate(host.size() + port.size()));
    std::transform(host.begin(), host.end(), copy, to_lower);
    std::copy(port.begin(), port.end(), copy + host.size());
    out.text = {copy, host.size() + port.size()};
  }
  out.host = out.text.substr(0, host.size());
  return out;
}

bool is_valid_query(std::string_view query) {
  return std::all_of(query.begin(), query.end(),
                     [](char c) { return is_char(c, kVisibleChar) && c != '#'; });
}

std::string_view percent_decode(std::string_view text, base::Arena& arena) {
  if (text.find('%') == text.npos) return text;
  char* out = static_cast<char*>(arena.allocate(text.size()));
  size_t size = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    bool escape = text[i] == '%' && i + 2 < text.size() && is_char(text[i + 1], kHexChar) &&
                  is_char(text[i + 2], kHexChar);
    if (!escape) {
      out[size++] = text[i];
      continue;
    }
    out[size++] = static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
    i += 2;
  }
  return {out, size};
}

}  // namespace weir::http
