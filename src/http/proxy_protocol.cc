// SPDX-License-Identifier: Apache-2.0
// The format: haproxy.org, proxy-protocol.txt.
#include "http/proxy_protocol.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace weir::http {
namespace {

using Kind = ProxyFacts::Kind;

constexpr std::string_view kV1Signature = "PROXY ";
constexpr std::string_view kV2Signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr size_t kV2Fixed = 16;
constexpr size_t kIpv4Block = 12;
constexpr size_t kIpv6Block = 36;
constexpr size_t kUnixBlock = 216;
constexpr size_t kUniqueIdBytes = 128;

constexpr uint8_t kTlvAlpn = 0x01, kTlvAuthority = 0x02, kTlvCrc32c = 0x03, kTlvUniqueId = 0x05;

std::unexpected<Error> bad(const char* detail) { return fail(ErrorCode::kBadProxyHeader, detail); }

bool agrees(std::string_view bytes, std::string_view signature) {
  const size_t n = std::min(bytes.size(), signature.size());
  return bytes.substr(0, n) == signature.substr(0, n);
}

uint8_t byte_at(std::string_view bytes, size_t i) { return static_cast<uint8_t>(bytes[i]); }

uint16_t u16_at(std::string_view bytes, size_t i) {
  return static_cast<uint16_t>(byte_at(bytes, i) << 8U | byte_at(bytes, i + 1));
}

// ---- Version 1.

// The next word of the line; exactly one space stands between two.
std::string_view take_word(std::string_view& line) {
  const size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line = space == line.npos ? std::string_view{} : line.substr(space + 1);
  return word;
}

bool parse_ip(std::string_view text, bool is_v6, IpAddress& out) {
  std::array<char, INET6_ADDRSTRLEN> zero_ended{};
  if (text.empty() || text.size() >= zero_ended.size()) return false;
  std::memcpy(zero_ended.data(), text.data(), text.size());
  out.is_v6 = is_v6;
  return ::inet_pton(is_v6 ? AF_INET6 : AF_INET, zero_ended.data(), out.bytes.data()) == 1;
}

// Decimal without sign, space or leading zeros, so that nobody else reads another number.
bool parse_port(std::string_view text, uint16_t& out) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return false;
  uint32_t port = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    port = port * 10 + static_cast<uint32_t>(c - '0');
  }
  out = static_cast<uint16_t>(port);
  return port <= 65535;
}

Result<void> parse_v1_line(std::string_view line, ProxyFacts& out) {
  const std::string_view family = take_word(line);
  if (family == "UNKNOWN") {
    out.kind = Kind::kUnknown;
    return {};
  }
  const bool is_v6 = family == "TCP6";
  if (!is_v6 && family != "TCP4") return bad("version 1 with an unknown family");
  const std::string_view source = take_word(line);
  const std::string_view destination = take_word(line);
  const std::string_view source_port = take_word(line);
  const bool whole =
      parse_ip(source, is_v6, out.source) && parse_ip(destination, is_v6, out.destination) &&
      parse_port(source_port, out.source_port) && parse_port(line, out.destination_port);
  if (!whole) return bad("version 1 with a malformed address");
  out.kind = Kind::kIp;
  return {};
}

Result<size_t> parse_v1(std::string_view bytes, ProxyFacts& out) {
  const std::string_view most = bytes.substr(0, kProxyV1Bytes);
  const size_t cr = most.find_first_of("\r\n");
  if (cr == most.npos || cr + 1 == most.size()) {
    const bool may_end = most.size() < kProxyV1Bytes && (cr == most.npos || most[cr] == '\r');
    return may_end ? Result<size_t>(0) : bad("version 1 without its line end");
  }
  if (most.substr(cr, 2) != "\r\n") return bad("version 1 without its line end");
  const Result<void> line =
      parse_v1_line(most.substr(kV1Signature.size(), cr - kV1Signature.size()), out);
  if (!line) return std::unexpected(line.error());
  return cr + 2;
}

// ---- Version 2.

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

