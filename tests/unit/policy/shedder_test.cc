// SPDX-License-Identifier: Apache-2.0
#include "policy/shedder.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "base/hash.h"

namespace weir::policy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kTarget = milliseconds(200);

// A worker that serves `capacity` requests a second from one queue, fed with as many of each
// priority, each by another of `tenants`.
class ShedderTest : public testing::Test {
 protected:
  void SetUp() override { shedder_.configure({true, milliseconds(200)}); }

  void delay(Duration delay, Duration after = Shedder::kProbeInterval) {
    clock_.advance(after);
    shedder_.on_delay(delay, clock_.now(), clock_.wall());
  }

  struct Counts {
    std::array<int, kLastPriority + 1> came{};
    std::array<int, kLastPriority + 1> refused{};
    double share(std::size_t priority) const {
      return came[priority] == 0 ? 0 : double(refused[priority]) / came[priority];
    }
    double all() const {
      int c = 0, r = 0;
      for (std::size_t i = 0; i < came.size(); ++i) c += came[i], r += refused[i];
      return c == 0 ? 0 : double(r) / c;
    }
  };

  // `length` of `rate` requests a second, evenly over priorities from `first` on.
  Counts run(Duration length, double rate, unsigned first = 0) {
    Counts counts;
    const double step = std::chrono::duration<double>(Shedder::kProbeInterval).count();
    for (Duration gone{}; gone < length; gone += Shedder::kProbeInterval) {
      const int arrivals = static_cast<int>(rate * step);
      for (int i = 0; i < arrivals; ++i) {
        const auto priority =
            static_cast<std::uint8_t>(first + next_ % (kLastPriority + 1 - first));
        const std::uint64_t tenant = base::mix64(next_++ % 1009);
        ++counts.came[priority];
        if (shedder_.watching() && shedder_.refuses(priority, tenant)) {
          ++counts.refused[priority];
        } else {
          backlog_ += 1;
        }
      }
      backlog_ = std::max(0.0, backlog_ - kCapacity * step);
      longest_ = std::max(longest_, backlog_ / kCapacity);
      delay(std::chrono::duration_cast<Duration>(
          std::chrono::duration<double>(backlog_ / kCapacity)));
    }
    return counts;
  }

  static constexpr double kCapacity = 10'000;
  FakeClock clock_;
  Shedder shedder_;
  double backlog_ = 0;
  double longest_ = 0;  // seconds
  std::uint64_t next_ = 0;
};

TEST_F(ShedderTest, LoadThatIsServedIsNeverRefused) {
  EXPECT_EQ(run(seconds(60), kCapacity).all(), 0);
  EXPECT_FALSE(shedder_.watching());
}

TEST_F(ShedderTest, OneStallRefusesNobodyHoweverLong) {
  for (int i = 0; i < 20; ++i) delay(milliseconds(1));
  for (int i = 0; i < 50; ++i) {
    delay(seconds(5));
    delay(milliseconds(1));
    delay(milliseconds(1));
    EXPECT_EQ(shedder_.share(), 0);
  }
}

TEST_F(ShedderTest, TheTargetItselfHasToStandBeforeAnybodyIsRefused) {
  const auto needed = Shedder::kDelaysAWindow * Shedder::kArmingWindows;
  for (std::uint32_t i = 0; i + 1 < needed; ++i) delay(2 * kTarget);
  EXPECT_EQ(shedder_.share(), 0);
  EXPECT_TRUE(shedder_.watching());
  delay(2 * kTarget);
  EXPECT_GT(shedder_.share(), 0);
}

TEST_F(ShedderTest, OverloadRefusesWhatIsTooMuchAndTheLowestPriorityFirst) {
  run(seconds(20), kCapacity * 1.5);
  const Counts counts = run(seconds(20), kCapacity * 1.5);
  EXPECT_NEAR(counts.all(), 1.0 / 3, 0.05);
  EXPECT_GT(counts.share(5), 0.9);
  EXPECT_GT(counts.share(4), 0.7);
  EXPECT_LT(counts.share(3), 0.2);
  EXPECT_LT(counts.share(2), 0.01);
  EXPECT_EQ(counts.share(1), 0);
  EXPECT_EQ(counts.share(0), 0);
}

TEST_F(ShedderTest, TheDelayIsHeldNearItsTarget) {
  run(seconds(20), kCapacity * 2);
  longest_ = 0;
  run(seconds(20), kCapacity * 2);
  EXPECT_LT(longest_, 0.5);
  EXPECT_GT(longest_, 0.1);
}

TEST_F(ShedderTest, AfterTheOverloadNobodyIsRefusedAndNothingIsCounted) {
  run(seconds(20), kCapacity * 2);
  ASSERT_GT(shedder_.share(), 0);
  run(seconds(10), kCapacity / 2);
  EXPECT_EQ(shedder_.share(), 0);
  EXPECT_FALSE(shedder_.watching());
  EXPECT_EQ(run(seconds(10), kCapacity).all(), 0);
}

TEST_F(ShedderTest, PriorityZeroIsNeverRefused) {
  for (int i = 0; i < 1000; ++i) {
    delay(seconds(10));
    EXPECT_FALSE(shedder_.refuses(0, static_cast<std::uint64_t>(i)));
  }
  EXPECT_EQ(shedder_.share(), 1);
  EXPECT_TRUE(shedder_.refuses(1, 1));
}

TEST_F(ShedderTest, WithinAPriorityTheSameTenantsAreRefused) {
  run(seconds(30), kCapacity * 1.25, kLastPriority);
  int whole = 0, none = 0, mixed = 0;
  for (std::uint64_t tenant = 0; tenant < 1000; ++tenant) {
    int refused = 0;
    for (int i = 0; i < 10; ++i) refused += shedder_.refuses(5, base::mix64(tenant));
    if (refused == 10) ++whole;
    if (refused == 0) ++none;
    if (refused > 0 && refused < 10) ++mixed;
  }
  EXPECT_NEAR(whole, 200, 80);
  EXPECT_NEAR(none, 800, 80);
  EXPECT_LT(mixed, 30);
}

TEST_F(ShedderTest, NobodyIsRefusedForLong) {
  std::array<int, 64> turns{};
  for (int i = 0; i < 8; ++i) {
    run(seconds(170), kCapacity * 1.25, kLastPriority);
    for (std::uint64_t tenant = 0; tenant < turns.size(); ++tenant) {
      turns[tenant] += shedder_.refuses(5, base::mix64(tenant));
    }
  }
  for (const int refused : turns) EXPECT_LT(refused, 6);
}

TEST_F(ShedderTest, WorkersRefuseTheSameTenants) {
  Shedder other;
  other.configure({true, milliseconds(200)});
  for (int i = 0; i < 40; ++i) {
    for (std::uint64_t tenant = 0; tenant < 500; ++tenant) {
      EXPECT_EQ(shedder_.refuses(5, tenant), other.refuses(5, tenant));
    }
    delay(2 * kTarget);
    other.on_delay(2 * kTarget, clock_.now(), clock_.wall());
  }
  EXPECT_GT(other.share(), 0.1);
}

TEST_F(ShedderTest, TurnedOffItForgets) {
  for (int i = 0; i < 100; ++i) delay(seconds(1));
  shedder_.configure({false, milliseconds(200)});
  EXPECT_FALSE(shedder_.watching());
  EXPECT_EQ(shedder_.share(), 0);
}

}  // namespace
}  // namespace weir::policy
