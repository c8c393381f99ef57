// SPDX-License-Identifier: Apache-2.0
#include "http/proxy_protocol.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace weir::http {
namespace {

using Kind = ProxyFacts::Kind;
using std::string;

const string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

string u16(size_t n) { return {static_cast<char>(n >> 8U), static_cast<char>(n & 255U)}; }

string v2(unsigned command, unsigned family, const string& block) {
  return kSignature + static_cast<char>(0x20 | command) + static_cast<char>(family) +
         u16(block.size()) + block;
}

string tlv(unsigned type, const string& value) {
  return static_cast<char>(type) + u16(value.size()) + value;
}

const string kIpv4Block =
    string("\x0a\x00\x00\x01", 4) + string("\xc0\x00\x02\x07", 4) + u16(40000) + u16(443);
const string kTlvs = tlv(1, "h2") + tlv(2, "example.com") + tlv(5, "id-1") + tlv(0xe0, "any");

IpAddress ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) { return {false, {a, b, c, d}}; }

size_t size_of(std::string_view bytes, ProxyFacts& facts) {
  const Result<size_t> parsed = parse_proxy_header(bytes, facts);
  EXPECT_TRUE(parsed) << bytes << ": " << (parsed ? "" : parsed.error().detail);
  return parsed.value_or(SIZE_MAX);
}

const char* refusal(const string& bytes) {
  ProxyFacts facts;
  const Result<size_t> parsed = parse_proxy_header(bytes, facts);
  if (parsed) return nullptr;
  EXPECT_EQ(parsed.error().code, ErrorCode::kBadProxyHeader);
  return parsed.error().detail;
}

TEST(ProxyProtocol, ReadsVersion1) {
  ProxyFacts facts;
  const string line = "PROXY TCP4 10.0.0.1 192.0.2.7 40000 443\r\n";
  EXPECT_EQ(size_of(line + "GET / HTTP/1.1\r\n", facts), line.size());
  EXPECT_EQ(facts.kind, Kind::kIp);
  EXPECT_EQ(facts.source, ipv4(10, 0, 0, 1));
  EXPECT_EQ(facts.destination, ipv4(192, 0, 2, 7));
  EXPECT_EQ(facts.source_port, 40000);
  EXPECT_EQ(facts.destination_port, 443);
}

TEST(ProxyProtocol, ReadsVersion1OfTheLongestForm) {
  ProxyFacts facts;
  const string v6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  const string line = "PROXY TCP6 " + v6 + " " + v6 + " 65535 65535\r\n";
  EXPECT_EQ(size_of(line, facts), line.size());
  EXPECT_TRUE(facts.source.is_v6);
  EXPECT_EQ(facts.source.bytes[15], 0xff);
  const string unknown = "PROXY UNKNOWN " + v6 + " " + v6 + " 65535 65535\r\n";
  EXPECT_EQ(unknown.size(), kProxyV1Bytes);
  EXPECT_EQ(size_of(unknown, facts), unknown.size());
  EXPECT_EQ(facts.kind, Kind::kUnknown);
  EXPECT_EQ(size_of("PROXY UNKNOWN\r\n", facts), 15U);
}

TEST(ProxyProtocol, RefusesMalformedVersion1) {
  for (const char* line :
       {"PROXY TCP4 10.0.0.1 192.0.2.7 40000\r\n", "PROXY TCP4  10.0.0.1 192.0.2.7 1 2\r\n",
        "PROXY TCP4 10.0.0.01 192.0.2.7 1 2\r\n", "PROXY TCP4 10.0.0.1 192.0.2.7 01 2\r\n",
        "PROXY TCP4 10.0.0.1 192.0.2.7 1 65536\r\n", "PROXY TCP4 10.0.0.1 192.0.2.7 1 2 \r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP6 10.0.0.1 192.0.2.7 1 2\r\n",
        "PROXY UDP4 10.0.0.1 192.0.2.7 1 2\r\n", "PROXY TCP4 10.0.0.1 192.0.2.7 1 2\n",
        "PROXY TCP4 10.0.0.1 192.0.2.7 1 2\rX", "PROXY \r\n", "PROXY unknown\r\n",
        "PROXY TCP4 10.0.0.1 192.0.2.7 1 +2\r\n"}) {
    EXPECT_NE(refusal(line), nullptr) << line;
  }
  EXPECT_STREQ(refusal("PROXY UNKNOWN " + string(92, 'x') + "\r\n"),
               "version 1 without its line end");
}