// CRC32C of the header with the checksum's own four bytes, at `at`, taken as zeros.
uint32_t crc_without(std::string_view header, size_t at) {
  uint32_t crc = 0xffffffffU;
  for (size_t i = 0; i < header.size(); ++i) {
    const uint32_t byte = i - at < 4 ? 0U : byte_at(header, i);
    crc = kCrcTable[(crc ^ byte) & 0xffU] ^ (crc >> 8U);
  }
  return crc ^ 0xffffffffU;
}

// Two values for one fact are two meanings.
bool keep_once(std::string_view& fact, std::string_view value) {
  if (fact.data() != nullptr) return false;
  fact = value;
  return true;
}

Result<void> parse_tlv(uint8_t type, std::string_view header, std::string_view value,
                       ProxyFacts& out) {
  switch (type) {
    case kTlvAlpn:
      return keep_once(out.alpn, value) ? Result<void>() : bad("ALPN twice");
    case kTlvAuthority:
      return keep_once(out.authority, value) ? Result<void>() : bad("authority twice");
    case kTlvUniqueId:
      if (value.size() > kUniqueIdBytes) return bad("unique id over 128 bytes");
      return keep_once(out.unique_id, value) ? Result<void>() : bad("unique id twice");
    case kTlvCrc32c: {
      if (value.size() != 4) return bad("checksum of a wrong size");
      const uint32_t said = static_cast<uint32_t>(u16_at(value, 0)) << 16U | u16_at(value, 2);
      const auto at = static_cast<size_t>(value.data() - header.data());
      return said == crc_without(header, at) ? Result<void>() : bad("checksum does not match");
    }
    default:
      return {};
  }
}

Result<void> parse_tlvs(std::string_view header, size_t at, ProxyFacts& out) {
  while (at < header.size()) {
    if (header.size() - at < 3) return bad("a TLV is cut off");
    const size_t length = u16_at(header, at + 1);
    if (header.size() - at - 3 < length) return bad("a TLV is cut off");
    const Result<void> done =
        parse_tlv(byte_at(header, at), header, header.substr(at + 3, length), out);
    if (!done) return done;
    at += 3 + length;
  }
  return {};
}

void take_ip(std::string_view header, bool is_v6, ProxyFacts& out) {
  const size_t size = is_v6 ? 16 : 4;
  const char* at = header.data() + kV2Fixed;
  out.kind = Kind::kIp;
  out.source.is_v6 = out.destination.is_v6 = is_v6;
  std::memcpy(out.source.bytes.data(), at, size);
  std::memcpy(out.destination.bytes.data(), at + size, size);
  out.source_port = u16_at(header, kV2Fixed + 2 * size);
  out.destination_port = u16_at(header, kV2Fixed + 2 * size + 2);
}

// The address block; its size comes back. Datagrams are nothing that a stream can carry: such a
// header counts as unknown, and so does "unspecified".
Result<size_t> parse_addresses(std::string_view header, ProxyFacts& out) {
  const unsigned family = byte_at(header, 13) >> 4U;
  const unsigned transport = byte_at(header, 13) & 15U;
  if (family > 3 || transport > 2) return bad("version 2 with an unknown family");
  constexpr std::array<size_t, 4> kBlocks{0, kIpv4Block, kIpv6Block, kUnixBlock};
  const size_t block = kBlocks[family];
  if (header.size() - kV2Fixed < block) return bad("version 2 with its addresses cut off");
  out.kind = Kind::kUnknown;
  if (transport != 1) return block;
  if (family == 3) out.kind = Kind::kUnix;
  if (family == 1 || family == 2) take_ip(header, family == 2, out);
  return block;
}

