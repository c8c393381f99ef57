// SPDX-License-Identifier: Apache-2.0
#include "http/header_id.h"

#include <array>
#include <cstring>

#include "base/short_load.h"

namespace weir::http {
namespace {

constexpr size_t kIds = static_cast<size_t>(HeaderId::kCount);

// In the order of HeaderId.
constexpr std::array<std::string_view, kIds> kNames{
    "",
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "proxy-status",
    "retry-after",
    "server",
    "set-cookie",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
    "idempotency-key",
    "http2-settings",
    "sec-websocket-key",
    "sec-websocket-accept",
    "sec-websocket-version",
    "client-cert",
    "client-cert-chain",
    "priority",
    "grpc-status",
    "grpc-message",
    "grpc-timeout",
};

// A perfect hash of the names above; the factors were found by trial and are proved by
// make_table(). `| 0x20` folds the case of letters; what else it folds together the comparison
// tells apart.
constexpr size_t kSlots = 128;
constexpr size_t slot(std::string_view name) {
  size_t first = static_cast<uint8_t>(name.front()) | 0x20U;
  size_t later = static_cast<uint8_t>(name[name.size() * 3 / 4]) | 0x20U;
  size_t last = static_cast<uint8_t>(name.back()) | 0x20U;
  return (first * 3 + later * 15 + last * 11) % kSlots;
}

constexpr std::array<uint8_t, kSlots> make_table() {
  std::array<uint8_t, kSlots> table{};
  for (size_t id = 1; id < kIds; ++id) {
    uint8_t& entry = table[slot(kNames[id])];
    if (entry != 0) throw "two names in one slot: find other factors";
    entry = static_cast<uint8_t>(id);
  }
  return table;
}
constexpr std::array<uint8_t, kSlots> kTable = make_table();

/// Eight bytes with ASCII upper case folded to lower, other bytes as they are.
uint64_t fold(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101ull;
  uint64_t low = word & (kOnes * 0x7f);
  // Bit 7 of each byte: >= 'A' in the first, > 'Z' in the second.
  uint64_t upper = (low + kOnes * (0x80 - 'A')) & ~(low + kOnes * (0x7f - 'Z')) & ~word;
  return word | ((upper & (kOnes * 0x80)) >> 2);
}

uint64_t load(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

}  // namespace

bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  size_t n = a.size();
  if (n < 8) return fold(base::load_short(a)) == fold(base::load_short(b));
  for (size_t i = 0; i + 8 < n; i += 8) {
    if (fold(load(a.data() + i)) != fold(load(b.data() + i))) return false;
  }
  return fold(load(a.data() + n - 8)) == fold(load(b.data() + n - 8));
}

const Header* find_field(const HeaderList& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (header.name.size() == name.size() && iequals(header.name, name)) return &header;
  }
  return nullptr;
}

void remove_field(HeaderList& headers, std::string_view name) {
  headers.remove_if([name](const Header& header) {
    return header.name.size() == name.size() && iequals(header.name, name);
  });
}

bool is_x_forwarded(std::string_view name) {
  constexpr std::string_view kPrefix = "x-forwarded-";
  return name.size() >= kPrefix.size() && iequals(name.substr(0, kPrefix.size()), kPrefix);
}

HeaderId header_id(std::string_view name) {
  if (name.empty()) return HeaderId::kOther;
  uint8_t id = kTable[slot(name)];
  return id != 0 && iequals(name, kNames[id]) ? static_cast<HeaderId>(id) : HeaderId::kOther;
}

std::string_view header_name(HeaderId id) { return kNames[static_cast<size_t>(id)]; }

}  // namespace weir::http
