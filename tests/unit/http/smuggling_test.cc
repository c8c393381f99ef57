// SPDX-License-Identifier: Apache-2.0
// Runs tests/support/vectors/smuggling.json through the parser, whole and byte by byte. The same
// file is sent to the real binary by the integration tests.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "message_outcome.h"

namespace weir::http {
namespace {

using Json = nlohmann::json;

/// The vectors write each byte as one character up to U+00FF, which JSON gives back as UTF-8.
std::string latin1(const std::string& utf8) {
  std::string bytes;
  for (size_t i = 0; i < utf8.size(); ++i) {
    auto c = static_cast<unsigned char>(utf8[i]);
    if (c >= 0xc0 && i + 1 < utf8.size()) {
      c = static_cast<unsigned char>((c & 3) << 6 | (static_cast<unsigned char>(utf8[++i]) & 63));
    }
    bytes.push_back(static_cast<char>(c));
  }
  return bytes;
}

Json load_vectors() {
  std::ifstream file(WEIR_VECTORS_DIR "/smuggling.json");
  return Json::parse(file).at("vectors");
}

bool has_field_line(const std::string& head, const std::string& line) {
  return head.find("\r\n" + line + "\r\n") != head.npos;
}

bool has_field(const std::string& head, const std::string& lower_name) {
  std::string lower = head;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower.find("\r\n" + lower_name + ":") != lower.npos;
}

void expect_forwarded(const Outcome& got, const Json& want) {
  ASSERT_EQ(got.kind, Outcome::Kind::kAccepted) << "refused: " << got.reason;
  EXPECT_EQ(got.head.substr(0, got.head.find("\r\n")), latin1(want.at("line")));
  EXPECT_EQ(got.body, latin1(want.at("body")));
  EXPECT_EQ(got.rest, latin1(want.at("rest")));
  EXPECT_EQ(got.host, latin1(want.value("host", "")));
  EXPECT_EQ(got.until_close, want.value("ends", "") == "close");
  for (const Json& line : want.value("has", Json::array())) {
    EXPECT_TRUE(has_field_line(got.head, latin1(line))) << line << " is not in\n" << got.head;
  }
  for (const Json& name : want.value("lacks", Json::array())) {
    EXPECT_FALSE(has_field(got.head, name)) << name << " is in\n" << got.head;
  }
}

Outcome run(const Json& vector, size_t piece) {
  bool request = vector.at("kind") == "request";
  Method method = vector.value("request_method", "GET") == "HEAD" ? Method::kHead : Method::kGet;
  std::string bytes = latin1(vector.at("bytes"));
  return read_message(request ? MessageKind::kRequest : MessageKind::kResponse, bytes, piece,
                      method);
}

void expect_verdict(const Json& vector, const Outcome& got) {
  const Json& want = vector.at("expect");
  if (want.contains("forward")) return expect_forwarded(got, want["forward"]);
  if (want.contains("incomplete")) {
    EXPECT_EQ(got.kind, Outcome::Kind::kIncomplete) << got.reason;
    return;
  }
  ASSERT_EQ(got.kind, Outcome::Kind::kRefused);
  EXPECT_EQ(got.reason, want.at("reason").get<std::string>());
  EXPECT_EQ(got.status, want.at("status").get<unsigned>());
  EXPECT_EQ(got.in_body ? "body" : "head", want.at("stage").get<std::string>());
}

TEST(Smuggling, EveryVectorGetsItsVerdict) {
  for (const Json& vector : load_vectors()) {
    SCOPED_TRACE(vector.at("name").get<std::string>());
    expect_verdict(vector, run(vector, 1 << 20));
  }
}

TEST(Smuggling, VerdictsDoNotDependOnHowBytesArrive) {
  for (const Json& vector : load_vectors()) {
    SCOPED_TRACE(vector.at("name").get<std::string>());
    for (size_t piece : {1U, 2U, 3U, 7U}) {
      EXPECT_EQ(run(vector, piece), run(vector, 1 << 20)) << "in pieces of " << piece;
    }
  }
}

TEST(Smuggling, WhatIsForwardedIsAcceptedAgainUnchanged) {
  for (const Json& vector : load_vectors()) {
    SCOPED_TRACE(vector.at("name").get<std::string>());
    Outcome once = run(vector, 1 << 20);
    if (once.kind != Outcome::Kind::kAccepted || once.host.empty()) continue;
    Outcome twice = read_message(MessageKind::kRequest, once.head, 1 << 20);
    EXPECT_EQ(twice.head, once.head);
  }
}

TEST(Smuggling, VectorsAreManyNamedAndCited) {
  Json vectors = load_vectors();
  EXPECT_GE(vectors.size(), 150U);
  std::set<std::string> names;
  for (const Json& vector : vectors) {
    std::string name = vector.at("name");
    EXPECT_TRUE(names.insert(name).second) << name << " is there twice";
    EXPECT_FALSE(vector.at("rfc").get<std::string>().empty()) << name;
    EXPECT_FALSE(vector.at("note").get<std::string>().empty()) << name;
  }
}

}  // namespace
}  // namespace weir::http
