// SPDX-License-Identifier: Apache-2.0
#include "admin/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "fake_process.h"

namespace weir::admin {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class RouterTest : public ::testing::Test {
 protected:
  /// The answer, be it at once or some turns later.
  Response ask(Method method, const std::string& path, Door door = Door::kUnixSocket) {
    Request request{method, path, {}, door};
    if (const size_t mark = path.find('?'); mark != std::string::npos) {
      request.query = path.substr(mark + 1);
      request.path = path.substr(0, mark);
    }
    std::optional<Response> later;
    auto now = router_.handle(request, [&](Response response) { later = std::move(response); });
    EXPECT_FALSE(later) << "an answer came inside the call that asked";
    if (now) return *now;
    for (turns_ = 0; !later && turns_ < 10'000; ++turns_) process_.run();
    EXPECT_TRUE(later) << path;
    return later.value_or(Response());
  }

  FakeProcess process_;
  Router router_{process_};
  int turns_ = 0;
};

TEST_F(RouterTest, ServesProbesAndMetricsOverTcp) {
  for (const char* path : {"/healthz", "/readyz", "/metrics"}) {
    EXPECT_EQ(ask(Method::kGet, path, Door::kTcp).status, 200) << path;
    EXPECT_EQ(ask(Method::kHead, path, Door::kTcp).status, 200) << path;
  }
}

TEST_F(RouterTest, RefusesEverythingElseOverTcpAndNamesTheSocket) {
  for (const char* path : {"/", "/config", "/clusters", "/stats", "/routes"}) {
    const Response response = ask(Method::kGet, path, Door::kTcp);
    EXPECT_EQ(response.status, 403) << path;
    EXPECT_THAT(response.body, HasSubstr("--unix-socket /run/weir/admin.sock")) << path;
  }
  EXPECT_EQ(ask(Method::kPost, "/reload", Door::kTcp).status, 403);
  EXPECT_EQ(ask(Method::kPost, "/drain", Door::kTcp).status, 403);
  EXPECT_EQ(process_.drains, 0);
  EXPECT_TRUE(process_.tasks.empty());
}

TEST_F(RouterTest, RefusesVerbsByGetAndPagesByPost) {
  const Response verb = ask(Method::kGet, "/reload");
  EXPECT_EQ(verb.status, 405);
  EXPECT_EQ(verb.allow, "POST");
  const Response page = ask(Method::kPost, "/stats");
  EXPECT_EQ(page.status, 405);
  EXPECT_EQ(page.allow, "GET, HEAD");
  EXPECT_EQ(ask(Method::kDelete, "/metrics", Door::kTcp).status, 405);
}

TEST_F(RouterTest, KnowsNothingElse) {
  EXPECT_EQ(ask(Method::kGet, "/nothing").status, 404);
  EXPECT_EQ(ask(Method::kGet, "/metrics/", Door::kTcp).status, 404);
}

TEST_F(RouterTest, ListsEveryPage) {
  const Response index = ask(Method::kGet, "/");
  for (const char* path : {"/healthz", "/readyz", "/metrics", "/stats", "/clusters", "/config",
                           "/routes", "/reload", "/drain"}) {
    EXPECT_THAT(index.body, HasSubstr(path));
  }
}

TEST_F(RouterTest, IsUnhealthyWhenAWorkerHasNotTurnedForTwoSeconds) {
  process_.fake_clock.advance(std::chrono::milliseconds(2000));
  EXPECT_EQ(ask(Method::kGet, "/healthz").status, 200);
  process_.last_turns[0] = process_.fake_clock.now().time_since_epoch().count();
  process_.fake_clock.advance(std::chrono::milliseconds(1100));
  const Response sick = ask(Method::kGet, "/healthz");
  EXPECT_EQ(sick.status, 503);
  EXPECT_THAT(sick.body, HasSubstr("worker 1 has not turned its loop for 3.1 s"));
}

TEST_F(RouterTest, SaysWhyItIsNotReady) {
  EXPECT_EQ(ask(Method::kGet, "/readyz").status, 200);
  process_.why_not_ready = "draining";
  const Response response = ask(Method::kGet, "/readyz", Door::kTcp);
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body, "not ready: draining\n");
  EXPECT_EQ(ask(Method::kGet, "/healthz").status, 200);
}

TEST_F(RouterTest, TellsWhetherDnsShouldNameTheRegionAlsoOverTcp) {
  EXPECT_EQ(ask(Method::kGet, "/region/health").status, 404);
  process_.region_reading.emplace();
  process_.region_reading->name = "eu";
  process_.region_reading->reason = "cluster orders: no_healthy_endpoint";
  const Response out = ask(Method::kGet, "/region/health", Door::kTcp);
  EXPECT_EQ(out.status, 503);
  const auto page = nlohmann::json::parse(out.body);
  EXPECT_EQ(page["region"], "eu");
  EXPECT_EQ(page["in_answer"], false);
  EXPECT_EQ(page["reason"], "cluster orders: no_healthy_endpoint");
  process_.region_reading->in_answer = true;
  EXPECT_EQ(ask(Method::kGet, "/region/health", Door::kTcp).status, 200);
}

TEST_F(RouterTest, ShowsTheConfigWithoutSecretsInBothForms) {
  const Response json = ask(Method::kGet, "/config");
  EXPECT_EQ(json.content_type, "application/json");
  EXPECT_TRUE(nlohmann::json::parse(json.body)["clusters"].contains("blue"));
  const Response yaml = ask(Method::kGet, "/config?format=yaml");
  EXPECT_THAT(yaml.body, HasSubstr("clusters:\n  blue:\n"));
  EXPECT_THAT(json.body + yaml.body, Not(HasSubstr("authorization: top")));
  EXPECT_THAT(json.body, Not(HasSubstr("\"top\"")));
}

TEST_F(RouterTest, ShowsRoutesInTheirOrder) {
  EXPECT_THAT(ask(Method::kGet, "/routes").body, HasSubstr("all"));
}

TEST_F(RouterTest, HasNoConfigToShowBeforeTheFirst) {
  process_.current = nullptr;
  EXPECT_EQ(ask(Method::kGet, "/config").status, 503);
  EXPECT_EQ(ask(Method::kGet, "/routes").status, 503);
  EXPECT_EQ(ask(Method::kGet, "/metrics").status, 200);
}

TEST_F(RouterTest, ReloadAnswersWithItsResult) {
  process_.outcome = {true, 7, {}, ""};
  const Response good = ask(Method::kPost, "/reload");
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(nlohmann::json::parse(good.body)["version"], 7);

  config::Diagnostic finding;
  finding.file = "weir.yaml";
  finding.line = 3;
  finding.message = "what is wrong";
  process_.outcome = {false, 7, {finding}, ""};
  const Response bad = ask(Method::kPost, "/reload");
  EXPECT_EQ(bad.status, 422);
  const auto json = nlohmann::json::parse(bad.body);
  EXPECT_EQ(json["applied"], false);
  EXPECT_EQ(json["findings"][0]["message"], "what is wrong");
  EXPECT_THAT(json["report"].get<std::string>(), StartsWith("weir.yaml:3"));
}

TEST_F(RouterTest, DrainBegins) {
  EXPECT_EQ(ask(Method::kPost, "/drain").status, 202);
  EXPECT_EQ(process_.drains, 1);
}

TEST_F(RouterTest, SetHandsOverWhatIsAskedDecoded) {
  process_.set_answer = {200, "done\n"};
  const Response answer =
      ask(Method::kPost, "/set?kind=endpoint&name=app%2F%5B%3A%3A1%5D%3A80&value=drain&for=5m");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "done\n");
  ASSERT_EQ(process_.set_requests.size(), 1U);
  const SetRequest& asked = process_.set_requests[0];
  EXPECT_EQ(asked.kind, "endpoint");
  EXPECT_EQ(asked.name, "app/[::1]:80");
  EXPECT_EQ(asked.value, "drain");
  EXPECT_EQ(asked.how_long, "5m");
  EXPECT_FALSE(asked.keep);
}

