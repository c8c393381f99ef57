// SPDX-License-Identifier: Apache-2.0
#include "upstream/endpoint_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "fixtures.h"

namespace weir::upstream {
namespace {

using testing::ElementsAre;
using Weights = std::vector<std::uint32_t>;

TEST(EndpointSetTest, PutsMembersOfWeightZeroBehindTheEligible) {
  const auto set = make_set({5, 0, 7});
  ASSERT_EQ(set->members().size(), 3U);
  EXPECT_EQ(set->eligible(), 2U);
  EXPECT_EQ(set->endpoint(0).text, "10.0.0.1:1");
  EXPECT_EQ(set->endpoint(1).text, "10.0.0.1:3");
  EXPECT_EQ(set->members()[2].endpoint->text, "10.0.0.1:2");
  EXPECT_EQ(set->total_weight(), 12U);
}

TEST(EndpointSetTest, EveryPointBelongsToTheMemberWhoseShareHoldsIt) {
  const auto set = make_set({2, 1, 3});
  std::vector<std::size_t> owners;
  for (std::uint32_t point = 0; point < set->total_weight(); ++point) {
    owners.push_back(set->at(point));
  }
  EXPECT_THAT(owners, ElementsAre(0, 0, 1, 2, 2, 2));
  EXPECT_EQ(set->start_of(2), 3U);
}

TEST(EndpointSetTest, WeightsWhoseSumIsOver32BitsKeepTheirProportionAndNoneVanishes) {
  const auto set = make_set({UINT32_MAX, UINT32_MAX, UINT32_MAX / 2, 1});
  ASSERT_EQ(set->eligible(), 4U);
  EXPECT_NEAR(static_cast<double>(set->weight(0)) / set->weight(2), 2.0, 0.001);
  EXPECT_EQ(set->weight(3), 1U);
}

TEST(EndpointSetTest, UnhealthyAndEjectedMembersAreNotEligibleAndStillMembers) {
  auto members = EndpointSet::members_from(specs({5, 5, 7}), nullptr);
  members[0].standing = Standing::kUnhealthy;
  members[1].standing = Standing::kEjected;
  const auto set = EndpointSet::build(std::move(members), BalancePolicy::kLeastRequest);
  ASSERT_EQ(set->eligible(), 1U);
  EXPECT_EQ(set->endpoint(0).text, "10.0.0.1:3");
  EXPECT_EQ(set->members().size(), 3U);
  EXPECT_EQ(set->configured_weight(), 17U);
  EXPECT_EQ(set->eligible_weight(), 7U);
  EXPECT_EQ(set->healthy_weight(), 7U);
}

TEST(EndpointSetTest, WhoWarmsUpIsDrawnLessAndIsEligibleAllTheSame) {
  auto members = EndpointSet::members_from(specs({100, 100}), nullptr);
  members[1].ramp = EndpointSet::kWholeRamp / 10;
  const auto set = EndpointSet::build(std::move(members), BalancePolicy::kLeastRequest);
  EXPECT_EQ(set->eligible_weight(), 200U);
  EXPECT_EQ(set->healthy_weight(), 110U);
}

TEST(EndpointSetTest, WhomAnOperatorDrainsIsNotEligibleNotEvenInNeed) {
  auto members = EndpointSet::members_from(specs({5, 5, 7}), nullptr);
  members[0].state = OperatorState::kDrain;
  members[1].state = OperatorState::kMaint;
  members[2].standing = Standing::kUnhealthy;
  const auto set = EndpointSet::build(std::move(members), BalancePolicy::kLeastRequest);
  EXPECT_EQ(set->eligible(), 0U);
  EXPECT_EQ(set->empty_reason(), ErrorCode::kNoHealthyEndpoint);
  ASSERT_NE(set->in_need(), nullptr);
  ASSERT_EQ(set->in_need()->eligible(), 1U);
  EXPECT_EQ(set->in_need()->endpoint(0).text, "10.0.0.1:3");
}

TEST(EndpointSetTest, WhereAnOperatorDrainsAllNobodyIsThereInNeed) {
  auto members = EndpointSet::members_from(specs({5}), nullptr);
  members[0].state = OperatorState::kDrain;
  const auto set = EndpointSet::build(std::move(members), BalancePolicy::kLeastRequest);
  EXPECT_EQ(set->eligible(), 0U);
  EXPECT_EQ(set->empty_reason(), ErrorCode::kNoEndpoint);
  EXPECT_EQ(set->in_need(), nullptr);
}

TEST(EndpointSetTest, ASetWithoutAHealthyMemberSaysSo) {
  auto members = EndpointSet::members_from(specs({5, 0}), nullptr);
  members[0].standing = Standing::kUnhealthy;
  const auto set = EndpointSet::build(std::move(members), BalancePolicy::kMaglev);
  EXPECT_EQ(set->eligible(), 0U);
  EXPECT_EQ(set->empty_reason(), ErrorCode::kNoHealthyEndpoint);
  EXPECT_EQ(make_set({0})->empty_reason(), ErrorCode::kNoEndpoint);
}

TEST(EndpointSetTest, InNeedIsThereOnlyWhereHealthAloneHasLeftNobody) {
  auto members = EndpointSet::members_from(specs({100, 0, 50}), nullptr);
  EXPECT_EQ(EndpointSet::build(members, BalancePolicy::kRandom)->in_need(), nullptr);
  for (auto& member : members) member.standing = Standing::kUnhealthy;
  const auto set = EndpointSet::build(members, BalancePolicy::kRandom);
  ASSERT_NE(set->in_need(), nullptr);
  EXPECT_EQ(set->eligible(), 0U);
  EXPECT_EQ(set->in_need()->eligible(), 2U) << "weight 0 is the operator's word";
  EXPECT_EQ(make_set({0})->in_need(), nullptr);
}

TEST(EndpointSetTest, ARampingMemberHasPartOfItsWeightHoweverSmallThatIs) {
  auto members = EndpointSet::members_from(specs({1, 1}), nullptr);
  members[1].ramp = EndpointSet::kWholeRamp / 10;
  const auto set = EndpointSet::build(std::move(members), BalancePolicy::kLeastRequest);
  EXPECT_TRUE(set->ramps());
  EXPECT_FALSE(set->uniform());
  EXPECT_EQ(set->weight(0), 10 * set->weight(1));
}

TEST(EndpointSetTest, EqualWeightsAreUniform) {
  EXPECT_TRUE(make_set({7, 7, 0, 7})->uniform());
  EXPECT_FALSE(make_set({7, 7, 8})->uniform());
}

TEST(EndpointSetTest, AnEmptySetKeepsItsReason) {
  const auto set = EndpointSet::build({}, BalancePolicy::kMaglev, ErrorCode::kDnsFailure);
  EXPECT_EQ(set->eligible(), 0U);
  EXPECT_EQ(set->empty_reason(), ErrorCode::kDnsFailure);
}

TEST(EndpointSetTest, AnEndpointThatStaysKeepsItsObjectWhateverItsWeight) {
  const auto before = make_set({1, 1});
  const auto after = EndpointSet::build(
      EndpointSet::members_from({spec(3), spec(2, 50)}, before.get()), BalancePolicy::kRandom);
  EXPECT_EQ(&after->endpoint(1), &before->endpoint(1));
  EXPECT_NE(after->endpoint(0).text, before->endpoint(0).text);
}

TEST(EndpointSetTest, AnotherHostNameAtTheSameAddressIsAnotherEndpoint) {
  const auto before = make_set({1});
  EndpointSpec renamed = spec(1);
  renamed.host = "elsewhere";
  const auto members = EndpointSet::members_from({renamed}, before.get());
  EXPECT_NE(members[0].endpoint.get(), &before->endpoint(0));
  EXPECT_EQ(members[0].endpoint->host, "elsewhere");
}

// ---- Draws.

// The chance of each member, added up from the columns.
TEST(AliasTest, ChancesAreTheWeights) {
  for (const Weights& weights : {Weights{1, 2, 3, 4}, Weights{1'000'000, 1}, Weights{50, 0, 70},
                                 Weights{UINT32_MAX, UINT32_MAX, 1}}) {
    const auto set = make_set(weights);
    std::vector<double> chance(set->eligible());
    const auto columns = set->alias();
    ASSERT_EQ(columns.size(), set->eligible());
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const double own = columns[i].own / 4294967296.0;
      chance[i] += own / static_cast<double>(columns.size());
      chance[columns[i].other] += (1 - own) / static_cast<double>(columns.size());
    }
    for (std::size_t i = 0; i < chance.size(); ++i) {
      EXPECT_NEAR(chance[i], static_cast<double>(set->weight(i)) / set->total_weight(), 1e-8) << i;
    }
  }
}

// ---- Rotation.

Weights turns_of(const EndpointSet& set) {
  Weights turns(set.eligible(), 0);
  for (const std::uint32_t index : set.rotation()) ++turns[index];
  return turns;
}

TEST(RotationTest, EqualWeightsTakeTurns) {
  const auto set = make_set({100, 100, 100}, BalancePolicy::kRoundRobin);
  EXPECT_THAT(set->rotation(), ElementsAre(0, 1, 2));
}

TEST(RotationTest, SharesAreExactAndSpreadOut) {
  const auto set = make_set({50, 10, 10}, BalancePolicy::kRoundRobin);
  EXPECT_THAT(turns_of(*set), ElementsAre(5, 1, 1));
  // The heavy one never takes its five turns in a row.
  EXPECT_THAT(set->rotation(), ElementsAre(0, 0, 0, 1, 2, 0, 0));
}

TEST(RotationTest, WeightsThatNeedTooLongARotationAreRounded) {
  const auto set = make_set({1'000'003, 500'009, 1}, BalancePolicy::kRoundRobin);
  EXPECT_LE(set->rotation().size(), EndpointSet::kMaxRotation + 3U);
  const Weights turns = turns_of(*set);
  EXPECT_NEAR(static_cast<double>(turns[0]) / turns[1], 2.0, 0.01);
  EXPECT_EQ(turns[2], 1U);
}

// ---- Maglev.

Weights slots_of(const EndpointSet& set) {
  Weights slots(set.eligible(), 0);
  for (const std::uint16_t index : set.maglev()) ++slots[index];
  return slots;
}

TEST(MaglevTest, FillsEverySlotInProportionToWeight) {
  const Weights weights{100, 200, 300, 50};
  const auto set = make_set(weights, BalancePolicy::kMaglev);
  ASSERT_EQ(set->maglev().size(), EndpointSet::kMaglevSize);
  const Weights slots = slots_of(*set);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double fair = EndpointSet::kMaglevSize * weights[i] / 650.0;
    EXPECT_NEAR(slots[i], fair, fair * 0.02) << i;
  }
}

TEST(MaglevTest, IsTheSameOnEveryNode) {
  const auto one = make_set(Weights(7, 10), BalancePolicy::kMaglev);
  const auto other = make_set(Weights(7, 10), BalancePolicy::kMaglev);
  EXPECT_TRUE(std::ranges::equal(one->maglev(), other->maglev()));
}

// Of N endpoints one leaves: its keys must move, 1/N of all; of the rest hardly any may.
TEST(MaglevTest, RemovingOneOfManyMovesLittleMoreThanItsOwnKeys) {
  for (const std::size_t n : {3U, 10U, 50U}) {
    SCOPED_TRACE(n);
    const auto before = make_set(Weights(n, 100), BalancePolicy::kMaglev);
    auto fewer = specs(Weights(n, 100));
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(n / 2));
    const auto after =
        EndpointSet::build(EndpointSet::members_from(fewer, before.get()), BalancePolicy::kMaglev);
    std::uint32_t moved = 0;
    for (std::size_t slot = 0; slot < EndpointSet::kMaglevSize; ++slot) {
      const Endpoint* was = &before->endpoint(before->maglev()[slot]);
      moved += was != &after->endpoint(after->maglev()[slot]) ? 1 : 0;
    }
    const double share = static_cast<double>(moved) / EndpointSet::kMaglevSize;
    EXPECT_GE(share, 0.95 / static_cast<double>(n));
    EXPECT_LE(share, 1.0 / static_cast<double>(n) + 0.03);
  }
}

}  // namespace
}  // namespace weir::upstream
