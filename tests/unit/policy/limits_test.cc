// SPDX-License-Identifier: Apache-2.0
// The whole check, on a moved clock: all limits of a request as one, refusals that say which and
// charge nobody, waits, overrides, reloads.
#include "policy/limits.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "place_fixture.h"
#include "policy/tenants.h"

namespace weir::policy {
namespace {

using Outcome = LimitVerdict::Outcome;
using Cause = LimitVerdict::Cause;
using Kind = LimitDimension::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr KeySecret kSecret{1, 2};

LimitConfig limit(std::string name, std::vector<LimitDimension> key) {
  LimitConfig config;
  config.name = std::move(name);
  config.key = std::move(key);
  config.max_keys = 1'000;
  return config;
}
const LimitDimension kTenant{Kind::kTenant, ""};
const LimitDimension kFunction{Kind::kFunction, ""};

RateConfig rate(std::uint64_t amount, std::uint64_t burst) { return {amount, seconds(1), burst}; }
ConcurrencyConfig places(std::uint32_t max, std::uint32_t queue = 0) {
  return {max, {queue, 1 << 20, milliseconds(500)}};
}

class TestArena {
 public:
  base::Arena& arena() { return arena_; }

 private:
  base::Account account_;
  base::BlockPool pool_{4096, 4};
  base::Arena arena_{pool_, account_};
};

/// One request, from its check to its end.
class Request final : public LimitObserver {
 public:
  ~Request() { hold.release(); }
  void on_limits(const LimitVerdict& verdict) override { told = verdict; }

