// SPDX-License-Identifier: Apache-2.0
// Where failover groups place requests: properties over random groups, and each rule by itself.
#include "upstream/failover_group.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "fixtures.h"

namespace weir::upstream {
namespace {

class Everybody final : public SeatAdmitter {
 public:
  Result<void> admit(const FailoverSeat& seat, Reach) override {
    if (refusing == seat.cluster.get()) return fail(ErrorCode::kClusterRequestsFull);
    return {};
  }
  const Cluster* refusing = nullptr;
};

struct MemberPlan {
  std::uint32_t priority = 0;
  std::uint32_t limit = FailoverMember::kUnlimited;
  MemberPhase phase = MemberPhase::kUp;
  std::uint32_t share = Failback::kWhole;
  std::uint32_t weight = 100;
  bool own_zone = false;
  bool dead = false;
};

class GroupTest : public testing::Test {
 protected:
  FailoverGroup& group(const std::vector<MemberPlan>& plans,
                       FailoverPanic panic = FailoverPanic::kLastResort) {
    std::vector<FailoverSeat> seats;
    held_.clear();
    members_.clear();
    clusters_.clear();
    for (const MemberPlan& plan : plans) {
      auto member = std::make_shared<FailoverMember>("c" + std::to_string(members_.size()));
      member->publish({plan.phase, plan.share, plan.limit, plan.weight});
      auto cluster = make_cluster();
      if (plan.dead) cluster->set_state(OperatorState::kDrain);
      seats.push_back({member, cluster, static_cast<std::uint32_t>(members_.size()), plan.priority,
                       plan.own_zone});
      members_.push_back(std::move(member));
      clusters_.push_back(std::move(cluster));
    }
    FailoverGroupConfig config;
    config.name = "g";
    config.panic = panic;
    state_ = std::make_shared<FailoverGroupState>();
    group_ = std::make_unique<FailoverGroup>(config, std::move(seats), state_);
    return *group_;
  }

  // The member that a request goes to, or -1; its place is kept until the test ends.
  int place(std::vector<const Cluster*> visited = {}, bool may_try = false) {
    auto placed = group_->place({rng_, clock_.now(), visited, may_try, yields_}, everybody_);
    if (!placed) {
      refusal_ = placed.error().code;
      return -1;
    }
    const int index = static_cast<int>(placed->seat->cluster_index);
    held_.push_back(std::move(placed->permit));
    return index;
  }
  std::map<int, int> place_many(int count) {
    std::map<int, int> out;
    for (int i = 0; i < count; ++i) ++out[place()];
    return out;
  }
  void fail_in_a_row(std::size_t member) {
    for (std::uint32_t i = 0; i < FailoverMember::kSuspicion; ++i) {
      members_[member]->failed(clock_.now());
    }
  }

