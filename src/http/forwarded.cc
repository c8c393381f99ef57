// SPDX-License-Identifier: Apache-2.0
#include "http/forwarded.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "http/chars.h"
#include "http/header_id.h"

namespace weir::http {
namespace {

bool is_forwarding_id(HeaderId id) {
  switch (id) {
    case HeaderId::kForwarded:
    case HeaderId::kXForwardedFor:
    case HeaderId::kXForwardedHost:
    case HeaderId::kXForwardedPort:
    case HeaderId::kXForwardedProto:
    case HeaderId::kXRealIp:
      return true;
    default:
      return false;
  }
}

bool is_token(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_char(c, kTokenChar); });
}

/// All values of `id` as one list; the fields go.
std::string_view take_all(HeaderList& headers, HeaderId id, base::Arena& arena) {
  std::string_view all;
  for (const Header& header : headers) {
    if (header.id != id || header.value.empty()) continue;
    all = all.empty() ? header.value : arena.concat({all, ", ", header.value});
  }
  headers.remove_if([id](const Header& header) { return header.id == id; });
  return all;
}

bool push(HeaderList& headers, HeaderId id, std::string_view name, std::string_view value) {
  return value.empty() || headers.push({name, value, id});
}

}  // namespace

std::string_view append_forwarded_for(std::string_view existing, std::string_view peer,
                                      base::Arena& arena) {
  if (existing.empty()) return peer;
  if (peer.empty()) return existing;
  return arena.concat({existing, ", ", peer});
}

std::optional<IpAddress> parse_forwarded_address(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  if (text.starts_with('[')) {
    text = text.substr(1, std::min(text.find(']'), text.size()) - 1);
  } else if (std::ranges::count(text, ':') == 1) {
    text = text.substr(0, text.find(':'));
  }
  std::array<char, INET6_ADDRSTRLEN> copy{};  // inet_pton wants a terminator
  if (text.size() >= copy.size()) return std::nullopt;
  text.copy(copy.data(), text.size());
  IpAddress out;
  if (inet_pton(AF_INET, copy.data(), out.bytes.data()) == 1) return out;
  out.is_v6 = true;
  if (inet_pton(AF_INET6, copy.data(), out.bytes.data()) == 1) return out;
  return std::nullopt;
}

std::string_view forwarded_element(const ForwardedFacts& facts, base::Arena& arena) {
  // RFC 7239, 6: an IPv6 address stands in brackets, and what is no token in quotes.
  std::string_view peer = facts.peer.empty() ? "unknown" : facts.peer;
  bool ipv6 = peer.find(':') != peer.npos;
  std::string_view open = ipv6 ? "for=\"[" : "for=";
  std::string_view close = ipv6 ? "]\"" : "";
  if (facts.host.empty()) return arena.concat({open, peer, close, ";proto=", facts.proto});
  std::string_view quote = is_token(facts.host) ? "" : "\"";
  return arena.concat(
      {open, peer, close, ";host=", quote, facts.host, quote, ";proto=", facts.proto});
}

bool set_forwarded(HeaderList& headers, const ForwardedFacts& facts, base::Arena& arena) {
  if (!facts.trusted) {
    // The whole family: some framework believes X-Forwarded-Prefix, -Server, -Ssl.
    headers.remove_if([](const Header& header) {
      return is_forwarding_id(header.id) || is_x_forwarded(header.name);
    });
  }
  const HeaderIds there(headers);
  const auto take = [&](HeaderId id) {
    return there.has(id) ? take_all(headers, id, arena) : std::string_view{};
  };
  const auto push_if_absent = [&](HeaderId id, std::string_view name, std::string_view value) {
    return there.has(id) || push(headers, id, name, value);
  };
  const std::string_view chain = take(HeaderId::kXForwardedFor);
  bool room = push(headers, HeaderId::kXForwardedFor, "X-Forwarded-For",
                   append_forwarded_for(chain, facts.peer, arena));
  room &= push_if_absent(HeaderId::kXForwardedProto, "X-Forwarded-Proto", facts.proto);
  room &= push_if_absent(HeaderId::kXForwardedHost, "X-Forwarded-Host", facts.host);
  room &= push_if_absent(HeaderId::kXForwardedPort, "X-Forwarded-Port", facts.port);
  room &= push_if_absent(HeaderId::kXRealIp, "X-Real-IP", facts.peer);
  if (!facts.emit_forwarded) return room;
  std::string_view existing = take(HeaderId::kForwarded);
  std::string_view element = forwarded_element(facts, arena);
  if (!existing.empty()) element = arena.concat({existing, ", ", element});
  return room & push(headers, HeaderId::kForwarded, "Forwarded", element);
}

std::string_view via_value(Version received) {
  switch (received) {
    case Version::kHttp10:
      return "1.0 weir";
    case Version::kHttp2:
      return "2 weir";
    case Version::kHttp11:
      break;
  }
  return "1.1 weir";
}

}  // namespace weir::http
