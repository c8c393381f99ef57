// SPDX-License-Identifier: Apache-2.0
#include "route/condition.h"

#include <gtest/gtest.h>

#include "route/query.h"
#include "route_fixture.h"

namespace weir::route {
namespace {

bool holds(Condition::On on, const ValueMatch& match, TestRequest request) {
  config::Diagnostics diagnostics;
  TestArena scratch;
  const auto condition = Condition::compile(on, match, "key", diagnostics);
  return condition && condition->holds(request.head(), scratch.arena);
}
bool header_holds(const ValueMatch& match, std::string name, std::string value) {
  return holds(Condition::On::kHeader, match,
               TestRequest("GET", "h", "/").header(std::move(name), std::move(value)));
}
bool query_holds(const ValueMatch& match, std::string query) {
  return holds(Condition::On::kQuery, match, {"GET", "h", "/", std::move(query)});
}

TEST(HeaderCondition, NameWithoutRegardToCaseValueWith) {
  EXPECT_TRUE(header_holds(value_is("x-a", "One"), "X-A", "One"));
  EXPECT_FALSE(header_holds(value_is("x-a", "One"), "X-A", "one"));
  EXPECT_FALSE(header_holds(value_is("x-a", "One"), "x-b", "One"));
  EXPECT_TRUE(header_holds(value_is("user-agent", "curl"), "User-Agent", "curl"));
}

TEST(HeaderCondition, Kinds) {
  EXPECT_TRUE(header_holds(value_starts("x-a", "v1"), "x-a", "v12"));
  EXPECT_FALSE(header_holds(value_starts("x-a", "v1"), "x-a", "v"));
  EXPECT_TRUE(header_holds(value_regex("x-a", "v[0-9]"), "x-a", "v1"));
  EXPECT_FALSE(header_holds(value_regex("x-a", "v[0-9]"), "x-a", "v12"));
  EXPECT_TRUE(header_holds(value_there("x-a"), "x-a", ""));
  EXPECT_FALSE(header_holds(value_there("x-a"), "x-ab", ""));
}

TEST(HeaderCondition, AnyOfSeveralValuesWillDo) {
  const auto request = TestRequest("GET", "h", "/").header("x-a", "1").header("X-A", "2");
  EXPECT_TRUE(holds(Condition::On::kHeader, value_is("x-a", "1"), request));
  EXPECT_TRUE(holds(Condition::On::kHeader, value_is("x-a", "2"), request));
  EXPECT_FALSE(holds(Condition::On::kHeader, value_is("x-a", "1, 2"), request));
}

TEST(QueryCondition, DecodedOnceByOneRule) {
  struct Case {
    const char* query;
    const char* value;
    bool verdict;
  };
  const Case cases[] = {
      {"q=a", "a", true},       {"q=a%62c", "abc", true}, {"q=a+b", "a b", true},
      {"q=a%2Bb", "a+b", true}, {"q=%2541", "%41", true}, {"q=%2541", "A", false},
      {"q=%4", "%4", true},     {"q=%zz", "%zz", true},   {"q=a=b", "a=b", true},
      {"q", "", true},          {"q=", "", true},         {"%71=a", "a", true},
      {"x=1&q=a", "a", true},   {"&&q=a&", "a", true},    {"q=b&q=a", "a", true},
      {"Q=a", "a", false},      {"q=a;b", "a", false},    {"qq=a", "a", false},
      {"", "", false},          {"q=ab", "a", false},     {"q=%00", "", false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(query_holds(value_is("q", c.value), c.query), c.verdict) << c.query;
  }
}

TEST(QueryCondition, Kinds) {
  EXPECT_TRUE(query_holds(value_starts("q", "a b"), "q=a%20bc"));
  EXPECT_FALSE(query_holds(value_starts("q", "abc"), "q=ab"));
  EXPECT_TRUE(query_holds(value_regex("q", "a b[0-9]"), "q=a+b%31"));
  EXPECT_FALSE(query_holds(value_regex("q", "a"), "q=ab"));
  EXPECT_TRUE(query_holds(value_there("q"), "q"));
  EXPECT_FALSE(query_holds(value_there("q"), "p=q"));
}

TEST(QueryCondition, DecodeGivesBackPlainTextUncopied) {
  TestArena scratch;
  const std::string_view plain = "abc";
  EXPECT_EQ(decode(plain, scratch.arena).data(), plain.data());
  EXPECT_EQ(decode("a%2Fb+%", scratch.arena), "a/b %");
}

}  // namespace
}  // namespace weir::route
