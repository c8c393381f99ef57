// SPDX-License-Identifier: Apache-2.0
#include "proxy/access_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace weir::proxy {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

AccessRecord full_record() {
  AccessRecord r;
  r.started = WallTime{std::chrono::seconds{1'700'000'000} + std::chrono::microseconds{42}};
  r.client = "192.0.2.7";
  r.client_port = 4711;
  r.listener = "edge";
  r.method = "GET";
  r.scheme = "http";
  r.authority = "shop.example.com";
  r.target = "/a%20b?q=1";
  r.path = "/a%20b";
  r.protocol = "HTTP/1.1";
  r.user_agent = "curl/8.0";
  r.referer = "http://example.com/";
  r.request_id = "0123456789abcdef0123456789abcdef";
  r.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
  r.status = 503;
  r.reason = "connect_refused";
  r.detail = "nobody listens there";
  r.route = "shop";
  r.cluster = "blue";
  r.tenant = "acme";
  r.function = "resize";
  r.class_name = "gold";
  r.priority = 3;
  r.endpoint = "10.0.0.1:80";
  r.attempts = 3;
  r.tries = "blue/10.0.0.2:80=503, blue/10.0.0.3:80=502, blue/10.0.0.1:80=connect_refused";
  r.cell = "c1";
  r.cell_served = "c2";
  r.release = "orders";
  r.release_to = "orders-v2";
  r.release_rule = "early";
  r.grpc_status = 14;
  r.upstream_status = 502;
  r.upstream_reused = true;
  r.bytes_received = 12;
  r.bytes_sent = 34;
  r.head_us = 5;
  r.connected_us = 60;
  r.sent_us = 70;
  r.response_us = 800;
  r.total_us = 900;
  return r;
}

AccessLogConfig config_of(AccessLogConfig::Format format, std::string text = {}) {
  AccessLogConfig config;
  config.format = format;
  config.format_template = std::move(text);
  return config;
}

AccessLogConfig sampling(Share share) {
  AccessLogConfig config;
  config.sample = share;
  return config;
}

AccessLogFormat compiled(const AccessLogConfig& config) {
  auto format = AccessLogFormat::compile(config);
  EXPECT_TRUE(format) << (format ? "" : format.error());
  return std::move(*format);
}

AccessLogFormat from_template(std::string text) {
  return compiled(config_of(AccessLogConfig::Format::kTemplate, std::move(text)));
}

std::string line_of(const AccessLogFormat& format, const AccessRecord& record,
                    size_t room = AccessLogFormat::kRoomEnough) {
  std::string out(room, '#');
  out.resize(format.format(record, out.data(), room));
  return out;
}

TEST(AccessLogJson, HasEveryFieldThatIsKnown) {
  const std::string line = line_of(compiled({}), full_record());
  ASSERT_TRUE(line.ends_with("}\n"));
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["time"], "2023-11-14T22:13:20.000042Z");
  EXPECT_EQ(json["client"], "192.0.2.7");
  EXPECT_EQ(json["client_port"], 4711);
  EXPECT_EQ(json["target"], "/a%20b?q=1");
  EXPECT_EQ(json["status"], 503);
  EXPECT_EQ(json["reason"], "connect_refused");
  EXPECT_EQ(json["attempts"], 3);
  EXPECT_EQ(json["upstream_reused"], true);
  EXPECT_EQ(json["response_us"], 800);
  EXPECT_EQ(json["total_us"], 900);
  // Every field but the one that only templates have.
  EXPECT_EQ(json.size(), AccessLogFormat::field_names().size() - 1);
}

TEST(AccessLogJson, LeavesOutWhatDoesNotApply) {
  AccessRecord record;
  record.status = 404;
  const auto json = nlohmann::json::parse(line_of(compiled({}), record));
  for (const char* absent :
       {"reason", "cluster", "upstream_status", "head_us", "user_agent", "grpc_status"}) {
    EXPECT_FALSE(json.contains(absent)) << absent;
  }
  EXPECT_EQ(json["attempts"], 0);
  EXPECT_EQ(json["bytes_sent"], 0);
}

struct Hostile {
  std::string value;
  std::string after_parsing;
};

class AccessLogHostile : public ::testing::TestWithParam<Hostile> {};

TEST_P(AccessLogHostile, StaysOneValidJsonLineAtEveryAlignment) {
  const AccessLogFormat format = compiled({});
  // Escapes are looked for eight bytes at a time: each offset takes another way through.
  for (size_t shift = 0; shift < 9; ++shift) {
    const std::string value = std::string(shift, 'x') + GetParam().value + "y";
    AccessRecord record;
    record.user_agent = value;
    const std::string line = line_of(format, record);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    const auto json = nlohmann::json::parse(line, nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << line;
    EXPECT_EQ(json["user_agent"], std::string(shift, 'x') + GetParam().after_parsing + "y");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Values, AccessLogHostile,
    ::testing::Values(Hostile{"\"", "\""}, Hostile{"\\", "\\"}, Hostile{"\\\"", "\\\""},
                      Hostile{"\",\"status\":200,\"x\":\"", "\",\"status\":200,\"x\":\""},
                      Hostile{"a\nb", "a\nb"}, Hostile{"\r\n", "\r\n"},
                      Hostile{std::string(1, '\0'), std::string(1, '\0')}, Hostile{"\x1f", "\x1f"},
                      Hostile{"\x1b[2J", "\x1b[2J"}, Hostile{"\x7f", "\x7f"},
                      Hostile{"\xc3\xa4", "\xc3\xa4"},          // a valid letter
                      Hostile{"\xe2\x82\xac", "\xe2\x82\xac"},  // three bytes
                      Hostile{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
                      Hostile{"\xc2\x9b", "\xc2\x9b"},             // C1 CSI, written as \u009b
                      Hostile{"\xff", "\\xff"},                    // no UTF-8 at all
                      Hostile{"\xc3", "\\xc3"},                    // cut off
                      Hostile{"\xc0\xaf", "\\xc0\\xaf"},           // overlong '/'
                      Hostile{"\xed\xa0\x80", "\\xed\\xa0\\x80"},  // a surrogate
                      Hostile{"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},  // overlong in three
                      Hostile{"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf"},
                      Hostile{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}));  // above U+10FFFF

TEST(AccessLogJson, WritesNoControlByteAndNoRawC1) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  AccessRecord record;
  record.target = all;
  const std::string line = line_of(compiled({}), record);
  for (const char c : line.substr(0, line.size() - 1)) {
    EXPECT_GE(static_cast<unsigned char>(c), 0x20);
    EXPECT_LT(static_cast<unsigned char>(c), 0x7f);
  }
}

TEST(AccessLogJson, CutsTextsWhenTheLineDoesNotFitAndStaysValid) {
  const std::string huge(100'000, '\x01');
  AccessRecord record = full_record();
  record.target = huge;
  record.user_agent = huge;
  const std::string line = line_of(compiled({}), record);
  ASSERT_FALSE(line.empty());
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["truncated"], true);
  EXPECT_EQ(json["status"], 503);
  EXPECT_EQ(json["target"].get<std::string>().size(), 1024U);
}

TEST(AccessLogJson, CutInTheMiddleOfALetterIsStillValid) {
  std::string letters;
  for (int i = 0; i < 20'000; ++i) letters += "\xe2\x82\xac";
  AccessRecord record;
  record.target = letters;
  const auto json = nlohmann::json::parse(line_of(compiled({}), record), nullptr, false);
  EXPECT_FALSE(json.is_discarded());
}

TEST(AccessLogJson, WorstCaseFitsIntoRoomEnough) {
  const std::string huge(100'000, '\x01');
  AccessRecord r = full_record();
  for (auto text : {&AccessRecord::client, &AccessRecord::listener, &AccessRecord::method,
                    &AccessRecord::scheme, &AccessRecord::authority, &AccessRecord::target,
                    &AccessRecord::path, &AccessRecord::protocol, &AccessRecord::user_agent,
                    &AccessRecord::referer, &AccessRecord::request_id, &AccessRecord::trace_id,
                    &AccessRecord::reason, &AccessRecord::detail, &AccessRecord::route,
                    &AccessRecord::cluster, &AccessRecord::endpoint}) {
    r.*text = huge;
  }
  EXPECT_FALSE(line_of(compiled({}), r).empty());
}

TEST(AccessLogJson, IsNothingWhenThereIsNoRoomAtAll) {
  const AccessLogFormat format = compiled({});
  for (size_t room = 0; room < 200; ++room) {
    std::string out(room + 8, '#');
    EXPECT_EQ(format.format(full_record(), out.data(), room), 0U);
    EXPECT_EQ(out.substr(room), "########");
  }
}

TEST(AccessLogCommon, IsTheCommonLogFormat) {
  const AccessLogFormat format = compiled(config_of(AccessLogConfig::Format::kCommon));
  EXPECT_EQ(line_of(format, full_record()),
            "192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] \"GET /a%20b?q=1 HTTP/1.1\" 503 34\n");
}

TEST(AccessLogTemplate, PutsFieldsBetweenTextAndDashForNone) {
  AccessRecord record = full_record();
  record.referer = {};
  record.connected_us = -1;
  EXPECT_EQ(line_of(from_template("100%% %{status} ref=%{referer} c=%{connected_us}!"), record),
            "100% 503 ref=- c=-!\n");
}

TEST(AccessLogTemplate, EscapesSoThatQuotesHold) {
  AccessRecord record;
  record.user_agent =
      "a\"b\\c\nd\xff"
      "e\xc3\xa4\xc2\x9b";
  EXPECT_EQ(line_of(from_template("\"%{user_agent}\""), record),
            "\"a\\\"b\\\\c\\x0ad\\xffe\xc3\xa4\\xc2\\x9b\"\n");
}

TEST(AccessLogTemplate, RefusesUnknownAndBrokenFields) {
  const auto error_of = [](std::string text) {
    const auto format =
        AccessLogFormat::compile(config_of(AccessLogConfig::Format::kTemplate, std::move(text)));
    return format ? std::string("compiled") : format.error();
  };
  EXPECT_THAT(error_of("%{statsu}"), AllOf(HasSubstr("%{statsu}"), HasSubstr("upstream_status")));
  EXPECT_THAT(error_of("50%"), HasSubstr("%%"));
  EXPECT_THAT(error_of("%{status"), HasSubstr("%%"));
  EXPECT_THAT(error_of("%s"), HasSubstr("%%"));
}

TEST(AccessLogSampling, TakesTheConfiguredShareOfSuccesses) {
  const AccessLogFormat format = compiled(sampling(Share::percent(25)));
  AccessRecord ok;
  ok.status = 200;
  const uint64_t quarter = uint64_t{1} << 62;
  EXPECT_TRUE(format.wants(ok, 0));
  EXPECT_TRUE(format.wants(ok, quarter - 1));
  EXPECT_FALSE(format.wants(ok, quarter + (uint64_t{1} << 43)));
  EXPECT_FALSE(format.wants(ok, UINT64_MAX));
  EXPECT_TRUE(compiled({}).wants(ok, UINT64_MAX));
}

TEST(AccessLogSampling, AlwaysTakesFailures) {
  const AccessLogFormat format = compiled(sampling(Share{0}));
  AccessRecord ok;
  ok.status = 404;
  EXPECT_FALSE(format.wants(ok, 0));
  AccessRecord decided = ok;
  decided.reason = "no_route";
  AccessRecord broken = ok;
  broken.status = 502;
  AccessRecord unanswered = ok;
  unanswered.status = 0;
  for (const AccessRecord& failure : {decided, broken, unanswered}) {
    EXPECT_TRUE(format.wants(failure, UINT64_MAX));
  }
}

TEST(AccessLogSampling, OffTakesNothing) {
  AccessLogConfig config;
  config.sink = AccessLogConfig::Sink::kOff;
  const AccessLogFormat format = compiled(config);
  AccessRecord broken;
  broken.status = 500;
  EXPECT_FALSE(format.wants(broken, 0));
}

}  // namespace
}  // namespace weir::proxy
