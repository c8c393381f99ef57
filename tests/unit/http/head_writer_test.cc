// SPDX-License-Identifier: Apache-2.0
#include "http/head_writer.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "message_outcome.h"

namespace weir::http {
namespace {

class HeadWriterTest : public testing::Test {
 protected:
  std::string request(std::string_view text) {
    EXPECT_TRUE(parse_request_head(text, {}, memory_.arena, request_));
    std::string out(request_head_bound(request_), '?');
    HeadWriter writer(out);
    write_request_head(request_, writer);
    EXPECT_FALSE(writer.overflow());
    return std::string(writer.text());
  }
  std::string response(std::string_view text, Method method = Method::kGet,
                       ConnectionField connection = ConnectionField::kNone) {
    EXPECT_TRUE(parse_response_head(text, {}, memory_.arena, method, response_));
    return written(connection);
  }
  std::string written(ConnectionField connection) {
    std::string out(response_head_bound(response_), '?');
    HeadWriter writer(out);
    write_response_head(response_, connection, writer);
    EXPECT_FALSE(writer.overflow());
    return std::string(writer.text());
  }

  Memory memory_;
  RequestHead request_;
  ResponseHead response_;
};

TEST_F(HeadWriterTest, RequestIsCanonical) {
  EXPECT_EQ(request("POST http://B.example/a/../c?d HTTP/1.0\r\n"
                    "A:  1\r\nhost: x\r\ncontent-LENGTH: 007\r\nB: 2 \r\n\r\n"),
            "POST /c?d HTTP/1.1\r\nHost: b.example\r\nA: 1\r\nB: 2\r\nContent-Length: 7\r\n\r\n");
}

TEST_F(HeadWriterTest, RequestFramingFollowsTheBodyAlone) {
  EXPECT_EQ(request("POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: CHUNKED\r\n\r\n"),
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(request("GET /? HTTP/1.1\r\nHost: a\r\n\r\n"), "GET /? HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST_F(HeadWriterTest, ResponseIsHttp11Whatever) {
  EXPECT_EQ(response("HTTP/1.0 200 OK\r\nContent-Length: 3\r\nA: b\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 3\r\n\r\n");
}

TEST_F(HeadWriterTest, ResponseSaysWhatBecomesOfTheConnection) {
  std::string_view text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(response(text, Method::kGet, ConnectionField::kClose),
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(response(text, Method::kGet, ConnectionField::kKeepAlive),
            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(connection_field(Version::kHttp11, true), ConnectionField::kNone);
  EXPECT_EQ(connection_field(Version::kHttp11, false), ConnectionField::kClose);
  EXPECT_EQ(connection_field(Version::kHttp10, true), ConnectionField::kKeepAlive);
  EXPECT_EQ(connection_field(Version::kHttp10, false), ConnectionField::kClose);
}

TEST_F(HeadWriterTest, LengthDescribesWhereNoBodyComes) {
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", Method::kHead),
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
  EXPECT_EQ(response("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n");
  EXPECT_EQ(response("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
            "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST_F(HeadWriterTest, CallerMayChangeTheFraming) {
  response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
  response_.body = {BodyFraming::Kind::kChunked, 0};
  EXPECT_EQ(written(ConnectionField::kNone),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  response_.body = {BodyFraming::Kind::kUntilClose, 0};
  EXPECT_EQ(written(ConnectionField::kClose), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}

TEST_F(HeadWriterTest, TextsOfEveryLengthArrive) {
  std::string source(200, 'x');
  for (size_t i = 0; i < source.size(); ++i) source[i] = static_cast<char>('!' + i % 90);
  for (size_t n = 0; n <= source.size(); ++n) {
    std::string out(n + 10, '\xff');
    HeadWriter writer(out);
    writer.header("N", std::string_view(source).substr(0, n));
    EXPECT_EQ(writer.text(), "N: " + source.substr(0, n) + "\r\n");
    EXPECT_EQ(out.substr(writer.size()), std::string(out.size() - writer.size(), '\xff'));
  }
}

TEST_F(HeadWriterTest, OverflowIsAFlagNotAWrite) {
  (void)request("POST /path?query HTTP/1.1\r\nHost: a\r\nA: b\r\nContent-Length: 5\r\n\r\n");
  std::string full = [&] {
    std::string out(1000, 0);
    HeadWriter writer(out);
    write_request_head(request_, writer);
    return std::string(writer.text());
  }();
  for (size_t n = 0; n < full.size(); ++n) {
    std::string out(full.size() + 50, '\xff');
    HeadWriter writer(std::span<char>(out.data(), n));
    write_request_head(request_, writer);
    EXPECT_TRUE(writer.overflow()) << n;
    EXPECT_EQ(out.substr(n), std::string(out.size() - n, '\xff')) << n;
  }
}

TEST_F(HeadWriterTest, BoundsHoldForTheLargestNumbers) {
  response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  response_.body = {BodyFraming::Kind::kLength, std::numeric_limits<uint64_t>::max()};
  EXPECT_NE(written(ConnectionField::kKeepAlive).find("Content-Length: 18446744073709551615"),
            std::string::npos);
}

TEST_F(HeadWriterTest, ChunkPrefixes) {
  EXPECT_EQ(ChunkPrefix(0).text(), "0\r\n");
  EXPECT_EQ(ChunkPrefix(10).text(), "a\r\n");
  EXPECT_EQ(ChunkPrefix(65536).text(), "10000\r\n");
  EXPECT_EQ(ChunkPrefix(std::numeric_limits<uint64_t>::max()).text(), "ffffffffffffffff\r\n");
}

TEST_F(HeadWriterTest, LastChunkCarriesTrailers) {
  Header fields[2] = {{"A", "1"}, {"B", ""}};
  HeaderList trailers(fields, 2);
  trailers.push({"A", "1"});
  trailers.push({"B", ""});
  std::string out(last_chunk_bound(trailers), '?');
  HeadWriter writer(out);
  write_last_chunk(trailers, writer);
  EXPECT_FALSE(writer.overflow());
  EXPECT_EQ(writer.text(), "0\r\nA: 1\r\nB: \r\n\r\n");
}

}  // namespace
}  // namespace weir::http