TEST_F(RouterTest, SetRefusesWhatItDoesNotKnow) {
  EXPECT_EQ(ask(Method::kPost, "/set?kind=cluster&name=a&value=drain&until=5m").status, 422);
  EXPECT_EQ(ask(Method::kPost, "/set?kind=cluster&name=a&value=drain&keep=yes").status, 422);
  EXPECT_TRUE(process_.set_requests.empty());
}

TEST_F(RouterTest, OverridesAreShownAndBecomeLinesOfAConfig) {
  OverrideRow row;
  row.kind = OverrideKind::kWeight;
  row.name = "app/unix:/run/a.sock";
  row.cluster = "app";
  row.part = "unix:/run/a.sock";
  row.value = "50%";
  row.configured = "80";
  row.yaml = "40";
  row.end = OverrideEnd::kTime;
  row.left = std::chrono::minutes(5);
  row.who = "uid 7";
  process_.override_list = {row};
  const auto json = nlohmann::json::parse(ask(Method::kGet, "/overrides").body)["overrides"][0];
  EXPECT_EQ(json["line"], "weight app/unix:/run/a.sock: 80 -> 50%, for 5m more by uid 7");
  EXPECT_EQ(json["for_ms"], 300'000);
  EXPECT_THAT(ask(Method::kGet, "/overrides?format=yaml").body,
              HasSubstr("clusters:\n  app:\n    endpoints:\n"
                        "      - address: \"unix:/run/a.sock\"\n        weight: 40\n"));
}

TEST_F(RouterTest, SaysWhatIsInFlightAndWhatAReloadWouldChange) {
  EXPECT_EQ(ask(Method::kGet, "/in_flight?kind=cluster&name=a").body, "{\"in_flight\":3}\n");
  EXPECT_EQ(ask(Method::kGet, "/diff").body, "no change\n");
}

TEST_F(RouterTest, ALargeScrapeLetsTheLoopTurnBetween) {
  // A clock that moves a millisecond each time it is read: every step uses up half a slice.
  class Ticking final : public FakeProcess {
   public:
    const Clock& clock() const override {
      const_cast<FakeClock&>(fake_clock).advance(std::chrono::milliseconds(1));
      return fake_clock;
    }
  };
  Ticking process;
  Router router(process);
  std::optional<Response> later;
  router.handle({Method::kGet, "/metrics", {}, Door::kTcp},
                [&](Response response) { later = std::move(response); });
  int turns = 0;
  while (!later && turns < 10'000) {
    process.run();
    ++turns;
  }
  ASSERT_TRUE(later);
  EXPECT_GT(turns, 10);
}

}  // namespace
}  // namespace weir::admin
