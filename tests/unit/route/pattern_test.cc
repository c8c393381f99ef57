// SPDX-License-Identifier: Apache-2.0
#include "route/pattern.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace weir::route {
namespace {

bool matches(std::string_view pattern, std::string_view subject) {
  auto compiled = Pattern::compile(pattern);
  return compiled && compiled->matches(subject);
}

TEST(Pattern, MatchesTheWholeSubject) {
  EXPECT_TRUE(matches("/a+", "/aaa"));
  EXPECT_FALSE(matches("/a+", "/aaab"));
  EXPECT_FALSE(matches("/a+", "x/aaa"));
  EXPECT_TRUE(matches("/a|/b/.*", "/b/c"));
  EXPECT_TRUE(matches("(a|aa)", "aa"));
}

// The bounds that spare most runs must never refuse what the pattern takes.
TEST(Pattern, QuickBoundsDoNotChangeTheVerdict) {
  struct Case {
    const char* pattern;
    const char* subject;
    bool verdict;
  };
  const Case cases[] = {
      {"/v[0-9]+/x", "/v12/x", true},
      {"/v[0-9]+/x", "/w12/x", false},
      {"(?i)/ABC", "/abc", true},
      {"(?i)/abc", "/ABC", true},
      {".*", "\xff\xff\xff", true},
      {"\\xff+", "\xff\xff", true},
      {"a*", "", true},
      {"a*", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
      {"[a-z]{40}z", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", true},
      {"", "", true},
      {"", "a", false},
      {"^/a$", "/a", true},
      {"/a/|", "", true},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(matches(c.pattern, c.subject), c.verdict) << c.pattern << " on " << c.subject;
  }
}

TEST(Pattern, ErrorSaysWhatRe2Says) {
  const auto bad = Pattern::compile("a(b");
  ASSERT_FALSE(bad.has_value());
  EXPECT_NE(bad.error().find("missing )"), std::string::npos) << bad.error();
}

TEST(Pattern, LookAroundIsRefused) { EXPECT_FALSE(Pattern::compile("(?=a)").has_value()); }

TEST(Pattern, PatternThatNeedsTooMuchMemoryIsRefused) {
  EXPECT_FALSE(Pattern::compile("((((.{100}){100}){100}){100})").has_value());
}

TEST(Pattern, HostileSubjectTakesLinearTime) {
  const std::string subject = std::string(16384, 'a') + "!";
  EXPECT_FALSE(matches("(a+)+b", subject));
  EXPECT_FALSE(matches("(a|aa)*[bc](.|..){20}", subject));
}

TEST(Pattern, FindGivesGroupsOfTheFirstMatch) {
  const auto pattern = Pattern::compile("v([0-9]+)(x)?");
  std::array<std::string_view, 3> groups;
  ASSERT_TRUE(pattern->find("/v12/v34", groups));
  EXPECT_EQ(groups[0], "v12");
  EXPECT_EQ(groups[1], "12");
  EXPECT_EQ(groups[2].data(), nullptr);
  EXPECT_FALSE(pattern->find("/w", groups));
}

TEST(Pattern, SubstitutionIsCheckedAgainstTheGroups) {
  const auto pattern = Pattern::compile("(a)(b)");
  EXPECT_EQ(pattern->check_substitution("\\2\\1\\0\\\\"), "");
  EXPECT_NE(pattern->check_substitution("\\3"), "");
  EXPECT_NE(pattern->check_substitution("a\\"), "");
  EXPECT_NE(pattern->check_substitution("\\n"), "");
}

}  // namespace
}  // namespace weir::route