TEST(ProxyProtocol, ReadsVersion2WithTlvs) {
  ProxyFacts facts;
  const string header = v2(1, 0x11, kIpv4Block + kTlvs);
  const string bytes = header + "rest";
  EXPECT_EQ(size_of(bytes, facts), header.size());
  EXPECT_EQ(facts.kind, Kind::kIp);
  EXPECT_EQ(facts.source, ipv4(10, 0, 0, 1));
  EXPECT_EQ(facts.destination_port, 443);
  EXPECT_EQ(facts.alpn, "h2");
  EXPECT_EQ(facts.authority, "example.com");
  EXPECT_EQ(facts.unique_id, "id-1");
}

TEST(ProxyProtocol, KeepsTheSocketsPeerWhereNoAddressIsSaid) {
  const struct {
    string header;
    Kind kind;
  } cases[] = {
      {v2(0, 0x00, ""), Kind::kLocal},           {v2(0, 0x11, kIpv4Block), Kind::kLocal},
      {v2(0, 0xff, "anything"), Kind::kLocal},   {v2(1, 0x00, kTlvs), Kind::kUnknown},
      {v2(1, 0x12, kIpv4Block), Kind::kUnknown}, {v2(1, 0x31, string(216, 'p')), Kind::kUnix},
  };
  for (const auto& [header, kind] : cases) {
    ProxyFacts facts;
    EXPECT_EQ(size_of(header, facts), header.size());
    EXPECT_EQ(facts.kind, kind);
    EXPECT_EQ(facts.source_port, 0);
  }
}

TEST(ProxyProtocol, RefusesMalformedVersion2) {
  const string twelve = kIpv4Block;
  const struct {
    string header;
    const char* detail;
  } cases[] = {
      {kSignature + "\x11", "version is neither 1 nor 2"},
      {kSignature + "\x22", "unknown command"},
      {v2(1, 0x41, twelve), "version 2 with an unknown family"},
      {v2(1, 0x13, twelve), "version 2 with an unknown family"},
      {v2(1, 0x11, twelve.substr(1)), "version 2 with its addresses cut off"},
      {v2(1, 0x21, twelve), "version 2 with its addresses cut off"},
      {v2(1, 0x11, twelve + "\x02"), "a TLV is cut off"},
      {v2(1, 0x11,
          twelve + string("\x02\x00\x05"
                          "abcd",
                          7)),
       "a TLV is cut off"},
      {v2(1, 0x11, twelve + tlv(2, "a") + tlv(2, "a")), "authority twice"},
      {v2(1, 0x11, twelve + tlv(5, string(129, 'i'))), "unique id over 128 bytes"},
      {v2(1, 0x11, twelve + tlv(3, "abc")), "checksum of a wrong size"},
      {v2(1, 0x11, twelve + tlv(3, "abcd")), "checksum does not match"},
      {kSignature + string("\x21\x11\x10\x01", 4), "version 2 longer than 4 KiB"},
      {"GET / HTTP/1.1\r\n", "neither version's signature"},
  };
  for (const auto& [header, detail] : cases) EXPECT_STREQ(refusal(header), detail);
}

