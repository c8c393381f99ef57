// SPDX-License-Identifier: Apache-2.0
#include "http/grpc_health.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace weir::http {
namespace {

using std::string;

string request(const string& service) {
  std::array<char, 512> room;
  return string(write_health_request(service, room));
}

string framed(const string& message) {
  return string("\0\0\0\0", 4) + static_cast<char>(message.size()) + message;
}

TEST(GrpcHealth, AsksAboutAService) {
  EXPECT_EQ(request(""), string("\0\0\0\0\0", 5));
  EXPECT_EQ(request("abc"), string("\0\0\0\0\x05\x0a\x03"
                                   "abc",
                                   10));
  const string longer = request(string(200, 's'));
  EXPECT_EQ(longer.substr(0, 8), string("\0\0\0\0\xcb\x0a\xc8\x01", 8));
  EXPECT_EQ(longer.size(), 208U);
  std::array<char, 9> small;
  EXPECT_EQ(write_health_request("abc", small), "");
}

TEST(GrpcHealth, ReadsTheAnswer) {
  EXPECT_EQ(parse_health_response(framed("\x08\x01")), GrpcHealth::kServing);
  EXPECT_EQ(parse_health_response(framed("\x08\x02")), GrpcHealth::kNotServing);
  EXPECT_EQ(parse_health_response(framed("\x08\x03")), GrpcHealth::kServiceUnknown);
  EXPECT_EQ(parse_health_response(framed("")), GrpcHealth::kUnknown);
  EXPECT_EQ(parse_health_response(framed("\x08\x09")), GrpcHealth::kUnknown);
  // Fields of another version around it.
  EXPECT_EQ(parse_health_response(framed("\x12\x02hi\x08\x01\x1d"
                                         "abcd")),
            GrpcHealth::kServing);
}

TEST(GrpcHealth, RefusesWhatIsNoAnswer) {
  const string bad[] = {"",
                        string("\0\0\0\0", 4),
                        string("\1\0\0\0\2\x08\x01", 7),
                        framed("\x08\x01") + "x",
                        framed("\x08"),
                        framed("\x08\x81"),
                        framed("\x12\x05hi"),
                        framed(string("\x00\x01", 2)),
                        framed("\x0b\x01")};
  for (const string& body : bad) EXPECT_EQ(parse_health_response(body), std::nullopt);
}

}  // namespace
}  // namespace weir::http
