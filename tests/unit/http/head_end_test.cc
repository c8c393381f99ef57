// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "http/head.h"
#include "http/limits.h"

namespace weir::http {
namespace {

constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

Result<size_t> find(std::string_view bytes, const HeadLimits& limits = {},
                    MessageKind kind = MessageKind::kRequest) {
  return find_head_end(bytes, 0, limits, kind);
}

/// Feeds one byte more at a time, as the worst client does.
Result<size_t> find_slowly(std::string_view bytes, const HeadLimits& limits = {}) {
  for (size_t n = 1; n <= bytes.size(); ++n) {
    Result<size_t> end = find_head_end(bytes.substr(0, n), n - 1, limits, MessageKind::kRequest);
    if (!end || *end > 0) return end;
  }
  return size_t{0};
}

ErrorCode code(const Result<size_t>& result) {
  return result ? ErrorCode::kCount : result.error().code;
}

TEST(HeadEnd, FindsTheEmptyLine) {
  EXPECT_EQ(*find(kRequest), kRequest.size());
  EXPECT_EQ(*find(std::string(kRequest) + "body"), kRequest.size());
  EXPECT_EQ(*find(std::string(kRequest) + "\r\nmore"), kRequest.size());
  EXPECT_EQ(*find("GET / HTTP/1.1\r\n\r\n"), 18U);
}

TEST(HeadEnd, WaitsForMore) {
  for (size_t n = 0; n < kRequest.size(); ++n) {
    EXPECT_EQ(*find(kRequest.substr(0, n)), 0U) << n;
  }
}

TEST(HeadEnd, CountsTheEmptyLineBeforeARequest) {
  EXPECT_EQ(*find("\r\n" + std::string(kRequest)), kRequest.size() + 2);
  EXPECT_EQ(*find("\r"), 0U);
  EXPECT_EQ(*find("\r\n"), 0U);
}

TEST(HeadEnd, DoesNotSkipEmptyLinesBeforeAResponse) {
  Result<size_t> end = find("\r\nHTTP/1.1 200 OK\r\n\r\n", {}, MessageKind::kResponse);
  EXPECT_EQ(code(end), ErrorCode::kUpstreamBadHead);
}

TEST(HeadEnd, SaysWhereTheBadByteIs) {
  EXPECT_EQ(code(find("GET /\n")), ErrorCode::kBadRequestLine);
  EXPECT_EQ(code(find("GET / HTTP/1.1\r\nA: b\n")), ErrorCode::kBadHeader);
  EXPECT_EQ(code(find("HTTP/1.1 200 OK\n", {}, MessageKind::kResponse)),
            ErrorCode::kUpstreamBadHead);
}

TEST(HeadEnd, RefusesControlBytesWhereverTheyStandInABlock) {
  for (size_t at = 0; at < 48; ++at) {
    for (char bad : {'\0', '\x01', '\x0b', '\x1f', '\x7f', '\n'}) {
      std::string bytes = "GET / HTTP/1.1\r\n" + std::string(48, 'x');
      bytes[16 + at] = bad;
      EXPECT_EQ(code(find(bytes)), ErrorCode::kBadHeader) << at << ' ' << int{bad};
    }
  }
}

TEST(HeadEnd, RefusesAHeadOverTheLimit) {
  HeadLimits limits;
  limits.max_bytes = kRequest.size();
  EXPECT_EQ(*find(kRequest, limits), kRequest.size());
  limits.max_bytes = kRequest.size() - 1;
  EXPECT_EQ(code(find(kRequest, limits)), ErrorCode::kHeaderTooLarge);
  EXPECT_EQ(
      code(find("HTTP/1.1 200 OK\r\nServer: averyverylongone\r\n", limits, MessageKind::kResponse)),
      ErrorCode::kUpstreamHeadTooLarge);
}

TEST(HeadEnd, RefusesALongTargetBeforeItsLineEnds) {
  HeadLimits limits;
  limits.max_uri_bytes = 100;
  std::string line = "GET /" + std::string(kMaxMethodBytes + limits.max_uri_bytes + 20, 'a');
  EXPECT_EQ(code(find(line, limits)), ErrorCode::kUriTooLong);
  EXPECT_EQ(code(find_slowly(line, limits)), ErrorCode::kUriTooLong);
  EXPECT_EQ(*find("GET /" + std::string(90, 'a'), limits), 0U);
}

TEST(HeadEnd, VerdictsDoNotDependOnThePieces) {
  HeadLimits limits;
  limits.max_bytes = 120;
  limits.max_uri_bytes = 30;
  const std::string inputs[] = {
      std::string(kRequest) + "rest",
      "\r\n" + std::string(kRequest),
      "\r\n\r\n" + std::string(kRequest),
      "GET / HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n",
      "GET / HTTP/1.1\r\nA: b\rc: d\r\n\r\n",
      "GET / HTTP/1.1\r\nA: b\r\r\n\r\n",
      "GET / HTTP/1.1\r\nA: b\n\r\n",
      "GET /" + std::string(80, 'u') + " HTTP/1.1\r\n\r\n",
      "GET /" + std::string(80, 'u') + "\n",
      "GET / HTTP/1.1\r\nA: " + std::string(200, 'v'),
      "GET / HTTP/1.1\r\nA: " + std::string(90, 'v') + "\r\n" + std::string(20, '\n'),
      "GET / HTTP/1.1\r\nA: " + std::string(98, 'v') + "\r\n\r\n",
      "GET / HTTP/1.1\r\nA: " + std::string(99, 'v') + "\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n\r\n",
  };
  for (const std::string& input : inputs) {
    Result<size_t> whole = find(input, limits);
    Result<size_t> slow = find_slowly(input, limits);
    ASSERT_EQ(code(whole), code(slow)) << input;
    EXPECT_EQ(whole.value_or(0), slow.value_or(0)) << input;
  }
}

}  // namespace
}  // namespace weir::http
