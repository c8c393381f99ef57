// SPDX-License-Identifier: Apache-2.0
#include "config/environment.h"

#include <gtest/gtest.h>

#include "loading.h"

namespace weir::config {
namespace {

using test::sealed;

std::string expanded(std::string_view text) {
  const auto environment =
      sealed({{"A", "one"}, {"B_2", "two"}, {"EMPTY", ""}, {"BAD", "a\nb\x01"}}).environment;
  const auto result = expand(text, environment);
  return result ? *result : "error: " + result.error().message;
}

TEST(Environment, ReplacesEveryVariable) {
  EXPECT_EQ(expanded("${A}"), "one");
  EXPECT_EQ(expanded("x${A}y${B_2}z"), "xoneytwoz");
  EXPECT_EQ(expanded("${EMPTY}"), "");
  EXPECT_EQ(expanded("plain $A {A} $"), "plain $A {A} $");
}

TEST(Environment, ADefaultStandsInForAMissingVariableOnly) {
  EXPECT_EQ(expanded("${NOPE:-x}"), "x");
  EXPECT_EQ(expanded("${NOPE:-}"), "");
  EXPECT_EQ(expanded("${A:-x}"), "one");
  EXPECT_EQ(expanded("${EMPTY:-x}"), "");
}

TEST(Environment, TwoDollarsKeepTheTextAsItIs) {
  EXPECT_EQ(expanded("$${A}"), "${A}");
  EXPECT_EQ(expanded("$${"), "${");
  EXPECT_EQ(expanded(escape_variables("a${A}b${")), "a${A}b${");
}

TEST(Environment, WhatIsNoVariableIsAnError) {
  for (const char* text : {"${NOPE}", "${A", "${}", "${1A}", "${A B}", "${A-x}", "${BAD}"}) {
    EXPECT_TRUE(expanded(text).starts_with("error: ")) << text;
  }
}

TEST(Environment, AVariableCanFillAValueButNeverAddKeys) {
  const Config config =
      test::good(test::around("shutdown: {drain: \"${D}\"}"), sealed({{"D", "7s"}}));
  EXPECT_EQ(config.shutdown.drain, std::chrono::seconds{7});
  const auto findings =
      test::bad(test::around("shutdown: {drain: \"${D}\"}"), sealed({{"D", "7s}\nworkers: 3"}}));
  EXPECT_EQ(findings.at(0).key, "shutdown.drain");
}

}  // namespace
}  // namespace weir::config
