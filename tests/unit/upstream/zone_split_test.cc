// SPDX-License-Identifier: Apache-2.0
#include "upstream/zone_split.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "fixtures.h"

namespace weir::upstream {
namespace {

struct Given {
  std::string zone;
  std::uint32_t weight = 100;
  Standing standing = Standing::kIn;
  std::uint32_t ramp = EndpointSet::kWholeRamp;
};

std::shared_ptr<const EndpointSet> set_of(const std::vector<Given>& all, std::string_view zone,
                                          BalancePolicy policy = BalancePolicy::kRandom) {
  std::vector<EndpointSpec> specs;
  for (std::size_t i = 0; i < all.size(); ++i) {
    specs.push_back(spec(static_cast<std::uint16_t>(i + 1), all[i].weight));
    specs.back().zone = all[i].zone;
  }
  auto members = EndpointSet::members_from(specs, nullptr);
  for (std::size_t i = 0; i < all.size(); ++i) {
    members[i].standing = all[i].standing;
    members[i].ramp = all[i].ramp;
  }
  return EndpointSet::build(std::move(members), policy, ErrorCode::kNoEndpoint, zone);
}

std::vector<Given> zones(int a, int b, int c) {
  std::vector<Given> out;
  out.insert(out.end(), static_cast<std::size_t>(a), {"a"});
  out.insert(out.end(), static_cast<std::size_t>(b), {"b"});
  out.insert(out.end(), static_cast<std::size_t>(c), {"c"});
  return out;
}

// What each zone gets of a weir's requests in `zone`, in parts of 1.
std::map<std::string, double> shares(const EndpointSet& set) {
  std::map<std::string, double> out;
  const ZoneSplit& split = *set.zones();
  const double near = split.near_ppm / 1e6;
  for (const auto& member : split.near->members()) {
    out[member.zone] += near * member.weight / static_cast<double>(split.near->total_weight());
  }
  if (split.far == nullptr) return out;
  for (std::size_t i = 0; i < split.far->eligible(); ++i) {
    out[split.far->members()[i].zone] +=
        (1 - near) * split.far->weight(i) / split.far->total_weight();
  }
  return out;
}

TEST(ZoneSplitTest, AZoneWithItsPartKeepsItsRequests) {
  for (const auto& given : {zones(3, 3, 3), zones(5, 1, 1)}) {
    const auto set = set_of(given, "a");
    ASSERT_NE(set->zones(), nullptr);
    EXPECT_EQ(set->zones()->far, nullptr);
    EXPECT_EQ(set->zones()->near->eligible(), given.size() == 9 ? 3u : 5u);
  }
}

TEST(ZoneSplitTest, WhatItCannotTakeGoesToThoseThatHaveMore) {
  // A fifth of the weight where a third of the requests is: three fifths stay.
  const auto set = set_of(zones(2, 5, 3), "a");
  auto of = shares(*set);
  EXPECT_NEAR(of["a"], 0.6, 0.001);
  EXPECT_NEAR(of["b"], 0.4, 0.001);
  EXPECT_EQ(of.count("c"), 0u) << "it has less than its own part";
}

TEST(ZoneSplitTest, NoEndpointHasMoreThanAnotherWhenAllZonesSplitAlike) {
  for (const auto& [a, b, c] : {std::array{2, 5, 3}, {1, 1, 8}, {4, 4, 1}, {3, 3, 3}}) {
    std::map<std::string, double> load;
    for (const std::string zone : {"a", "b", "c"}) {
      const auto set = set_of(zones(a, b, c), zone);
      for (const auto& [to, share] : shares(*set)) load[to] += share / 3;
    }
    const double each = 1.0 / (a + b + c);
    EXPECT_NEAR(load["a"] / a, each, 0.002) << a << b << c;
    EXPECT_NEAR(load["b"] / b, each, 0.002) << a << b << c;
    EXPECT_NEAR(load["c"] / c, each, 0.002) << a << b << c;
  }
}

TEST(ZoneSplitTest, IllAndRampingEndpointsCountForWhatTheyTake) {
  auto given = zones(4, 4, 4);
  given[0].standing = given[1].standing = Standing::kUnhealthy;
  EXPECT_NEAR(set_of(given, "a")->zones()->near_ppm / 1e6, 0.6, 0.001);
  given = zones(4, 4, 4);
  for (int i : {0, 1, 2, 3}) given[static_cast<std::size_t>(i)].ramp = 500;
  EXPECT_NEAR(set_of(given, "a")->zones()->near_ppm / 1e6, 0.6, 0.001);
}

TEST(ZoneSplitTest, AZoneThatIsAllIllStillSendsItsPart) {
  auto given = zones(2, 2, 2);
  for (int i : {4, 5}) given[static_cast<std::size_t>(i)].standing = Standing::kUnhealthy;
  EXPECT_EQ(set_of(given, "a")->zones()->far, nullptr) << "half of the weight, a third of the load";
  EXPECT_EQ(set_of(given, "c")->zones(), nullptr) << "there is nothing near";
}

TEST(ZoneSplitTest, NothingIsSplitWithoutTwoZonesOrWithoutOnesOwn) {
  EXPECT_EQ(set_of(zones(3, 0, 0), "a")->zones(), nullptr);
  EXPECT_EQ(set_of(zones(3, 3, 0), "elsewhere")->zones(), nullptr);
  EXPECT_EQ(set_of(zones(3, 3, 0), "")->zones(), nullptr);
}

TEST(ZoneSplitTest, PlacesAreThoseOfTheWholeSet) {
  auto given = zones(2, 5, 3);
  given[0].standing = Standing::kUnhealthy;
  const auto set = set_of(given, "a", BalancePolicy::kRoundRobin);
  const ZoneSplit& split = *set->zones();
  for (std::size_t i = 0; i < split.near->eligible(); ++i) {
    EXPECT_EQ(&split.near->endpoint(i), &set->endpoint(split.near_at[i]));
  }
  ASSERT_NE(split.far, nullptr);
  for (std::size_t i = 0; i < split.far->eligible(); ++i) {
    EXPECT_EQ(&split.far->endpoint(i), &set->endpoint(split.far_at[i]));
  }
}

}  // namespace
}  // namespace weir::upstream
