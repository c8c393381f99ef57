// SPDX-License-Identifier: Apache-2.0
#include "net/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "net/address.h"
#include "net/loop.h"
#include "support/fake_dns.h"
#include "support/loop_runner.h"

namespace weir::net {
namespace {

using std::chrono::seconds;
using testing::UnorderedElementsAre;

struct Asker final : DnsHandler {
  void on_resolved(Result<std::vector<ResolvedAddress>> result) override {
    ++calls;
    answer = std::move(result);
    if (ask_again != nullptr) std::exchange(ask_again, nullptr)->resolve(query, "again.test");
  }
  std::vector<std::string> addresses() const {
    std::vector<std::string> out;
    for (const auto& each : answer->value()) out.push_back(ip_to_string(each.ip));
    return out;
  }

  int calls = 0;
  std::optional<Result<std::vector<ResolvedAddress>>> answer;
  Resolver* ask_again = nullptr;
  DnsQuery query{*this};
};

class ResolverTest : public testing::Test {
 protected:
  /// Asks and waits for the answer.
  void resolve(const std::string& name) {
    resolver_.resolve(asker_.query, name);
    EXPECT_EQ(asker_.calls, 0) << "never inside the call";
    test::run_until(loop_, [this] { return asker_.calls > 0; });
  }

  test::FakeDns dns_;
  SystemClock clock_;
  Loop loop_{clock_};
  Resolver resolver_{loop_, {.servers = dns_.servers(), .timeout = Millis{200}, .tries = 2}};
  Asker asker_;
};

TEST_F(ResolverTest, GivesAddressesOfBothFamiliesWithTheirTimeToLive) {
  dns_.set("two.test", {.addresses = {"10.1.2.3", "2001:db8::1"}, .ttl = 77});
  resolve("two.test");
  ASSERT_TRUE(asker_.answer->has_value());
  EXPECT_THAT(asker_.addresses(), UnorderedElementsAre("10.1.2.3", "2001:db8::1"));
  for (const auto& each : asker_.answer->value()) EXPECT_EQ(each.ttl, seconds(77));
  EXPECT_FALSE(asker_.query.active());
}

TEST_F(ResolverTest, OneFamilyIsEnough) {
  dns_.set("four.test", {.addresses = {"10.1.2.3", "10.1.2.4"}});
  resolve("four.test");
  EXPECT_THAT(asker_.addresses(), UnorderedElementsAre("10.1.2.3", "10.1.2.4"));
}

TEST_F(ResolverTest, FailuresSayWhatHappened) {
  dns_.set("broken.test", {.addresses = {}, .rcode = 2});
  dns_.set("empty.test", {.addresses = {}});
  dns_.set("silent.test", {.addresses = {}, .silent = true});
  for (const char* name : {"unknown.test", "broken.test", "empty.test", "silent.test"}) {
    SCOPED_TRACE(name);
    asker_.calls = 0;
    resolve(name);
    ASSERT_FALSE(asker_.answer->has_value());
    EXPECT_EQ(asker_.answer->error().code, ErrorCode::kDnsFailure);
    EXPECT_NE(asker_.answer->error().detail, nullptr);
  }
}

TEST_F(ResolverTest, LocalhostComesFromTheHostsFile) {
  resolve("localhost");
  ASSERT_TRUE(asker_.answer->has_value());
  EXPECT_THAT(asker_.addresses(), testing::Contains("127.0.0.1"));
  EXPECT_EQ(dns_.questions(), 0);
}

TEST_F(ResolverTest, AnAddressIsItsOwnAnswer) {
  resolve("192.0.2.7");
  EXPECT_THAT(asker_.addresses(), UnorderedElementsAre("192.0.2.7"));
}

TEST_F(ResolverTest, ACancelledQueryHearsNothing) {
  dns_.set("a.test", {.addresses = {"10.0.0.1"}});
  auto cancelled = std::make_unique<Asker>();
  resolver_.resolve(cancelled->query, "a.test");
  cancelled->query.cancel();
  EXPECT_FALSE(cancelled->query.active());
  auto destroyed = std::make_unique<Asker>();
  resolver_.resolve(destroyed->query, "a.test");
  destroyed.reset();
  resolve("a.test");
  EXPECT_EQ(cancelled->calls, 0);
}

TEST_F(ResolverTest, AnAnswerThatIsNotDeliveredYetCanStillBeCancelled) {
  Asker early;
  resolver_.resolve(early.query, "localhost");
  early.query.cancel();
  resolve("localhost");
  EXPECT_EQ(early.calls, 0);
}

TEST_F(ResolverTest, TheHandlerMayAskAgainAtOnce) {
  dns_.set("a.test", {.addresses = {"10.0.0.1"}});
  dns_.set("again.test", {.addresses = {"10.0.0.2"}});
  asker_.ask_again = &resolver_;
  resolver_.resolve(asker_.query, "a.test");
  test::run_until(loop_, [this] { return asker_.calls == 2; });
  EXPECT_THAT(asker_.addresses(), UnorderedElementsAre("10.0.0.2"));
}

TEST_F(ResolverTest, DestroyingTheResolverCancelsWhatIsUnderWay) {
  dns_.set("silent.test", {.addresses = {}, .silent = true});
  Asker asker;
  Asker answered;
  {
    Resolver resolver(loop_, {.servers = dns_.servers()});
    resolver.resolve(asker.query, "silent.test");
    resolver.resolve(answered.query, "localhost");
  }
  EXPECT_FALSE(asker.query.active());
  EXPECT_FALSE(answered.query.active());
  resolve("localhost");
  EXPECT_EQ(asker.calls + answered.calls, 0);
}

TEST_F(ResolverTest, ServersThatCannotBeReadMakeEveryAnswerAFailure) {
  Resolver resolver(loop_, {.servers = "not an address"});
  resolver.resolve(asker_.query, "localhost");
  test::run_until(loop_, [this] { return asker_.calls > 0; });
  EXPECT_FALSE(asker_.answer->has_value());
}

TEST_F(ResolverTest, ManyAtOnceAllGetAnAnswer) {
  std::vector<std::unique_ptr<Asker>> askers;
  for (int i = 0; i < 50; ++i) {
    const std::string name = "n" + std::to_string(i) + ".test";
    dns_.set(name, {.addresses = {"10.0.1." + std::to_string(i)}});
    askers.push_back(std::make_unique<Asker>());
    resolver_.resolve(askers.back()->query, name);
  }
  test::run_until(loop_, [&] {
    return std::ranges::all_of(askers, [](const auto& each) { return each->calls == 1; });
  });
  for (std::size_t i = 0; i < askers.size(); ++i) {
    EXPECT_THAT(askers[i]->addresses(), UnorderedElementsAre("10.0.1." + std::to_string(i)));
  }
}

}  // namespace
}  // namespace weir::net
