// SPDX-License-Identifier: Apache-2.0
#include "route/overlap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "route_fixture.h"

namespace weir::route {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Overlap, SameMatchAndPriorityIsAnErrorNamingBoth) {
  EXPECT_THAT(findings({make_route("one", {"h"}, "/a"), make_route("two", {"h"}, "/a")}),
              ElementsAre("error: routes.two: the same match and priority as route \"one\""));
}

TEST(Overlap, OneSharedHostIsEnough) {
  EXPECT_THAT(findings({make_route("one", {"a", "b"}, "/"), make_route("two", {"b", "c"}, "/")}),
              ElementsAre(HasSubstr("same match and priority as route \"one\"")));
}

TEST(Overlap, SameRegexIsTheSameMatch) {
  EXPECT_THAT(findings({make_route("one", {}, "~ /a"), make_route("two", {}, "~ /a")}),
              ElementsAre(HasSubstr("error: routes.two")));
  EXPECT_THAT(findings({make_route("one", {}, "~ /a"), make_route("two", {}, "~ /b")}), IsEmpty());
}

TEST(Overlap, ConditionsAreComparedWithoutTheirOrder) {
  std::vector<RouteConfig> routes = {make_route("one", {}, "/"), make_route("two", {}, "/")};
  routes[0].match.headers = {value_is("x-a", "1"), value_there("x-b")};
  routes[1].match.headers = {value_there("x-b"), value_is("x-a", "1")};
  EXPECT_THAT(findings(routes), ElementsAre(HasSubstr("error: routes.two")));
  routes[1].match.headers[1].value = "2";
  EXPECT_THAT(findings(routes), IsEmpty());
}

TEST(Overlap, HeaderAndQueryOfOneNameAreTwoConditions) {
  std::vector<RouteConfig> routes = {make_route("one", {}, "/"), make_route("two", {}, "/")};
  routes[0].match.headers = {value_is("a", "1")};
  routes[1].match.query = {value_is("a", "1")};
  EXPECT_THAT(findings(routes), IsEmpty());
}

TEST(Overlap, SameMatchWithOtherPriorityIsAWarningOnTheHiddenOne) {
  std::vector<RouteConfig> routes = {make_route("low", {"h"}, "/a"),
                                     make_route("high", {"h"}, "/a")};
  routes[1].priority = 1;
  EXPECT_THAT(findings(routes), ElementsAre("warning: routes.low: no request can reach this route: "
                                            "route \"high\" comes before it"));
}

TEST(Overlap, NoWarningWhereTheRouteIsReachedOnAnotherHost) {
  std::vector<RouteConfig> routes = {make_route("low", {"a", "b"}, "/"),
                                     make_route("high", {"b"}, "/")};
  routes[1].priority = 1;
  EXPECT_THAT(findings(routes), IsEmpty());
}

TEST(Overlap, MethodsTakenByOneOrSeveralEarlierRoutesHide) {
  std::vector<RouteConfig> routes = {make_route("a", {}, "/"), make_route("b", {}, "/"),
                                     make_route("c", {}, "/"), make_route("d", {}, "/")};
  routes[0].match.methods = {"GET", "PURGE"};
  routes[1].match.methods = {"POST"};
  routes[2].match.methods = {"PURGE", "POST"};
  routes[3].match.methods = {"GET", "PUT"};
  EXPECT_THAT(findings(routes), ElementsAre(HasSubstr("warning: routes.c: no request can reach")));
}

TEST(Overlap, DifferentPathsNeverHideEachOther) {
  EXPECT_THAT(findings({make_route("exact", {}, "= /a"), make_route("at", {}, "/a"),
                        make_route("below", {}, "/a/"), make_route("root", {}, "/"),
                        make_route("other", {"h"}, "/a")}),
              IsEmpty());
}

}  // namespace
}  // namespace weir::route
