// SPDX-License-Identifier: Apache-2.0
#include "upstream/retry_policy.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::upstream {
namespace {

using enum RetryVerdict;
using std::chrono::milliseconds;

struct ErrorCase {
  ErrorCode code;
  Retry retry;
  Method method;
  RetryVerdict verdict;
  const char* why;
};

class JudgeErrorTest : public testing::TestWithParam<ErrorCase> {};

TEST_P(JudgeErrorTest, WithTheDefaultConditions) {
  const ErrorCase& c = GetParam();
  EXPECT_EQ(judge_error(RetryConfig{}, make_error(c.code, nullptr, c.retry), c.method), c.verdict)
      << c.why;
}

INSTANTIATE_TEST_SUITE_P(
    Errors, JudgeErrorTest,
    testing::Values(
        ErrorCase{ErrorCode::kConnectRefused, Retry::kUnsent, Method::kPost, kFree,
                  "nothing was sent: safe for every method, and outside the budget"},
        ErrorCase{ErrorCode::kConnectTimeout, Retry::kUnsent, Method::kGet, kFree, "the same"},
        ErrorCase{ErrorCode::kConnectFailed, Retry::kUnsent, Method::kOther, kFree, "the same"},
        ErrorCase{ErrorCode::kUpstreamReset, Retry::kUnsent, Method::kPost, kFree,
                  "a pooled connection that had closed before a byte went out"},
        ErrorCase{ErrorCode::kUpstreamReset, Retry::kIdempotent, Method::kGet, kBudget,
                  "may have been processed, idempotent"},
        ErrorCase{ErrorCode::kUpstreamReset, Retry::kIdempotent, Method::kPost, kNo,
                  "may have been processed, not idempotent"},
        ErrorCase{ErrorCode::kUpstreamReset, Retry::kIdempotent, Method::kPatch, kNo, "the same"},
        ErrorCase{ErrorCode::kUpstreamReset, Retry::kIdempotent, Method::kOther, kNo,
                  "an unknown method is taken for unsafe"},
        ErrorCase{ErrorCode::kUpstreamReset, Retry::kNo, Method::kGet, kNo,
                  "the failure says no: part of the answer has gone out"},
        ErrorCase{ErrorCode::kUpstreamTimeout, Retry::kIdempotent, Method::kGet, kBudget,
                  "would be 504"},
        ErrorCase{ErrorCode::kUpstreamBadHead, Retry::kIdempotent, Method::kGet, kBudget,
                  "would be 502"},
        ErrorCase{ErrorCode::kUpstreamTruncated, Retry::kIdempotent, Method::kGet, kNo,
                  "the head has gone out"},
        ErrorCase{ErrorCode::kUpstreamRefusedStream, Retry::kUnsent, Method::kPost, kFree,
                  "HTTP/2 says that it was not processed"},
        ErrorCase{ErrorCode::kUpstreamTls, Retry::kUnsent, Method::kPost, kFree,
                  "no connection came about"},
        ErrorCase{ErrorCode::kUpstreamHttp2, Retry::kIdempotent, Method::kGet, kBudget,
                  "would be 502"},
        ErrorCase{ErrorCode::kUpstreamUpgrade, Retry::kNo, Method::kGet, kNo,
                  "an origin that half made an upgrade will do so again"},
        ErrorCase{ErrorCode::kClusterPendingFull, Retry::kUnsent, Method::kGet, kNo,
                  "a retry cannot help against a limit of ours"},
        ErrorCase{ErrorCode::kNoEndpoint, Retry::kUnsent, Method::kGet, kNo, "the same"},
        ErrorCase{ErrorCode::kDeadlineExceeded, Retry::kIdempotent, Method::kGet, kNo,
                  "no time is left"}));

TEST(JudgeErrorTest, AConditionThatIsNotListedForbids) {
  RetryConfig config;
  config.on = RetryOnSet::of(RetryOn::k503);
  const Error refused = make_error(ErrorCode::kConnectRefused, nullptr, Retry::kUnsent);
  EXPECT_EQ(judge_error(config, refused, Method::kGet), kNo);
  config.on.insert(RetryOn::kConnectFailure);
  EXPECT_EQ(judge_error(config, refused, Method::kGet), kFree);
}

constexpr std::uint16_t kRetryable[] = {429, 500, 502, 503, 504};
constexpr std::uint16_t kFinal[] = {200, 404, 501, 505};

TEST(JudgeStatusTest, ListedStatusesOfIdempotentRequestsTakeFromTheBudget) {
  RetryConfig config;
  config.on =
      RetryOnSet::of(RetryOn::k429, RetryOn::k500, RetryOn::k502, RetryOn::k503, RetryOn::k504);
  for (const std::uint16_t status : kRetryable) {
    EXPECT_EQ(judge_status(config, status, Method::kGet), kBudget) << status;
    EXPECT_EQ(judge_status(config, status, Method::kPost), kNo) << status;
  }
  for (const std::uint16_t status : kFinal) {
    EXPECT_EQ(judge_status(config, status, Method::kGet), kNo) << status;
  }
}

TEST(JudgeStatusTest, TheDefaultsLeave429And500Alone) {
  EXPECT_EQ(judge_status(RetryConfig{}, 429, Method::kGet), kNo);
  EXPECT_EQ(judge_status(RetryConfig{}, 500, Method::kGet), kNo);
  EXPECT_EQ(judge_status(RetryConfig{}, 503, Method::kGet), kBudget);
}

TEST(JudgeGrpcTest, UnavailableTakesFromTheBudgetWhereItIsListed) {
  RetryConfig config;
  EXPECT_EQ(judge_grpc_unavailable(config), kNo);
  config.on.insert(RetryOn::kGrpcUnavailable);
  EXPECT_EQ(judge_grpc_unavailable(config), kBudget);
}

TEST(IdempotentTest, AreTheMethodsOfRfc9110) {
  for (const Method m : {Method::kGet, Method::kHead, Method::kPut, Method::kDelete,
                         Method::kOptions, Method::kTrace}) {
    EXPECT_TRUE(is_idempotent(m));
  }
  for (const Method m : {Method::kPost, Method::kPatch, Method::kConnect, Method::kOther}) {
    EXPECT_FALSE(is_idempotent(m));
  }
}

struct DelayCase {
  std::uint32_t n;
  milliseconds ceiling;
};

class RetryDelayTest : public testing::TestWithParam<DelayCase> {};

TEST_P(RetryDelayTest, IsUniformUpToTheCeiling) {
  base::Rng rng(GetParam().n + 1);
  const Duration ceiling = GetParam().ceiling;
  Duration sum{0};
  Duration most{0};
  constexpr int kDraws = 20'000;
  for (int i = 0; i < kDraws; ++i) {
    const Duration delay = retry_delay(RetryBackoff{}, GetParam().n, rng);
    ASSERT_GE(delay, Duration::zero());
    ASSERT_LE(delay, ceiling);
    most = std::max(most, delay);
    sum += delay;
  }
  EXPECT_GT(most, ceiling * 99 / 100);
  EXPECT_NEAR(static_cast<double>(sum.count()) / kDraws, static_cast<double>(ceiling.count()) / 2,
              static_cast<double>(ceiling.count()) * 0.02);
}

INSTANTIATE_TEST_SUITE_P(Tries, RetryDelayTest,
                         testing::Values(DelayCase{0, milliseconds(25)},
                                         DelayCase{1, milliseconds(50)},
                                         DelayCase{3, milliseconds(200)},
                                         DelayCase{4, milliseconds(250)},
                                         DelayCase{4'000'000'000, milliseconds(250)}));

TEST(RetryDelayTest, NoBaseIsNoWait) {
  base::Rng rng(1);
  EXPECT_EQ(retry_delay({.base = Millis{0}, .max = Millis{0}}, 3, rng), Duration::zero());
}

}  // namespace
}  // namespace weir::upstream