Result<size_t> parse_v2(std::string_view bytes, ProxyFacts& out) {
  // Refused as early as the byte that is wrong is here.
  if (bytes.size() > 12 && byte_at(bytes, 12) >> 4U != 2) return bad("version is neither 1 nor 2");
  if (bytes.size() > 12 && (byte_at(bytes, 12) & 15U) > 1) return bad("unknown command");
  if (bytes.size() < kV2Fixed) return 0;
  const size_t total = kV2Fixed + u16_at(bytes, 14);
  if (total > kProxyV2Bytes) return bad("version 2 longer than 4 KiB");
  if (bytes.size() < total) return 0;
  // Of LOCAL nothing counts, addresses and family least of all.
  if ((byte_at(bytes, 12) & 15U) == 0) return total;
  const std::string_view header = bytes.substr(0, total);
  const Result<size_t> block = parse_addresses(header, out);
  if (!block) return block;
  const Result<void> tlvs = parse_tlvs(header, kV2Fixed + *block, out);
  if (!tlvs) return std::unexpected(tlvs.error());
  return total;
}

// ---- Writing.

class Writer {
 public:
  explicit Writer(std::span<char> out) : out_(out) {}
  void raw(const void* bytes, size_t n) {
    if (out_.size() - at_ < n) {
      fits_ = false;
      return;
    }
    if (n > 0) std::memcpy(out_.data() + at_, bytes, n);
    at_ += n;
  }
  void u8(unsigned value) {
    const auto byte = static_cast<uint8_t>(value);
    raw(&byte, 1);
  }
  void u16(size_t value) {
    u8(static_cast<unsigned>(value >> 8U & 0xffU));
    u8(static_cast<unsigned>(value & 0xffU));
  }
  void tlv(uint8_t type, std::string_view value) {
    if (value.empty()) return;
    u8(type);
    u16(value.size());
    raw(value.data(), value.size());
  }
  size_t size() const { return fits_ ? at_ : 0; }

 private:
  std::span<char> out_;
  size_t at_ = 0;
  bool fits_ = true;
};

void write_ip(Writer& out, const IpAddress& ip, bool as_v6) {
  constexpr std::array<uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (as_v6 && !ip.is_v6) out.raw(kMapped.data(), kMapped.size());
  out.raw(ip.bytes.data(), ip.is_v6 ? 16 : 4);
}

size_t tlv_size(std::string_view value) { return value.empty() ? 0 : 3 + value.size(); }

size_t tlvs_size(const ProxyFacts& facts) {
  return tlv_size(facts.alpn) + tlv_size(facts.authority) + tlv_size(facts.unique_id);
}

}  // namespace

bool begins_proxy_header(std::string_view bytes) {
  return agrees(bytes, kV1Signature) || agrees(bytes, kV2Signature);
}

Result<size_t> parse_proxy_header(std::string_view bytes, ProxyFacts& out) {
  out = ProxyFacts{};
  if (agrees(bytes, kV1Signature)) {
    return bytes.size() <= kV1Signature.size() ? Result<size_t>(0) : parse_v1(bytes, out);
  }
  if (agrees(bytes, kV2Signature)) return parse_v2(bytes, out);
  return bad("neither version's signature");
}

size_t proxy_v2_bound(const ProxyFacts& facts) { return kV2Fixed + kIpv6Block + tlvs_size(facts); }

size_t write_proxy_v2(const ProxyFacts& facts, std::span<char> out) {
  const bool local = facts.kind == Kind::kLocal;
  const bool ip = facts.kind == Kind::kIp;
  const bool as_v6 = ip && (facts.source.is_v6 || facts.destination.is_v6);
  const size_t block = ip ? (as_v6 ? kIpv6Block : kIpv4Block) : 0;
  const size_t rest = local ? 0 : block + tlvs_size(facts);
  if (rest > 0xffff) return 0;
  Writer writer(out);
  writer.raw(kV2Signature.data(), kV2Signature.size());
  writer.u8(local ? 0x20 : 0x21);
  writer.u8(ip ? (as_v6 ? 0x21 : 0x11) : 0x00);
  writer.u16(rest);
  if (local) return writer.size();
  if (ip) {
    write_ip(writer, facts.source, as_v6);
    write_ip(writer, facts.destination, as_v6);
    writer.u16(facts.source_port);
    writer.u16(facts.destination_port);
  }
  writer.tlv(kTlvAlpn, facts.alpn);
  writer.tlv(kTlvAuthority, facts.authority);
  writer.tlv(kTlvUniqueId, facts.unique_id);
  return writer.size();
}

}  // namespace weir::http
