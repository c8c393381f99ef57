// SPDX-License-Identifier: Apache-2.0
#include "config/values.h"

#include <gtest/gtest.h>

#include <tuple>

namespace weir::config {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Values, DurationsTakeOneNumberAndOneUnit) {
  EXPECT_EQ(parse_duration("250ms"), Millis{250});
  EXPECT_EQ(parse_duration("3s"), seconds{3});
  EXPECT_EQ(parse_duration("1.5s"), Millis{1500});
  EXPECT_EQ(parse_duration("5m"), minutes{5});
  EXPECT_EQ(parse_duration("2 h"), hours{2});
  EXPECT_EQ(parse_duration("0"), Millis{0});
}

TEST(Values, DurationsThatAreNotExactMillisecondsAreRefused) {
  for (const char* text : {"", "s", "1", ".5s", "1.s", "1e3s", "-1s", "+1s", "1d", "1S", "1s2",
                           "0.0001s", "1 000s", "99999999999999999s", "1.2.3s", "0x1s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Values, SizesArePowersOf1024) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("17B"), 17U);
  EXPECT_EQ(parse_size("64KiB"), 65536U);
  EXPECT_EQ(parse_size("1.5MiB"), 1572864U);
  EXPECT_EQ(parse_size("2GiB"), std::uint64_t{1} << 31);
  for (const char* text : {"64KB", "64k", "1M", "-1", "1.0000001KiB", "99999999TiB", "KiB"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Values, SizesInThousandsAreToldTheUnitThatIsMeant) {
  EXPECT_EQ(parse_size("64KB").error().hint, "units are powers of 1024: write 64KiB");
  EXPECT_EQ(parse_size("1.5m").error().hint, "units are powers of 1024: write 1.5MiB");
  EXPECT_EQ(parse_size("2 gb").error().hint, "units are powers of 1024: write 2 GiB");
}

TEST(Values, RatesAndSharesAreExact) {
  EXPECT_EQ(parse_rate("240B/s"), ByteRate{240});
  EXPECT_EQ(parse_rate("1KiB/s"), ByteRate{1024});
  EXPECT_EQ(parse_rate("0"), ByteRate{0});
  EXPECT_FALSE(parse_rate("240"));
  EXPECT_FALSE(parse_rate("1KiB/m"));
  EXPECT_EQ(parse_share("20%"), Share::percent(20));
  EXPECT_EQ(parse_share("0.0001%"), Share{1});
  EXPECT_FALSE(parse_share("0.00001%"));
  EXPECT_FALSE(parse_share("20"));
}

TEST(Values, CanonicalFormsReadBackAsTheyWere) {
  for (const char* text : {"0s", "1ms", "999ms", "1s", "59s", "60s", "90s", "2m", "1h", "24h"}) {
    EXPECT_EQ(format_duration(*parse_duration(text)), text);
  }
  for (const char* text : {"0", "1B", "1023B", "1KiB", "1025B", "10MiB", "3TiB"}) {
    EXPECT_EQ(format_size(*parse_size(text)), text);
  }
  for (const char* text : {"0%", "0.0001%", "0.5%", "12.34%", "100%", "1000%"}) {
    EXPECT_EQ(format_share(*parse_share(text)), text);
  }
  EXPECT_EQ(format_rate(*parse_rate("1024B/s")), "1KiB/s");
}

TEST(Values, AddressesHaveOneCanonicalText) {
  EXPECT_EQ(parse_address("127.0.0.1:80")->text, "127.0.0.1:80");
  EXPECT_EQ(parse_address("127.0.0.1:0080")->text, "127.0.0.1:80");
  EXPECT_EQ(parse_address("[0:0::1]:80")->text, "[::1]:80");
  EXPECT_EQ(parse_address("unix:/run/a.sock")->text, "unix:/run/a.sock");
  EXPECT_EQ(parse_address("unix:@weir")->path, "@weir");
}

TEST(Values, AnAddressIsParsedIntoItsParts) {
  const auto v4 = parse_address("10.1.2.3:8080");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->kind, Address::Kind::kIp);
  EXPECT_EQ(v4->ip, (IpAddress{false, {10, 1, 2, 3}}));
  EXPECT_EQ(v4->port, 8080);
  const auto v6 = parse_address("[2001:db8::1]:443");
  ASSERT_TRUE(v6);
  EXPECT_TRUE(v6->ip.is_v6);
  EXPECT_EQ(v6->ip.bytes[0], 0x20);
  EXPECT_EQ(v6->ip.bytes[15], 1);
}

TEST(Values, WhatIsNoAddressIsRefused) {
  for (const char* text : {"",
                           ":",
                           "80",
                           "a:80",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:x",
                           "127.0.0.1:65536",
                           "127.0.0.1:-1",
                           "::1:80",
                           "[::1]",
                           "[127.0.0.1]:80",
                           "[]:80",
                           "unix:",
                           "unix:a",
                           "unix:/",
                           "unix:@",
                           "/run/a",
                           "127.0.0.01:80",
                           "1.2.3.4.5:80",
                           "127.0.0.1:80:90"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
}

TEST(Values, TheLongestUnixPathIsTheKernels) {
  EXPECT_TRUE(parse_address("unix:/" + std::string(106, 'x')));
  EXPECT_FALSE(parse_address("unix:/" + std::string(107, 'x')));
}

TEST(Values, ANetworkContainsItsAddressesAndNoOther) {
  const std::vector<std::tuple<const char*, const char*, bool>> cases{
      {"10.0.0.0/8", "10.255.0.1", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"192.0.2.128/25", "192.0.2.128", true},
      {"192.0.2.128/25", "192.0.2.127", false},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "::1", false},
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.2", false},
      {"2001:db8::/33", "2001:db8:7fff::", true},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"10.0.0.0/8", "::ffff:10.1.1.1", true},
      {"::/0", "::1", true},
      {"::1", "::1", true},
      {"::/0", "10.0.0.1", false},
  };
  for (const auto& [network, peer, inside] : cases) {
    EXPECT_EQ(parse_cidr(network)->contains(*parse_ip(peer)), inside) << network << " " << peer;
  }
}

TEST(Values, NetworksWithHostBitsOrBadLengthsAreRefused) {
  for (const char* text : {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10/8",
                           "::/129", "::ffff:10.0.0.0/104", "a/8", ""}) {
    EXPECT_FALSE(parse_cidr(text)) << text;
  }
}

}  // namespace
}  // namespace weir::config