TEST(ProxyProtocol, ChecksTheChecksumThatIsThere) {
  // CRC32C of "123456789" is e3069283; here it is taken over a header, bit by bit and apart.
  string header = v2(1, 0x11, kIpv4Block + tlv(3, string(4, '\0')) + tlv(2, "a.test"));
  uint32_t crc = 0xffffffffU;
  for (char c : header) {
    crc ^= static_cast<uint8_t>(c);
    for (int i = 0; i < 8; ++i) crc = (crc & 1U) != 0 ? crc >> 1U ^ 0x82f63b78U : crc >> 1U;
  }
  crc = ~crc;
  for (unsigned i = 0; i < 4; ++i) header[31 + i] = static_cast<char>(crc >> (24 - 8 * i) & 0xffU);
  ProxyFacts facts;
  EXPECT_EQ(size_of(header, facts), header.size());
  EXPECT_EQ(facts.authority, "a.test");
  header.back() = 'x';
  EXPECT_STREQ(refusal(header), "checksum does not match");
}

TEST(ProxyProtocol, NeedsMoreAtEveryCutAndThenSaysTheSame) {
  for (const string& header :
       {string("PROXY TCP4 10.0.0.1 192.0.2.7 40000 443\r\n"), string("PROXY UNKNOWN\r\n"),
        v2(1, 0x11, kIpv4Block + kTlvs), v2(0, 0, "")}) {
    ProxyFacts facts;
    for (size_t cut = 0; cut < header.size(); ++cut) {
      EXPECT_EQ(size_of(header.substr(0, cut), facts), 0U) << cut;
      EXPECT_TRUE(begins_proxy_header(header.substr(0, cut)));
    }
    EXPECT_EQ(size_of(header, facts), header.size());
  }
}

TEST(ProxyProtocol, IsNotTakenForHttpOrTls) {
  for (const char* start :
       {"G", "POST ", "PRI * HTTP/2.0", "\x16\x03\x01", "\r\nGET /", "PROXYX"}) {
    EXPECT_FALSE(begins_proxy_header(start)) << start;
  }
}

TEST(ProxyProtocol, ReadsWhatItWrites) {
  ProxyFacts in;
  in.kind = Kind::kIp;
  in.source = ipv4(10, 1, 2, 3);
  in.destination = ipv4(192, 0, 2, 1);
  in.source_port = 1;
  in.destination_port = 65535;
  in.authority = "a.test";
  in.unique_id = "0123";
  in.alpn = "http/1.1";
  std::array<char, 256> room;
  const size_t size = write_proxy_v2(in, room);
  ASSERT_GT(size, 0U);
  EXPECT_LE(size, proxy_v2_bound(in));
  ProxyFacts out;
  EXPECT_EQ(size_of({room.data(), size}, out), size);
  EXPECT_EQ(out.kind, Kind::kIp);
  EXPECT_EQ(out.source, in.source);
  EXPECT_EQ(out.destination, in.destination);
  EXPECT_EQ(out.source_port, 1);
  EXPECT_EQ(out.destination_port, 65535);
  EXPECT_EQ(out.authority, "a.test");
  EXPECT_EQ(out.unique_id, "0123");
  EXPECT_EQ(out.alpn, "http/1.1");
}

TEST(ProxyProtocol, WritesMixedFamiliesAsIpv6) {
  ProxyFacts in;
  in.kind = Kind::kIp;
  in.source = ipv4(10, 1, 2, 3);
  in.destination = {true, {0x20, 1}};
  std::array<char, 64> room;
  ProxyFacts out;
  EXPECT_EQ(size_of({room.data(), write_proxy_v2(in, room)}, out), 52U);
  EXPECT_EQ(out.source.unmapped(), in.source);
  EXPECT_EQ(out.destination, in.destination);
}

TEST(ProxyProtocol, WritesNothingWhereTheRoomIsTooSmall) {
  ProxyFacts in;
  in.kind = Kind::kIp;
  std::array<char, 27> room;
  EXPECT_EQ(write_proxy_v2(in, room), 0U);
  in.kind = Kind::kLocal;
  EXPECT_EQ(write_proxy_v2(in, room), 16U);
  in.kind = Kind::kUnix;
  EXPECT_EQ(write_proxy_v2(in, room), 16U);
}

}  // namespace
}  // namespace weir::http