  TestArena memory;
  LimitHold hold{*this};
  std::optional<LimitVerdict> told;
};

class LimitsTest : public testing::Test {
 protected:
  void load(const std::vector<LimitConfig>& configs) {
    worker_.adopt(LimitSet::compile(configs, registry_));
  }
  static LimitFacts facts(std::string_view tenant, std::string_view function = "f") {
    LimitFacts out;
    out.tenant = tenant;
    out.function = function;
    return out;
  }
  LimitVerdict check(Request& request, const LimitFacts& of) {
    return worker_.check(of, request.hold, request.memory.arena());
  }
  /// A request that ends at once.
  LimitVerdict once(const LimitFacts& of) {
    Request request;
    LimitVerdict verdict = check(request, of);
    if (verdict.limit != nullptr) last_ = verdict.limit->name();
    return verdict;
  }
  bool passes(const LimitFacts& of) { return once(of).outcome == Outcome::kPass; }
  int passing(const LimitFacts& of) {
    int count = 0;
    while (count < 100'000 && passes(of)) ++count;
    return count;
  }

  FakeClock clock_;
  FakeOffice office_{1, clock_};
  LimitRegistry registry_{office_, clock_, kSecret};
  WorkerLimits worker_{clock_, office_.desk(0), 0, kSecret};
  std::string last_;
};

TEST_F(LimitsTest, WithoutLimitsEverythingPasses) {
  EXPECT_TRUE(passes(facts("a")));
  load({});
  EXPECT_TRUE(passes(facts("a")));
}

TEST_F(LimitsTest, ALimitCountsByItsDimensions) {
  LimitConfig config = limit("tf", {kTenant, kFunction});
  config.amounts.requests = rate(1, 3);
  load({config});
  EXPECT_EQ(passing(facts("a", "f")), 3);
  EXPECT_EQ(passing(facts("a", "g")), 3);
  EXPECT_EQ(passing(facts("b", "f")), 3);
}

TEST_F(LimitsTest, KeysThatTheCallerHasAreThoseMadeHere) {
  LimitConfig both = limit("tf", {kTenant, kFunction});
  both.amounts.requests = rate(1, 4);
  LimitConfig own = limit("t", {kTenant});
  own.amounts.requests = rate(1, 100);
  own.overrides = {{{"a"}, both.amounts}};
  load({both, own});
  const LimitKey tenant = key_of_name(kSecret, "a");
  const LimitKey function = key_of_name(kSecret, "f");
  LimitFacts of = facts("a", "f");
  EXPECT_TRUE(passes(of));
  of.tenant_key = &tenant;
  EXPECT_TRUE(passes(of));
  of.function_key = &function;
  EXPECT_EQ(passing(of), 2);
  of.function = "g";
  of.function_key = nullptr;
  EXPECT_EQ(passing(of), 0) << "the override is found by the key as well";
}

TEST_F(LimitsTest, ARefusalHasItsWordsReady) {
  LimitConfig config = limit("tiny", {kTenant});
  config.amounts.requests = rate(1, 1);
  load({config});
  EXPECT_TRUE(passes(facts("a")));
  Request request;
  const RefusalText& text = check(request, facts("a")).text();
  EXPECT_EQ(text.code, ErrorCode::kRateLimited);
  EXPECT_EQ(text.detail, "limit tiny by tenant");
  EXPECT_EQ(text.proxy_status, "weir; error=" + std::string(error_info(text.code).proxy_status) +
                                   "; details=\"rate_limited: limit tiny by tenant\"");
  EXPECT_EQ(text.plain_body, "rate_limited: limit tiny by tenant. " +
                                 std::string(error_info(text.code).hint) + "\n");
}

TEST(RefusalTexts, SayWhyAndWhose) {
  const RefusalTexts own = make_refusal_texts("slots", "tenant,function", false);
  const auto& full = own[static_cast<std::size_t>(LimitCause::kQueueFull)];
  EXPECT_EQ(full.code, ErrorCode::kQueueFull);
  EXPECT_EQ(full.detail, "limit slots by tenant,function, its queue is full");
  const RefusalTexts node = make_refusal_texts("all", "node", true);
  const auto& late = node[static_cast<std::size_t>(LimitCause::kQueueDelay)];
  EXPECT_EQ(late.code, ErrorCode::kNodeQueueTimeout);
  EXPECT_EQ(late.detail, "limit all by node, waited in vain");
}

TEST_F(LimitsTest, AddressesCountByPrefixAndMappedOnesAsIpv4) {
  LimitConfig config = limit("ip", {{Kind::kClientIp, ""}});
  config.amounts.requests = rate(1, 3);
  load({config});
  LimitFacts of;
  of.client_ip = {true, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 9}};
  EXPECT_EQ(passing(of), 3);
  of.client_ip.bytes[15] = 77;
  EXPECT_EQ(passing(of), 0);
  of.client_ip.bytes[7] = 2;
  EXPECT_EQ(passing(of), 3);
  of.client_ip = {false, {10, 0, 0, 1}};
  EXPECT_EQ(passing(of), 3);
  of.client_ip = {true, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}};
  EXPECT_EQ(passing(of), 0);
  of.client_ip = {false, {10, 0, 0, 2}};
  EXPECT_EQ(passing(of), 3);
}

TEST_F(LimitsTest, LeavingAHeaderOutIsNoWayRoundItsLimit) {
  LimitConfig config = limit("key", {{Kind::kHeader, "x-api-key"}});
  config.amounts.requests = rate(1, 2);
  load({config});
  Header fields[] = {{"X-Api-Key", "one", HeaderId::kOther}};
  HeaderList headers(fields, 1);
  headers.push(fields[0]);
  LimitFacts of;
  of.headers = &headers;
  EXPECT_EQ(passing(of), 2);
  EXPECT_EQ(passing(LimitFacts{}), 2);
  EXPECT_EQ(passing(LimitFacts{}), 0);
}

TEST_F(LimitsTest, MatchSaysWhichRequestsCount) {
  LimitConfig config = limit("some", {kTenant});
  config.amounts.requests = rate(1, 1);
  config.match.routes = {"b", "a"};
  load({config});
  LimitFacts of = facts("t");
  of.route = "c";
  EXPECT_EQ(passing(of), 100'000);
  of.route = "a";
  EXPECT_EQ(passing(of), 1);
}

TEST_F(LimitsTest, ARefusalSaysWhichLimitAndWhenToComeBack) {
  LimitConfig config = limit("per-tenant", {kTenant});
  config.amounts.requests = rate(10, 20);
  load({config});
  passing(facts("a"));
  Request request;
  const LimitVerdict verdict = check(request, facts("a"));
  EXPECT_EQ(verdict.outcome, Outcome::kRefuse);
  EXPECT_EQ(verdict.cause, Cause::kRate);
  EXPECT_EQ(verdict.limit->name(), "per-tenant");
  EXPECT_EQ(verdict.limit->scope(), "tenant");
  EXPECT_EQ(verdict.status(), 429);
  EXPECT_EQ(verdict.retry_after, milliseconds(100));
  EXPECT_EQ(verdict.retry_after_s(), 1U);
  EXPECT_EQ(rate_limit_policy_field(verdict, request.memory.arena()), "\"per-tenant\";q=20;w=2");
  EXPECT_EQ(rate_limit_field(verdict, request.memory.arena()), "\"per-tenant\";r=0;t=1");
}

TEST_F(LimitsTest, WhatTheNodeSharesIs503) {
  LimitConfig config = limit("node", {});
  config.amounts.requests = rate(1, 1);
  load({config});
  EXPECT_TRUE(passes(facts("a")));
  Request request;
  const LimitVerdict verdict = check(request, facts("b"));
  EXPECT_EQ(verdict.status(), 503);
  EXPECT_EQ(verdict.limit->scope(), "node");
}

TEST_F(LimitsTest, ARefusalChargesNoOtherLimit) {
  LimitConfig node = limit("node", {});
  node.amounts.requests = rate(1, 100);
  LimitConfig tenant = limit("tenant", {kTenant});
  tenant.amounts.requests = rate(1, 5);
  tenant.amounts.concurrency = places(1);
  LimitConfig function = limit("function", {kFunction});
  function.amounts.requests = rate(1, 1'000);
  load({node, tenant, function});
  EXPECT_EQ(passing(facts("storm")), 5);
  for (int i = 0; i < 1'000; ++i) EXPECT_FALSE(passes(facts("storm")));
  // Not by a rate refusal, nor by one of concurrency.
  Request holder;
  EXPECT_EQ(check(holder, facts("held")).outcome, Outcome::kPass);
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(once(facts("held")).cause, Cause::kConcurrency);
  int others = 0;
  for (int i = 0; i < 200; ++i) others += passes(facts("t" + std::to_string(i)));
  EXPECT_EQ(others, 100 - 5 - 1);
}

TEST_F(LimitsTest, ConcurrencyLastsAsLongAsItsHold) {
  LimitConfig config = limit("c", {kTenant});
  config.amounts.concurrency = places(2);
  load({config});
  {
    Request a;
    Request b;
    EXPECT_EQ(check(a, facts("t")).outcome, Outcome::kPass);
    EXPECT_EQ(check(b, facts("t")).outcome, Outcome::kPass);
    EXPECT_FALSE(passes(facts("t")));
    EXPECT_TRUE(passes(facts("u")));
  }
  EXPECT_TRUE(passes(facts("t")));
}

TEST_F(LimitsTest, AWaitEndsWithThePlaceAndOnlyThenIsTheRateCharged) {
  LimitConfig config = limit("c", {kTenant});
  config.amounts.concurrency = places(1, 10);
  config.amounts.requests = rate(1, 3);
  load({config});
  auto holder = std::make_unique<Request>();
  EXPECT_EQ(check(*holder, facts("t")).outcome, Outcome::kPass);
  Request waiter;
  EXPECT_EQ(check(waiter, facts("t")).outcome, Outcome::kWait);
  {
    Request impatient;
    EXPECT_EQ(check(impatient, facts("t")).outcome, Outcome::kWait);
    Request gone;
    EXPECT_EQ(check(gone, facts("t")).outcome, Outcome::kWait);
  }
  office_.deliver_all();
  EXPECT_FALSE(waiter.told);
  holder.reset();
  office_.deliver_all();
  ASSERT_TRUE(waiter.told);
  EXPECT_EQ(waiter.told->outcome, Outcome::kPass);
  waiter.hold.release();
  // Three of three: the holder, the waiter, and one more.
  EXPECT_EQ(passing(facts("t")), 1);
}

TEST_F(LimitsTest, AWaitThatTakesTooLongGivesAllBack) {
  LimitConfig wide = limit("function", {kFunction});
  wide.amounts.concurrency = places(1, 10);
  LimitConfig narrow = limit("tenant", {kTenant});
  narrow.amounts.concurrency = places(5);
  load({wide, narrow});
  Request holder;
  check(holder, facts("a"));
  Request waiter;
  EXPECT_EQ(check(waiter, facts("b")).outcome, Outcome::kWait);
  EXPECT_EQ(waiter.hold.deadline(), clock_.now() + milliseconds(500));
  const LimitVerdict verdict = waiter.hold.expire();
  EXPECT_EQ(verdict.cause, Cause::kQueueDelay);
  EXPECT_EQ(verdict.limit->name(), "function");
  EXPECT_FALSE(waiter.hold.waiting());
  holder.hold.release();
  office_.deliver_all();
  EXPECT_FALSE(waiter.told);
  EXPECT_TRUE(passes(facts("b")));
}

TEST_F(LimitsTest, AFullQueueIsRefused) {
  LimitConfig config = limit("c", {kTenant});
  config.amounts.concurrency = places(1, 1);
  load({config});
  Request holder;
  Request first;
  Request second;
  check(holder, facts("t"));
  EXPECT_EQ(check(first, facts("t")).outcome, Outcome::kWait);
  check(second, facts("t"));
  office_.deliver_all();
  ASSERT_TRUE(second.told);
  EXPECT_EQ(second.told->outcome, Outcome::kRefuse);
  EXPECT_FALSE(first.told);
}

// Narrowest first: one who waits for what tenants share holds nothing that another tenant needs.
TEST_F(LimitsTest, WaitingForATenantsPlaceHoldsNoPlaceOfTheFunction) {
  LimitConfig function = limit("function", {kFunction});
  function.amounts.concurrency = places(2);
  LimitConfig tenant = limit("tenant", {kTenant});
  tenant.amounts.concurrency = places(1, 10);
  load({function, tenant});
  Request holder;
  check(holder, facts("storm"));
  std::vector<std::unique_ptr<Request>> waiters;
  for (int i = 0; i < 10; ++i) {
    waiters.push_back(std::make_unique<Request>());
    EXPECT_EQ(check(*waiters.back(), facts("storm")).outcome, Outcome::kWait);
  }
  EXPECT_TRUE(passes(facts("other")));
}

TEST_F(LimitsTest, DryRunCountsAndRefusesNobody) {
  LimitConfig config = limit("dry", {kTenant});
  config.amounts.requests = rate(1, 2);
  config.amounts.concurrency = places(1, 10);
  config.dry_run = true;
  load({config});
  Request holder;
  check(holder, facts("t"));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(passes(facts("t")));
  const auto state = registry_.state(config);
  EXPECT_EQ(state->stats[0].passed.value(), 11U);
  EXPECT_EQ(state->stats[0].dry_run.value(), 10U + 9U);
  EXPECT_EQ(state->stats[0].refused_rate.value(), 0U);
}

TEST_F(LimitsTest, ClassesAndOverridesInsteadOfTheDefault) {
  LimitConfig config = limit("c", {kTenant});
  config.amounts.requests = rate(1, 2);
  ClassOverride gold{"gold", {}};
  gold.amounts.requests = rate(1, 5);
  config.classes = {gold};
  LimitOverride acme{{"acme"}, {}};
  acme.amounts.requests = rate(1, 9);
  config.overrides = {acme};
  load({config});
  EXPECT_EQ(passing(facts("plain")), 2);
  LimitFacts of = facts("shiny");
  of.class_name = "gold";
  EXPECT_EQ(passing(of), 5);
  of.tenant = "acme";
  EXPECT_EQ(passing(of), 9);
}

TEST_F(LimitsTest, AHundredThousandOverridesReloadAndBucketsKeepTheirState) {
  LimitConfig config = limit("c", {kTenant});
  config.max_keys = 200'000;
  config.amounts.requests = rate(1, 1);
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    LimitOverride each{{"t" + std::to_string(i)}, {}};
    each.amounts.requests = rate(1, 2 + i % 5);
    config.overrides.push_back(std::move(each));
  }
  load({config});
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_EQ(passing(facts("t" + std::to_string(i * 100 + i % 5))), 2 + i % 5);
  }
  load({config});
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_EQ(passing(facts("t" + std::to_string(i * 100 + i % 5))), 0);
  }
  EXPECT_EQ(passing(facts("t99997")), 4);
}

TEST_F(LimitsTest, AnotherNameOrOtherDimensionsAreAnotherLimit) {
  LimitConfig config = limit("c", {kTenant});
  config.amounts.requests = rate(1, 2);
  load({config});
  EXPECT_EQ(passing(facts("t")), 2);
  config.key = {kTenant, kFunction};
  load({config});
  EXPECT_EQ(passing(facts("t")), 2);
}

TEST_F(LimitsTest, ARequestKeepsTheLimitsThatItWasAdmittedBy) {
  LimitConfig config = limit("c", {kTenant});
  config.amounts.concurrency = places(1, 5);
  load({config});
  auto holder = std::make_unique<Request>();
  check(*holder, facts("t"));
  Request waiter;
  check(waiter, facts("t"));
  load({});
  load({config});
  EXPECT_EQ(worker_.generations(), 2U);
  Request later;
  EXPECT_EQ(check(later, facts("t")).outcome, Outcome::kWait);
  holder.reset();
  office_.deliver_all();
  ASSERT_TRUE(waiter.told);
  EXPECT_EQ(waiter.told->outcome, Outcome::kPass);
  waiter.hold.release();
  EXPECT_EQ(worker_.generations(), 1U);
  office_.deliver_all();
  EXPECT_TRUE(later.told);
}

TEST_F(LimitsTest, BytesAndCostsArePaidAfterwards) {
  LimitConfig config = limit("c", {kTenant});
  config.amounts.bandwidth = rate(1'000'000, 1'000'000);
  load({config});
  Request request;
  EXPECT_EQ(check(request, facts("t")).outcome, Outcome::kPass);
  request.hold.charge_bytes(600'000, clock_.now());
  EXPECT_TRUE(passes(facts("t")));
  request.hold.charge_bytes(1'400'000, clock_.now());
  EXPECT_FALSE(passes(facts("t")));
  clock_.advance(milliseconds(1'001));
  EXPECT_TRUE(passes(facts("t")));
}

TEST_F(LimitsTest, CostsCountWhereALimitCountsThem) {
  LimitConfig config = limit("c", {kTenant});
  config.amounts.cost = rate(10, 10);
  load({config});
  Request request;
  check(request, facts("t"));
  EXPECT_TRUE(request.hold.counts_cost());
  request.hold.charge_cost(11, clock_.now());
  EXPECT_FALSE(passes(facts("t")));
}

// Refusals, waits, ends and reloads of all kinds: no bucket loses more than what passed, and all
// places come back.
TEST_F(LimitsTest, AnyMixOfEndsLeavesNothingHeld) {
  LimitConfig tenant = limit("tenant", {kTenant});
  tenant.amounts.requests = rate(100, 50);
  tenant.amounts.concurrency = places(3, 4);
  LimitConfig function = limit("function", {kFunction});
  function.amounts.concurrency = places(4, 6);
  LimitConfig node = limit("node", {});
  node.amounts.requests = rate(1'000, 500);
  load({tenant, function, node});
  base::Rng rng(7);
  std::vector<std::unique_ptr<Request>> requests;
  std::uint64_t passed = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (rng.below(3) == 0) clock_.advance(milliseconds(rng.below(10)));
    if (rng.below(500) == 0) load({tenant, function, node});
    auto request = std::make_unique<Request>();
    const std::string name = "t" + std::to_string(rng.below(4));
    const std::string called = "f" + std::to_string(rng.below(2));
    const LimitVerdict verdict = check(*request, facts(name, called));
    passed += verdict.outcome == Outcome::kPass;
    requests.push_back(std::move(request));
    if (rng.below(2) == 0) office_.deliver_one(0);
    if (requests.size() > 12) {
      requests.erase(requests.begin() + rng.below(static_cast<std::uint32_t>(requests.size())));
    }
  }
  EXPECT_GT(passed, 0U);
  requests.clear();
  office_.deliver_all();
  const auto tenants = registry_.state(tenant);
  const auto functions = registry_.state(function);
  for (const auto& [state, name] : {std::pair{tenants, "t"}, {functions, "f"}}) {
    for (int i = 0; i < 4; ++i) {
      const LimitKey key = key_of_name(kSecret, name + std::to_string(i));
      const PlaceTable::Load load = state->places->table().load(key);
      EXPECT_EQ(load.places, 0U);
      EXPECT_EQ(load.waiting, 0U);
    }
  }
  EXPECT_EQ(worker_.generations(), 1U);
}

TEST(Tenants, ClosedDirectoriesCountStrangersAsOne) {
  TenantsConfig config;
  config.classes = {{"gold", 4, 1}, {"standard", 1, 3}};
  config.members = {{"acme", "gold"}};
  config.default_class = "standard";
  const Tenants closed(config);
  EXPECT_EQ(closed.standing("acme").bucket, "acme");
  EXPECT_EQ(closed.standing("acme").of->name, "gold");
  EXPECT_EQ(closed.standing("invented").bucket, "unknown");
  EXPECT_EQ(closed.standing("invented").of->name, "standard");
  config.open = true;
  EXPECT_EQ(Tenants(config).standing("invented").bucket, "invented");
}

TEST(Tenants, ARuleMayNameAClassThatExists) {
  TenantsConfig config;
  config.classes = {{"gold", 4, 1}};
  const Tenants tenants(config);
  EXPECT_EQ(tenants.standing("a").of->weight, 1U);
  EXPECT_EQ(tenants.standing("a", "gold").of->weight, 4U);
  EXPECT_EQ(tenants.standing("a", "none").of->weight, 1U);
}

}  // namespace
}  // namespace weir::policy
