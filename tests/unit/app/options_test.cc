// SPDX-License-Identifier: Apache-2.0
#include "app/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "app/exit_code.h"

namespace weir::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Options good(std::vector<std::string> arguments) {
  auto options = parse_options(std::move(arguments));
  EXPECT_TRUE(options) << options.error().text;
  return options.value_or(Options());
}

TEST(Options, RunTakesAConfig) {
  const Options options = good({"run", "-c", "weir.yaml"});
  EXPECT_EQ(options.command, Command::kRun);
  EXPECT_EQ(options.config, "weir.yaml");
}

TEST(Options, CheckTakesItsFileEitherWay) {
  EXPECT_EQ(good({"check", "a.yaml"}).config, "a.yaml");
  EXPECT_EQ(good({"check", "-c", "a.yaml"}).config, "a.yaml");
  EXPECT_FALSE(good({"check", "a.yaml"}).json);
  EXPECT_TRUE(good({"check", "a.yaml", "--format", "json"}).json);
  EXPECT_TRUE(good({"check", "--json", "a.yaml"}).json);
}

TEST(Options, DiffTakesOldThenNew) {
  const Options options = good({"diff", "old.yaml", "new.yaml"});
  EXPECT_EQ(options.command, Command::kDiff);
  EXPECT_EQ(options.old_config, "old.yaml");
  EXPECT_EQ(options.new_config, "new.yaml");
}

TEST(Options, ExplainTakesARequestWithManyHeaders) {
  const Options options =
      good({"explain", "-c", "f", "-H", "a: 1", "GET", "http://h/p?q", "-H", "b: 2"});
  EXPECT_EQ(options.command, Command::kExplain);
  EXPECT_EQ(options.method, "GET");
  EXPECT_EQ(options.url, "http://h/p?q");
  EXPECT_THAT(options.headers, ElementsAre("a: 1", "b: 2"));
}

TEST(Options, ExplainOrderNeedsNoRequest) {
  EXPECT_TRUE(good({"explain", "-c", "f", "--order"}).order);
}

TEST(Options, ClientCommandsKnowTheUsualSocketAndTakeAnother) {
  ::unsetenv("WEIR_ADMIN");
  EXPECT_EQ(good({"reload"}).admin, "unix:/run/weir/admin.sock");
  EXPECT_EQ(good({"status", "--admin", "unix:/tmp/a"}).admin, "unix:/tmp/a");
  EXPECT_EQ(good({"drain", "-c", "weir.yaml"}).config, "weir.yaml");
  ::setenv("WEIR_ADMIN", "unix:/tmp/env", 1);
  EXPECT_EQ(good({"top"}).admin, "unix:/tmp/env");
  EXPECT_EQ(good({"top", "--admin", "unix:/tmp/a"}).admin, "unix:/tmp/a");
  ::unsetenv("WEIR_ADMIN");
}

TEST(Options, SetTakesWhatAndHowLong) {
  const Options options = good({"set", "endpoint", "app/[::1]:80", "drain", "--for", "5m"});
  EXPECT_EQ(options.command, Command::kSet);
  EXPECT_EQ(options.kind, "endpoint");
  EXPECT_EQ(options.name, "app/[::1]:80");
  EXPECT_THAT(options.values, ElementsAre("drain"));
  EXPECT_EQ(options.how_long, "5m");
  EXPECT_TRUE(good({"set", "cluster", "app", "maint", "--keep"}).keep);
}

TEST(Options, DrainIsOfWeirItselfOrOfAPartOfIt) {
  EXPECT_EQ(good({"drain"}).kind, "");
  const Options options = good({"drain", "cluster", "app", "--wait", "--timeout", "5s"});
  EXPECT_EQ(options.command, Command::kDrain);
  EXPECT_EQ(options.kind, "cluster");
  EXPECT_TRUE(options.wait);
  EXPECT_EQ(options.timeout, "5s");
}

TEST(Options, DiffOfTheRunningOneNeedsNoFiles) {
  EXPECT_TRUE(good({"diff", "--running", "-c", "weir.yaml"}).running);
}

TEST(Options, OriginTakesNameAndAddress) {
  const Options options = good({"origin", "--name", "blue", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(options.command, Command::kOrigin);
  EXPECT_EQ(options.origin_name, "blue");
  EXPECT_EQ(options.listen, "127.0.0.1:0");
}

TEST(Options, HelpIsNoError) {
  for (const auto& arguments : {std::vector<std::string>{"--help"}, {"run", "--help"}}) {
    const auto options = parse_options(arguments);
    ASSERT_FALSE(options);
    EXPECT_EQ(options.error().exit_code, kExitOk);
    EXPECT_THAT(options.error().text, HasSubstr("--help"));
  }
  EXPECT_THAT(parse_options({"--help"}).error().text, HasSubstr("Exit codes"));
}

TEST(Options, WrongLinesAreUsageErrorsWithAText) {
  const std::vector<std::vector<std::string>> wrong{
      {},
      {"nonsense"},
      {"run"},
      {"run", "-c"},
      {"run", "-c", "f", "--nonsense"},
      {"diff", "one"},
      {"diff", "--running", "one", "two"},
      {"set", "cluster", "app"},
      {"set", "cluster", "app", "drain", "--keep", "--for", "5m"},
      {"drain", "cluster"},
      {"drain", "route", "all"},
      {"drain", "--wait"},
      {"drain", "cluster", "app", "--timeout", "5s"},
      {"explain", "-c", "f"},
      {"origin"},
      {"check", "f", "--format", "xml"},
      {"top", "--interval", "1"},
  };
  for (const auto& arguments : wrong) {
    const auto options = parse_options(arguments);
    ASSERT_FALSE(options);
    EXPECT_EQ(options.error().exit_code, kExitUsage);
    EXPECT_FALSE(options.error().text.empty());
  }
}

}  // namespace
}  // namespace weir::app