  FakeClock clock_;
  base::Rng rng_{7};
  Everybody everybody_;
  std::vector<std::shared_ptr<FailoverMember>> members_;
  std::vector<std::shared_ptr<Cluster>> clusters_;
  std::shared_ptr<FailoverGroupState> state_;
  std::unique_ptr<FailoverGroup> group_;
  std::vector<MemberPermit> held_;
  ErrorCode refusal_{};
  bool yields_ = false;
};

TEST_F(GroupTest, LowestNumberFirstAndTheNextOnlyWhenItIsFull) {
  group({{1, 50}, {0, 100}, {2, 10}});
  const auto first = place_many(100);
  EXPECT_EQ(first, (std::map<int, int>{{1, 100}}));
  EXPECT_EQ(place_many(50), (std::map<int, int>{{0, 50}}));
  EXPECT_EQ(place_many(10), (std::map<int, int>{{2, 10}}));
  EXPECT_EQ(place(), -1);
  EXPECT_EQ(refusal_, ErrorCode::kFailoverCapacity);
  EXPECT_EQ(state_->refused.load(), 1U);
}

TEST_F(GroupTest, WhoYieldsLeavesTheLastTenth) {
  group({{.limit = 100}});
  yields_ = true;
  EXPECT_EQ(place_many(100), (std::map<int, int>{{-1, 10}, {0, 90}}));
  yields_ = false;
  EXPECT_EQ(place_many(11), (std::map<int, int>{{-1, 1}, {0, 10}}));
}

TEST_F(GroupTest, EqualsShareByWeight) {
  group({{.weight = 300}, {.weight = 100}});
  const auto got = place_many(40'000);
  EXPECT_NEAR(got.at(0), 30'000, 600);
  EXPECT_NEAR(got.at(1), 10'000, 600);
}

TEST_F(GroupTest, OwnZoneFirstWithinAPriority) {
  group({{.limit = 10}, {.limit = 10, .own_zone = true}, {.priority = 1, .own_zone = true}});
  EXPECT_EQ(place_many(10), (std::map<int, int>{{1, 10}}));
  EXPECT_EQ(place_many(10), (std::map<int, int>{{0, 10}}));
  EXPECT_EQ(place(), 2);
}

TEST_F(GroupTest, NothingGoesToTheDead) {
  group({{.dead = true}, {.priority = 1}});
  EXPECT_EQ(place_many(1000), (std::map<int, int>{{1, 1000}}));
}

TEST_F(GroupTest, AllDeadIsToldAsTheirReasonAndNotAsCapacity) {
  group({{.dead = true}, {.priority = 1, .dead = true}}, FailoverPanic::kOff);
  EXPECT_EQ(place(), -1);
  EXPECT_EQ(refusal_, ErrorCode::kNoEndpoint);
}

TEST_F(GroupTest, VisitedOnesAreNotAskedAgain) {
  group({{}, {.priority = 1}, {.priority = 2}});
  EXPECT_EQ(place({clusters_[0].get()}), 1);
  EXPECT_EQ(place({clusters_[0].get(), clusters_[1].get()}), 2);
  EXPECT_EQ(place({clusters_[0].get(), clusters_[1].get(), clusters_[2].get()}), -1);
  EXPECT_EQ(state_->refused.load(), 0U) << "a hop that finds nobody is no refusal";
}

TEST_F(GroupTest, AMemberThatDoesNotAdmitIsPassedBy) {
  group({{}, {.priority = 1}});
  everybody_.refusing = clusters_[0].get();
  EXPECT_EQ(place(), 1);
  EXPECT_EQ(members_[0]->in_use(), 0U);
}

TEST_F(GroupTest, ARampTakesItsShare) {
  group({{.phase = MemberPhase::kRamping, .share = 250'000}, {.priority = 1}});
  const auto got = place_many(20'000);
  EXPECT_NEAR(got.at(0), 5'000, 300);
}

TEST_F(GroupTest, ARampAlsoSharesTheCapacity) {
  group({{.limit = 100, .phase = MemberPhase::kRamping, .share = 250'000},
         {.priority = 1, .limit = 10'000}});
  EXPECT_EQ(place_many(5'000).at(0), 25);
}

TEST_F(GroupTest, WhoWaitsServesBeforeAnybodyIsRefused) {
  group({{.limit = 5, .phase = MemberPhase::kWaiting}, {.priority = 1, .limit = 5}});
  EXPECT_EQ(place_many(5), (std::map<int, int>{{1, 5}}));
  EXPECT_EQ(place_many(5), (std::map<int, int>{{0, 5}}));
  EXPECT_EQ(place(), -1);
}

TEST_F(GroupTest, FailuresInARowMoveTrafficAtOnce) {
  group({{}, {.priority = 1}});
  members_[0]->failed(clock_.now());
  EXPECT_EQ(place(), 0);
  members_[0]->succeeded();
  for (std::uint32_t i = 1; i < FailoverMember::kSuspicion; ++i) members_[0]->failed(clock_.now());
  EXPECT_EQ(place(), 0) << "a success between starts the count anew";
  members_[0]->failed(clock_.now());
  EXPECT_EQ(place_many(100), (std::map<int, int>{{1, 100}}));
}

TEST_F(GroupTest, OneOwnersFailedAnswersDoNotTakeAMemberFromOthers) {
  group({{}, {.priority = 1}});
  constexpr std::uint64_t kBad = 7, kGood = 9;
  for (int i = 0; i < 50; ++i) {
    members_[0]->completed(clock_.now(), kGood);
    for (int j = 0; j < 20; ++j) members_[0]->failed(clock_.now(), kBad);
    clock_.advance(FailoverMember::kVouches / 2);
  }
  EXPECT_FALSE(members_[0]->suspected());
  clock_.advance(FailoverMember::kVouches);
  for (std::uint32_t i = 0; i < FailoverMember::kSuspicion; ++i) {
    members_[0]->failed(clock_.now(), kBad);
  }
  EXPECT_TRUE(members_[0]->suspected()) << "nobody is served well there any more";
}

TEST_F(GroupTest, FailedConnectionsCountWhoeverMeetsThem) {
  group({{}, {.priority = 1}});
  members_[0]->completed(clock_.now(), 9);
  fail_in_a_row(0);
  EXPECT_TRUE(members_[0]->suspected());
}

TEST_F(GroupTest, AnswersThatBreakOffMoveTrafficThoughTheirHeadsAreWell) {
  group({{}, {.priority = 1}});
  const auto broken_answer = [this] {
    members_[0]->succeeded();
    members_[0]->broke(clock_.now());
  };
  for (std::uint32_t i = 1; i < FailoverMember::kSuspicion; ++i) broken_answer();
  EXPECT_EQ(place(), 0);
  members_[0]->completed(clock_.now());
  for (std::uint32_t i = 1; i < FailoverMember::kSuspicion; ++i) broken_answer();
  EXPECT_EQ(place(), 0) << "a whole answer between starts the count anew";
  broken_answer();
  EXPECT_EQ(place_many(100), (std::map<int, int>{{1, 100}}));
  clock_.advance(FailoverMember::kTrialEvery);
  EXPECT_EQ(place({}, true), 0) << "a trial";
  members_[0]->succeeded();
  EXPECT_EQ(place(), 1) << "a head proves nothing here";
  members_[0]->completed(clock_.now());
  EXPECT_EQ(place(), 0);
}

TEST_F(GroupTest, OneRequestASecondTriesASuspectedMember) {
  group({{}, {.priority = 1}});
  fail_in_a_row(0);
  EXPECT_EQ(place({}, true), 1) << "not in the first second";
  clock_.advance(FailoverMember::kTrialEvery);
  EXPECT_EQ(place({}, false), 1) << "never one that cannot be repeated";
  EXPECT_EQ(place({}, true), 0);
  EXPECT_EQ(place({}, true), 1) << "one is enough";
  members_[0]->succeeded();
  EXPECT_EQ(place(), 0);
}

TEST_F(GroupTest, ASuspicionIsForgottenInTime) {
  group({{}});
  fail_in_a_row(0);
  clock_.advance(FailoverMember::kForgotten - std::chrono::seconds(1));
  members_[0]->forget(clock_.now());
  EXPECT_TRUE(members_[0]->suspected());
  clock_.advance(std::chrono::seconds(1));
  members_[0]->forget(clock_.now());
  EXPECT_FALSE(members_[0]->suspected());
}

TEST_F(GroupTest, PanicOnlyWhenNobodyIsUsable) {
  group({{.limit = 3}, {.priority = 1, .limit = 2}});
  fail_in_a_row(0);
  fail_in_a_row(1);
  auto got = place_many(5);
  EXPECT_EQ(got[0], 3);
  EXPECT_EQ(got[1], 2) << "a backup never gets more than it can take";
  EXPECT_EQ(place(), -1);
  EXPECT_EQ(state_->panics.load(), 5U);

  group({{.limit = 3}, {.priority = 1, .limit = 2}});
  fail_in_a_row(0);
  EXPECT_EQ(place_many(2), (std::map<int, int>{{1, 2}}));
  EXPECT_EQ(place(), -1) << "one member is usable, but full: shed";
  EXPECT_EQ(refusal_, ErrorCode::kFailoverCapacity);
}

TEST_F(GroupTest, PanicOffRefuses) {
  group({{}}, FailoverPanic::kOff);
  fail_in_a_row(0);
  EXPECT_EQ(place(), -1);
}

TEST_F(GroupTest, RandomGroupsKeepEveryRule) {
  for (int round = 0; round < 300; ++round) {
    std::vector<MemberPlan> plans(1 + rng_.below(6));
    std::uint32_t room = 0;
    for (MemberPlan& plan : plans) {
      plan.priority = rng_.below(3);
      plan.limit = 1 + rng_.below(20);
      plan.weight = plan.limit;
      plan.dead = rng_.below(4) == 0;
      plan.phase = static_cast<MemberPhase>(rng_.below(4));
      plan.share = rng_.below(Failback::kWhole);
      if (!plan.dead) room += plan.limit;
    }
    group(plans, FailoverPanic::kOff);
    held_.clear();
    std::uint32_t placed = 0;
    for (std::uint32_t i = 0; i < room + 5; ++i) {
      const int at = place();
      if (at < 0) continue;
      ++placed;
      ASSERT_FALSE(plans[static_cast<std::size_t>(at)].dead);
    }
    EXPECT_EQ(placed, room) << "all capacity is used before anybody is refused";
    for (std::size_t i = 0; i < plans.size(); ++i) {
      ASSERT_EQ(members_[i]->in_use(), plans[i].dead ? 0 : plans[i].limit);
    }
    held_.clear();
    for (const auto& member : members_) ASSERT_EQ(member->in_use(), 0U);
  }
}

TEST_F(GroupTest, TheCapIsExactOverThreads) {
  group({{.limit = 7}, {.priority = 1, .limit = 5}});
  std::atomic<std::uint32_t> most{0};
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([this, seed, &most] {
      base::Rng rng(seed);
      Everybody everybody;
      for (int i = 0; i < 20'000; ++i) {
        std::vector<MemberPermit> mine;
        for (int k = 0; k < 4; ++k) {
          auto placed = group_->place({rng, TimePoint{}, {}, false, false}, everybody);
          if (placed) mine.push_back(std::move(placed->permit));
        }
        const std::uint32_t now = members_[0]->in_use();
        if (now > most.load()) most.store(now);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), 7U);
  EXPECT_EQ(members_[0]->in_use() + members_[1]->in_use(), 0U);
}

TEST(FailoverBudgetTest, RepetitionsStayAShareOfRequests) {
  FailoverBudget budget;
  int taken = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.deposit(200'000);
    while (budget.withdraw()) ++taken;
  }
  EXPECT_EQ(taken, 200);
}

TEST(FailoverBudgetTest, WhatIsSavedIsBounded) {
  FailoverBudget budget;
  for (int i = 0; i < 1'000'000; ++i) budget.deposit(200'000);
  EXPECT_LE(budget.stock(), FailoverBudget::kMost + FailoverBudget::kOne);
}

}  // namespace
}  // namespace weir::upstream
