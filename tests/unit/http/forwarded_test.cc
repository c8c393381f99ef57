// SPDX-License-Identifier: Apache-2.0
#include "http/forwarded.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "http/header_id.h"
#include "message_outcome.h"

namespace weir::http {
namespace {

class ForwardedTest : public testing::Test {
 protected:
  /// All fields after set_forwarded(), "Name=value;".
  std::string set(std::initializer_list<Header> fields) {
    HeaderList headers(storage_, 24);
    for (Header header : fields) {
      header.id = header_id(header.name);
      headers.push(header);
    }
    EXPECT_TRUE(set_forwarded(headers, facts_, memory_.arena));
    std::string text;
    for (const Header& header : headers) {
      EXPECT_EQ(header.id, header_id(header.name));
      text.append(header.name).append("=").append(header.value).append(";");
    }
    return text;
  }

  Memory memory_;
  Header storage_[24];
  ForwardedFacts facts_{.peer = "192.0.2.7",
                        .proto = "http",
                        .host = "a.example",
                        .port = "",
                        .trusted = false,
                        .emit_forwarded = false};
};

TEST_F(ForwardedTest, StrangersClaimsAreReplaced) {
  EXPECT_EQ(set({{"X-Forwarded-For", "1.1.1.1"},
                 {"x-forwarded-proto", "https"},
                 {"X-Forwarded-Host", "evil"},
                 {"X-Forwarded-Port", "1"},
                 {"X-Forwarded-Prefix", "/admin"},
                 {"X-Real-IP", "1.1.1.1"},
                 {"Forwarded", "for=1.1.1.1"},
                 {"Keep", "me"}}),
            "Keep=me;X-Forwarded-For=192.0.2.7;X-Forwarded-Proto=http;X-Forwarded-Host=a.example;"
            "X-Real-IP=192.0.2.7;");
}

TEST_F(ForwardedTest, TrustedPeersAreAppendedTo) {
  facts_.trusted = true;
  EXPECT_EQ(set({{"X-Forwarded-For", "1.1.1.1, 2.2.2.2"},
                 {"X-Forwarded-For", "3.3.3.3"},
                 {"X-Forwarded-Proto", "https"},
                 {"X-Forwarded-Host", "front.example"},
                 {"X-Real-IP", "1.1.1.1"}}),
            "X-Forwarded-Proto=https;X-Forwarded-Host=front.example;X-Real-IP=1.1.1.1;"
            "X-Forwarded-For=1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7;");
}

TEST_F(ForwardedTest, ForwardedFollowsTheSameRule) {
  facts_.emit_forwarded = true;
  facts_.port = "8080";
  EXPECT_NE(set({{"Forwarded", "for=1.1.1.1"}})
                .find("Forwarded=for=192.0.2.7;host=a.example;proto=http;"),
            std::string::npos);
  facts_.trusted = true;
  std::string text = set({{"Forwarded", "for=1.1.1.1"}});
  EXPECT_NE(text.find("Forwarded=for=1.1.1.1, for=192.0.2.7;host=a.example;proto=http;"),
            std::string::npos);
  EXPECT_NE(text.find("X-Forwarded-Port=8080;"), std::string::npos);
}

TEST_F(ForwardedTest, UnixPeersHaveNoAddress) {
  facts_.peer = "";
  EXPECT_EQ(set({{"X-Forwarded-For", "1.1.1.1"}}),
            "X-Forwarded-Proto=http;X-Forwarded-Host=a.example;");
}

TEST_F(ForwardedTest, ElementsAreQuotedAsRfc7239Says) {
  base::Arena& arena = memory_.arena;
  facts_.peer = "2001:db8::1";
  EXPECT_EQ(forwarded_element(facts_, arena), "for=\"[2001:db8::1]\";host=a.example;proto=http");
  facts_.host = "a.example:8080";
  EXPECT_EQ(forwarded_element(facts_, arena),
            "for=\"[2001:db8::1]\";host=\"a.example:8080\";proto=http");
  facts_.host = "";
  facts_.peer = "";
  EXPECT_EQ(forwarded_element(facts_, arena), "for=unknown;proto=http");
}

TEST_F(ForwardedTest, SaysWhenThereIsNoRoom) {
  HeaderList headers(storage_, 3);
  EXPECT_FALSE(set_forwarded(headers, facts_, memory_.arena));
}

TEST_F(ForwardedTest, ViaNamesTheVersionReceived) {
  EXPECT_EQ(via_value(Version::kHttp10), "1.0 weir");
  EXPECT_EQ(via_value(Version::kHttp11), "1.1 weir");
  EXPECT_EQ(via_value(Version::kHttp2), "2 weir");
}

// ---- The client behind proxies.

std::string client_by(std::initializer_list<std::string_view> fields) {
  Header storage[8];
  HeaderList headers(storage, 8);
  for (const std::string_view value : fields) {
    headers.push({"x-forwarded-for", value, HeaderId::kXForwardedFor});
  }
  // 10.0.0.0/8 is ours.
  const auto found = forwarded_client(
      headers, [](const IpAddress& address) { return !address.is_v6 && address.bytes[0] == 10; });
  if (!found) return "none";
  return found->is_v6 ? "v6" : std::to_string(found->bytes[3]);
}

TEST(ForwardedClient, IsTheLastThatIsNoProxyOfOurs) {
  EXPECT_EQ(client_by({}), "none");
  EXPECT_EQ(client_by({"192.0.2.1"}), "1");
  EXPECT_EQ(client_by({"192.0.2.1, 192.0.2.2"}), "2");
  EXPECT_EQ(client_by({"192.0.2.1, 192.0.2.2, 10.0.0.3"}), "2");
  EXPECT_EQ(client_by({"192.0.2.1", "192.0.2.2,10.0.0.3", "10.0.0.4"}), "2");
  EXPECT_EQ(client_by({"10.0.0.5, 10.0.0.6"}), "5") << "all are ours: the first of them asked";
}

TEST(ForwardedClient, StopsAtWhatIsNoAddress) {
  EXPECT_EQ(client_by({"192.0.2.1, unknown"}), "none");
  EXPECT_EQ(client_by({"192.0.2.1, unknown, 10.0.0.3"}), "3");
  EXPECT_EQ(client_by({"192.0.2.1, "}), "none");
  EXPECT_EQ(client_by({std::string(100, '1')}), "none");
}

TEST(ForwardedClient, MayHaveAPort) {
  EXPECT_EQ(client_by({"192.0.2.9:4711"}), "9");
  EXPECT_EQ(client_by({"[2001:db8::1]:80"}), "v6");
  EXPECT_EQ(client_by({"[2001:db8::1]"}), "v6");
  EXPECT_EQ(client_by({"2001:db8::1"}), "v6");
}

}  // namespace
}  // namespace weir::http
