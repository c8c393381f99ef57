// SPDX-License-Identifier: Apache-2.0
// Refusals and most normal forms are in the vectors (smuggling_test.cc).
#include "http/uri.h"

#include <gtest/gtest.h>

#include <string>

#include "message_outcome.h"

namespace weir::http {
namespace {

TEST(NormalisePath, ReturnsANormalPathItself) {
  Memory memory;
  for (std::string_view path : {"/", "/a", "/a/b.c/", "/.a/..b/c..", "/a;b=c/@:!$&'()*+,~_-"}) {
    Result<std::string_view> normal = normalise_path(path, memory.arena);
    ASSERT_TRUE(normal) << path;
    EXPECT_EQ(normal->data(), path.data());
    EXPECT_EQ(normal->size(), path.size());
  }
  EXPECT_EQ(memory.arena.held(), 0U);
}

TEST(NormalisePath, IsAFixpoint) {
  Memory memory;
  for (std::string_view path :
       {"/a/./b/../c", "//a//", "/%7euser", "/a%2d%2Ea", "/a|b", "/%e2%82%ac", "/a/b/../../c/./",
        "/./", "/a/../", "/%25%3F", "/a%20b", "/;/;a"}) {
    Result<std::string_view> once = normalise_path(path, memory.arena);
    ASSERT_TRUE(once) << path;
    Result<std::string_view> twice = normalise_path(*once, memory.arena);
    ASSERT_TRUE(twice) << *once;
    EXPECT_EQ(*twice, *once);
  }
}

TEST(NormalisePath, EncodedBytesOneByOne) {
  Memory memory;
  constexpr char kHex[] = "0123456789ABCDEF";
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::string code = {'%', kHex[byte >> 4], kHex[byte & 15]};
    std::string path = "/x" + code;
    Result<std::string_view> got = normalise_path(path, memory.arena);
    bool refused = byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\';
    ASSERT_EQ(!got, refused) << code;
    if (refused) continue;
    bool plain = (std::isalnum(static_cast<int>(byte)) != 0 && byte < 0x80) || byte == '-' ||
                 byte == '.' || byte == '_' || byte == '~';
    EXPECT_EQ(*got, plain ? "/x" + std::string(1, static_cast<char>(byte)) : path);
  }
}

TEST(NormalisePath, RefusesEveryRawByteThatIsNoPrintableAscii) {
  Memory memory;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (byte > 0x20 && byte < 0x7f && byte != '#' && byte != '\\' && byte != '%') continue;
    std::string path = "/a" + std::string(1, static_cast<char>(byte)) + "b";
    EXPECT_FALSE(normalise_path(path, memory.arena)) << byte;
  }
}

TEST(NormalisePath, NeedsASlashFirst) {
  Memory memory;
  EXPECT_FALSE(normalise_path("", memory.arena));
  EXPECT_FALSE(normalise_path("a", memory.arena));
  EXPECT_FALSE(normalise_path("%2f", memory.arena));
}

TEST(ParseAuthority, SplitsHostAndPort) {
  Memory memory;
  struct Case {
    std::string_view raw, text, host;
    uint16_t port;
  };
  const Case cases[] = {
      {"a.example", "a.example", "a.example", 0},
      {"A.Example:8080", "a.example:8080", "a.example", 8080},
      {"a.example.:1", "a.example:1", "a.example", 1},
      {"a.example:", "a.example", "a.example", 0},
      {"[::FFFF:1.2.3.4]:65535", "[::ffff:1.2.3.4]:65535", "[::ffff:1.2.3.4]", 65535},
      {"127.0.0.1:80", "127.0.0.1:80", "127.0.0.1", 80}};
  for (const Case& c : cases) {
    Result<Authority> got = parse_authority(c.raw, memory.arena);
    ASSERT_TRUE(got) << c.raw;
    EXPECT_EQ(got->text, c.text);
    EXPECT_EQ(got->host, c.host);
    EXPECT_EQ(got->port, c.port);
  }
}

TEST(ParseAuthority, ReturnsANormalOneItself) {
  Memory memory;
  std::string_view raw = "a.example:80";
  EXPECT_EQ(parse_authority(raw, memory.arena)->text.data(), raw.data());
  EXPECT_EQ(memory.arena.held(), 0U);
}

TEST(PercentDecode, DecodesWhatIsValidAndKeepsTheRest) {
  Memory memory;
  EXPECT_EQ(percent_decode("a%20b%2Fc", memory.arena), "a b/c");
  EXPECT_EQ(percent_decode("%zz%4", memory.arena), "%zz%4");
  EXPECT_EQ(percent_decode("%41", memory.arena), "A");
  EXPECT_EQ(percent_decode("%", memory.arena), "%");
  EXPECT_EQ(percent_decode("", memory.arena), "");
}

TEST(ValidQuery, TakesPrintableAsciiWithoutFragment) {
  EXPECT_TRUE(is_valid_query(""));
  EXPECT_TRUE(is_valid_query("a=b&c=%zz|\\\"<>{}[]^`?/"));
  EXPECT_FALSE(is_valid_query("a b"));
  EXPECT_FALSE(is_valid_query("a#b"));
  EXPECT_FALSE(is_valid_query("\x7f"));
  EXPECT_FALSE(is_valid_query("\xc3\xa9"));
}

}  // namespace
}  // namespace weir::http
