// SPDX-License-Identifier: Apache-2.0
#include "route/header_ops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "route_fixture.h"

namespace weir::route {
namespace {

using ::testing::ElementsAre;

const SourceLocation kNowhere;

std::vector<std::string> applied(const HeaderOps& ops, TestRequest request) {
  config::Diagnostics diagnostics;
  CompiledHeaderOps compiled;
  EXPECT_TRUE(compiled.compile(ops, {kNowhere, "key"}, diagnostics));
  TestArena scratch;
  HeaderList headers = request.head().headers;
  compiled.apply(headers, scratch.arena);
  std::vector<std::string> lines;
  for (const Header& header : headers) {
    EXPECT_EQ(header.id, http::header_id(header.name));
    lines.push_back(std::string(header.name) + ": " + std::string(header.value));
  }
  return lines;
}

TestRequest request_with(HeaderPairs fields) {
  TestRequest request("GET", "h", "/");
  for (auto& [name, value] : fields) request.header(name, value);
  return request;
}

bool refused(const HeaderOps& ops) {
  config::Diagnostics diagnostics;
  diagnostics.add_source("test.yaml", "");
  CompiledHeaderOps compiled;
  const bool ok = compiled.compile(ops, {kNowhere, "key"}, diagnostics);
  EXPECT_EQ(ok, diagnostics.errors() == 0);
  return !ok;
}

TEST(HeaderOps, RemoveThenSetThenAdd) {
  HeaderOps ops;
  ops.add = {{"x-a", "added"}};
  ops.set = {{"x-a", "set"}};
  ops.remove = {"x-a"};
  EXPECT_THAT(applied(ops, request_with({{"X-A", "old"}, {"x-b", "1"}})),
              ElementsAre("x-b: 1", "x-a: set", "x-a: added"));
}

TEST(HeaderOps, RemoveTakesAllOfThatNameInAnyCase) {
  HeaderOps ops;
  ops.remove = {"x-a", "cookie"};
  EXPECT_THAT(
      applied(ops, request_with({{"X-A", "1"}, {"x-b", "2"}, {"x-A", "3"}, {"Cookie", ""}})),
      ElementsAre("x-b: 2"));
}

TEST(HeaderOps, SetReplacesTheFirstAndDropsTheRest) {
  HeaderOps ops;
  ops.set = {{"x-a", "new"}};
  EXPECT_THAT(applied(ops, request_with({{"x-0", ""}, {"X-A", "1"}, {"x-b", "2"}, {"x-a", "3"}})),
              ElementsAre("x-0: ", "x-a: new", "x-b: 2"));
}

TEST(HeaderOps, ListGrowsWhenItHasNoRoomLeft) {
  HeaderOps ops;
  std::vector<std::string> expected = {"x-first: 1"};
  for (int i = 0; i < 40; ++i) {
    ops.add.emplace_back("x-" + std::to_string(i), "v");
    expected.push_back("x-" + std::to_string(i) + ": v");
  }
  EXPECT_EQ(applied(ops, request_with({{"x-first", "1"}})), expected);
}

TEST(HeaderOps, FramingHopByHopAndHostAreRefused) {
  for (const char* name : {"host", "content-length", "transfer-encoding", "trailer", "connection",
                           "keep-alive", "proxy-connection", "te", "upgrade", "expect", "Host"}) {
    HeaderOps set, add, remove;
    set.set = {{name, "x"}};
    add.add = {{name, "x"}};
    remove.remove = {name};
    EXPECT_TRUE(refused(set) && refused(add) && refused(remove)) << name;
  }
}

TEST(HeaderOps, WhatIsNoFieldIsRefused) {
  for (const auto& [name, value] : HeaderPairs{{"", "x"},
                                               {"x a", "x"},
                                               {":path", "x"},
                                               {"x:", "x"},
                                               {"x-a", "a\r\nb: c"},
                                               {"x-a", std::string("a\0b", 3)}}) {
    HeaderOps ops;
    ops.set = {{name, value}};
    EXPECT_TRUE(refused(ops)) << name;
  }
}

TEST(HeaderOps, DirectAnswersAreHeldToTheSameRules) {
  std::vector<RouteConfig> routes = {make_route("d", {}, "/")};
  routes[0].target = DirectTarget{200, "ok", {{"content-length", "3"}}};
  EXPECT_THAT(findings(routes), ElementsAre("error: routes.d.target.direct.headers.content-length: "
                                            "header operations may not touch this field"));
}

}  // namespace
}  // namespace weir::route
