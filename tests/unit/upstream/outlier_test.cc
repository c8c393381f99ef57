// SPDX-License-Identifier: Apache-2.0
#include "upstream/outlier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "base/rng.h"
#include "fixtures.h"
#include "upstream/membership.h"
#include "upstream/outcome.h"

namespace weir::upstream {
namespace {

std::vector<std::size_t> indices(const OutlierConfig& config,
                                 const std::vector<AnswerWindow>& windows) {
  std::vector<std::size_t> out;
  for (const Outlier& outlier : find_outliers(config, windows)) out.push_back(outlier.index);
  return out;
}

using Indices = std::vector<std::size_t>;

TEST(OutlierTest, FindsTheOneThatFailsAmongPeersThatDoNot) {
  EXPECT_EQ(indices({}, {{100, 1, 0}, {100, 90, 0}, {100, 0, 0}}), Indices{1});
  EXPECT_EQ(find_outliers({}, std::vector<AnswerWindow>{{100, 0, 0}, {100, 90, 0}})[0].reason,
            "90 % of 100 attempts failed");
}

TEST(OutlierTest, WhereAllFailNobodyStandsOut) {
  EXPECT_EQ(indices({}, {{100, 95, 0}, {100, 90, 0}, {100, 99, 0}}), Indices{});
}

TEST(OutlierTest, FewRequestsAreNoEvidence) {
  EXPECT_EQ(indices({}, {{100, 0, 0}, {49, 49, 0}}), Indices{});
  EXPECT_EQ(indices({}, {{100, 0, 0}, {50, 50, 0}}), Indices{1});
}

TEST(OutlierTest, TheWorstComesFirst) {
  EXPECT_EQ(indices({}, {{100, 88, 0}, {500, 0, 0}, {100, 99, 0}}), (Indices{2, 0}));
}

TEST(OutlierTest, ARuleThatIsOffFindsNobody) {
  OutlierConfig config;
  config.failure_rate = Share{0};
  EXPECT_EQ(indices(config, {{100, 0, 0}, {100, 100, 0}}), Indices{});
}

TEST(OutlierTest, SlowAgainstPeersOnlyIfAskedForAndNotBelowATenthOfASecond) {
  const std::vector<AnswerWindow> windows{
      {100, 0, 100 * 30'000}, {100, 0, 100 * 300'000}, {100, 0, 100 * 40'000}};
  EXPECT_EQ(indices({}, windows), Indices{});
  OutlierConfig config;
  config.latency_factor = 5;
  EXPECT_EQ(indices(config, windows), Indices{1});
  EXPECT_EQ(indices(config, {{100, 0, 100 * 1'000}, {100, 0, 100 * 90'000}}), Indices{});
  EXPECT_EQ(indices(config, {{100, 0, 100 * 500'000}}), Indices{});
}

TEST(FloorTest, IsRoundedUpAndTheLastOneIsNeverEjected) {
  OutlierConfig config;
  EXPECT_FALSE(may_eject(config, 1, 1));
  EXPECT_TRUE(may_eject(config, 2, 2));
  EXPECT_FALSE(may_eject(config, 2, 3));
  EXPECT_TRUE(may_eject(config, 3, 3));
  config.min_available = Share{0};
  EXPECT_FALSE(may_eject(config, 1, 3));
}

TEST(OutcomeTest, OnlyServerErrorsAndWhatTheOriginBreaksAreFailures) {
  ResponseHead head;
  const auto of = [&](std::uint16_t status) {
    head.status = status;
    return outcome_of(head, false);
  };
  EXPECT_EQ(of(200), AttemptOutcome::kAnswered);
  EXPECT_EQ(of(404), AttemptOutcome::kAnswered);
  EXPECT_EQ(of(429), AttemptOutcome::kAnswered);
  EXPECT_EQ(of(500), AttemptOutcome::kServerError);
  Header field{"proxy-status", "weir; error=connection_limit_reached", HeaderId::kProxyStatus};
  head.headers = HeaderList(&field, 1);
  head.headers.push(field);
  EXPECT_EQ(of(503), AttemptOutcome::kNeutral);
  EXPECT_EQ(of(502), AttemptOutcome::kServerError);
  EXPECT_EQ(outcome_of(make_error(ErrorCode::kClientClosed), false), AttemptOutcome::kNeutral);
  EXPECT_EQ(outcome_of(make_error(ErrorCode::kConnectRefused), false),
            AttemptOutcome::kConnectFailure);
  EXPECT_EQ(outcome_of(make_error(ErrorCode::kUpstreamTruncated), true), AttemptOutcome::kBroken);
  EXPECT_EQ(outcome_of(make_error(ErrorCode::kClusterPendingFull), false),
            AttemptOutcome::kNeutral);
}

// ---- The floor, whatever happens.

class MembershipTest : public testing::Test {
 protected:
  void make(std::size_t count, const ClusterConfig& config) {
    membership_ = std::make_unique<Membership>(office_, cluster_);
    const auto shared = std::make_shared<const ClusterConfig>(config);
    membership_->configure(shared, nullptr);
    cluster_->publish(shared, ClusterLimits::from(config, AutoLimits{}), nullptr,
                      membership_->port());
    membership_->set(specs(std::vector<std::uint32_t>(count, 100)), BalancePolicy::kLeastRequest);
    for (const auto& member : cluster_->published().endpoints->members()) {
      endpoints_.push_back(member.endpoint);
    }
  }
  void fail(std::size_t index, int times) {
    for (int i = 0; i < times; ++i) {
      membership_->port()->report(endpoints_[index], AttemptOutcome::kServerError, true, 0);
    }
    membership_->on_alarm(*endpoints_[index]);
  }
  Standing standing(std::size_t index) const { return endpoints_[index]->health.standing(); }
  std::size_t count(Standing standing) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        endpoints_, [&](const auto& e) { return e->health.standing() == standing; }));
  }

  FakeClock clock_;
  net::Loop loop_{clock_};
  HealthOffice office_{loop_, 1, 16};
  std::shared_ptr<Cluster> cluster_ = std::make_shared<Cluster>("c");
  std::unique_ptr<Membership> membership_;
  std::vector<std::shared_ptr<Endpoint>> endpoints_;
};

ClusterConfig judged(bool checked = false) {
  ClusterConfig config;
  config.outlier_detection.emplace();
  if (checked) config.health_check.emplace().tcp.emplace();
  return config;
}

TEST_F(MembershipTest, FailuresInARowEjectAtOnce) {
  make(4, judged());
  fail(2, 4);
  EXPECT_EQ(standing(2), Standing::kIn);
  fail(2, 1);
  EXPECT_EQ(standing(2), Standing::kEjected);
  EXPECT_EQ(cluster_->published().endpoints->eligible(), 3U);
  EXPECT_EQ(cluster_->health().healthy_weight, 300U);
}

TEST_F(MembershipTest, AGoodAnswerBeginsTheRowAnew) {
  make(4, judged());
  fail(0, 4);
  membership_->port()->report(endpoints_[0], AttemptOutcome::kAnswered, true, 1);
  fail(0, 4);
  EXPECT_EQ(standing(0), Standing::kIn);
}

TEST_F(MembershipTest, ResponsesThatBreakOffCountThoughEachBeginsWell) {
  make(4, judged());
  for (int i = 0; i < 5; ++i) {
    membership_->port()->report(endpoints_[0], AttemptOutcome::kAnswered, true, 1);
    membership_->port()->report(endpoints_[0], AttemptOutcome::kBroken, false, 0);
  }
  membership_->on_alarm(*endpoints_[0]);
  EXPECT_EQ(standing(0), Standing::kEjected);
}

TEST_F(MembershipTest, NothingIsReportedWhereNobodyAsks) {
  make(2, {});
  EXPECT_EQ(membership_->port(), nullptr);
}

TEST_F(MembershipTest, WhenNoneIsHealthyTheSetSaysSo) {
  make(2, judged(true));
  for (const auto& endpoint : endpoints_) membership_->on_check(*endpoint, {false, "down", false});
  EXPECT_EQ(cluster_->health().eligible, 0U);
  EXPECT_EQ(cluster_->health().reason, ErrorCode::kNoHealthyEndpoint);
}

// 20,000 random events: whatever fails, whenever anybody is ejected the floor is kept, and a check
// that failed takes its endpoint out whatever the floor says.
TEST_F(MembershipTest, EjectionsNeverGoBelowTheFloor) {
  constexpr std::size_t kCount = 7;
  const ClusterConfig config = judged(true);
  make(kCount, config);
  base::Rng rng(7);
  std::array<int, kCount> failed_checks{};
  std::size_t ejected_once = 0;
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t index = rng.below(kCount);
    switch (rng.below(4)) {
      case 0:
        fail(index, 5);
        break;
      case 1:
        membership_->on_check(*endpoints_[index], {false, "down", false});
        ++failed_checks[index];
        break;
      default:
        membership_->on_check(*endpoints_[index], {true, "", false});
        failed_checks[index] = 0;
        break;
    }
    if (failed_checks[index] >= 3) {
      ASSERT_EQ(standing(index), Standing::kUnhealthy);
    }
    ejected_once += count(Standing::kEjected);
    if (count(Standing::kEjected) > 0) {
      ASSERT_FALSE(below_floor(*config.outlier_detection, count(Standing::kIn), kCount)) << step;
    }
    ASSERT_EQ(cluster_->published().endpoints->eligible(), count(Standing::kIn));
  }
  EXPECT_GT(ejected_once, 0U);
}

}  // namespace
}  // namespace weir::upstream
