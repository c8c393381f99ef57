// SPDX-License-Identifier: Apache-2.0
#include "http/header_id.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::http {
namespace {

TEST(HeaderIds, EveryKnownNameIsFoundInAnyCase) {
  for (size_t i = 1; i < static_cast<size_t>(HeaderId::kCount); ++i) {
    auto id = static_cast<HeaderId>(i);
    std::string name(header_name(id));
    ASSERT_FALSE(name.empty()) << i;
    EXPECT_EQ(header_id(name), id) << name;
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_EQ(header_id(name), id) << name;
  }
}

TEST(HeaderIds, NamesThatDifferInOneByteAreOthers) {
  for (size_t i = 1; i < static_cast<size_t>(HeaderId::kCount); ++i) {
    std::string name(header_name(static_cast<HeaderId>(i)));
    for (size_t at = 0; at < name.size(); ++at) {
      for (char c : {'#', '_', '\0', '\r', '\x0d', '{', '\xed'}) {
        std::string other = name;
        other[at] = c;
        EXPECT_EQ(header_id(other), HeaderId::kOther) << other;
      }
    }
    EXPECT_EQ(header_id(name + "x"), HeaderId::kOther);
    EXPECT_EQ(header_id(name.substr(1)), HeaderId::kOther);
  }
  EXPECT_EQ(header_id(""), HeaderId::kOther);
}

TEST(HeaderIds, IequalsFoldsLettersOnly) {
  EXPECT_TRUE(iequals("", ""));
  EXPECT_TRUE(iequals("a", "A"));
  EXPECT_TRUE(iequals("Transfer-ENCODING", "transfer-encoding"));
  EXPECT_TRUE(iequals("12345678", "12345678"));
  EXPECT_FALSE(iequals("a", "b"));
  EXPECT_FALSE(iequals("abc", "ab"));
  EXPECT_FALSE(iequals("transfer-encoding", "transfer-encodinG "));
}

TEST(HeaderIds, IequalsAgreesWithTheObviousWayOnAllPairsOfBytes) {
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      auto fold = [](unsigned c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; };
      for (const std::string before : {"", "1", "12", "123", "12345", "1234567", "12345678"}) {
        std::string one = before + std::string(1, static_cast<char>(a));
        std::string two = before + std::string(1, static_cast<char>(b));
        ASSERT_EQ(iequals(one, two), fold(a) == fold(b)) << before << ' ' << a << ' ' << b;
        ASSERT_EQ(iequals(one + "x", two + "X"), fold(a) == fold(b)) << before << ' ' << a;
      }
    }
  }
}

TEST(HeaderIds, AListHasTheIdsOfItsFields) {
  Header fields[4];
  HeaderList list(fields, 4);
  EXPECT_FALSE(HeaderIds(list).has(HeaderId::kOther));
  list.push({"Via", "1.1 a", HeaderId::kVia});
  list.push({"grpc-timeout", "1S", HeaderId::kGrpcTimeout});
  const HeaderIds ids(list);
  EXPECT_TRUE(ids.has(HeaderId::kVia));
  EXPECT_TRUE(ids.has(HeaderId::kGrpcTimeout));
  EXPECT_FALSE(ids.has(HeaderId::kOther));
  EXPECT_FALSE(ids.has(HeaderId::kHost));
}

TEST(HeaderIds, FieldsAreFoundAndRemovedByName) {
  Header fields[4];
  HeaderList list(fields, 4);
  list.push({"X-One", "1", HeaderId::kOther});
  list.push({"X-Two", "2", HeaderId::kOther});
  list.push({"x-one", "3", HeaderId::kOther});
  list.push({"X-Oned", "4", HeaderId::kOther});
  ASSERT_NE(find_field(list, "x-two"), nullptr);
  EXPECT_EQ(find_field(list, "x-two")->value, "2");
  EXPECT_EQ(find_field(list, "x-three"), nullptr);
  remove_field(list, "x-three");
  EXPECT_EQ(list.size(), 4U);
  remove_field(list, "x-one");
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].value, "2");
  EXPECT_EQ(list[1].value, "4");
}

TEST(HeaderIds, XForwardedFamily) {
  EXPECT_TRUE(is_x_forwarded("X-Forwarded-Prefix"));
  EXPECT_TRUE(is_x_forwarded("x-forwarded-for"));
  EXPECT_FALSE(is_x_forwarded("X-Forwarded"));
  EXPECT_FALSE(is_x_forwarded("Forwarded"));
}

}  // namespace
}  // namespace weir::http
