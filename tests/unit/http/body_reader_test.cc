// SPDX-License-Identifier: Apache-2.0
// Malformed chunks are in smuggling_test.cc.
#include "http/body_reader.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "message_outcome.h"

namespace weir::http {
namespace {

using Event = BodyReader::Event;
using Kind = BodyFraming::Kind;

TEST(BodyReaderTest, NoBodyIsOverAtOnce) {
  BodyReader reader;
  EXPECT_TRUE(reader.finished());
  reader.start({Kind::kNone, 0});
  EXPECT_TRUE(reader.finished());
  EXPECT_EQ(reader.remaining(), 0U);
  Result<BodyReader::Step> step = reader.next("GET /");
  EXPECT_EQ(step->event, Event::kEnd);
  EXPECT_EQ(step->consumed, 0U);
  EXPECT_TRUE(reader.on_eof());
}

TEST(BodyReaderTest, LengthTakesItsBytesAndNoMore) {
  BodyReader reader;
  reader.start({Kind::kLength, 5});
  EXPECT_EQ(reader.remaining(), 5U);
  Result<BodyReader::Step> step = reader.next("hel");
  EXPECT_EQ(step->event, Event::kData);
  EXPECT_EQ(step->data, "hel");
  EXPECT_FALSE(reader.finished());
  step = reader.next("loGET");
  EXPECT_EQ(step->data, "lo");
  EXPECT_EQ(step->consumed, 2U);
  EXPECT_TRUE(reader.finished());
  EXPECT_EQ(reader.next("GET")->event, Event::kEnd);
}

TEST(BodyReaderTest, NothingInNothingOut) {
  BodyReader reader;
  reader.start({Kind::kLength, 5});
  EXPECT_EQ(reader.next("")->event, Event::kNeedMore);
  reader.start({Kind::kLength, 0});
  EXPECT_TRUE(reader.finished());
}

TEST(BodyReaderTest, SkippedBytesCountAsTaken) {
  BodyReader reader;
  reader.start({Kind::kLength, 1'000'000});
  reader.skip(999'999);
  EXPECT_EQ(reader.remaining(), 1U);
  EXPECT_FALSE(reader.finished());
  reader.skip(1);
  EXPECT_TRUE(reader.finished());
  reader.start({Kind::kUntilClose, 0});
  reader.skip(uint64_t{1} << 40);
  EXPECT_EQ(reader.remaining(), std::numeric_limits<uint64_t>::max());
}

TEST(BodyReaderTest, EndOfInputEndsOnlyUntilClose) {
  BodyReader reader;
  reader.start({Kind::kUntilClose, 0});
  EXPECT_EQ(reader.next("abc")->data, "abc");
  EXPECT_FALSE(reader.finished());
  EXPECT_TRUE(reader.on_eof());
  EXPECT_TRUE(reader.finished());
  for (BodyFraming framing : {BodyFraming{Kind::kLength, 3}, BodyFraming{Kind::kChunked, 0}}) {
    reader.start(framing);
    Result<void> eof = reader.on_eof();
    ASSERT_FALSE(eof);
    EXPECT_EQ(eof.error().code, ErrorCode::kClientClosed);
  }
}

TEST(BodyReaderTest, ChunksComeOutWithoutFraming) {
  BodyReader reader;
  reader.start({Kind::kChunked, 0});
  std::string_view in = "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nrest";
  std::string data;
  while (!reader.finished()) {
    Result<BodyReader::Step> step = reader.next(in);
    ASSERT_TRUE(step);
    data += step->data;
    in.remove_prefix(step->consumed);
  }
  EXPECT_EQ(data, "abc0123456789");
  EXPECT_EQ(in, "rest");
}

TEST(BodyReaderTest, AfterAnErrorItStaysDead) {
  BodyReader reader;
  reader.start({Kind::kChunked, 0});
  EXPECT_FALSE(reader.next("zz"));
  EXPECT_EQ(reader.next("5\r\nhello\r\n").error().code, ErrorCode::kBadChunk);
  EXPECT_FALSE(reader.finished());
  EXPECT_FALSE(reader.on_eof());
}

TEST(BodyReaderTest, LargestChunkIsCounted) {
  BodyReader reader;
  reader.start({Kind::kChunked, 0});
  EXPECT_EQ(reader.next("7fffffffffffffff\r\n")->event, Event::kNeedMore);
  EXPECT_EQ(reader.remaining(), static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
}

TEST(BodyReaderTest, TrailersAreKeptInTheArenaWithoutForbiddenOnes) {
  constexpr std::string_view kBody =
      "1\r\nx\r\n0\r\nX-Sum: 12\r\ngrpc-status:0\r\nContent-Length: 4\r\nhost: evil\r\n"
      "Set-Cookie: a\r\nX-Forwarded-Ssl: on\r\nX_Sum: 1\r\nCache-Control: no-store\r\n"
      "Empty: \t \r\n\r\n";
  for (size_t piece : {size_t{1}, size_t{5}, kBody.size()}) {
    Memory memory;
    BodyReader reader;
    reader.start({Kind::kChunked, 0}, &memory.arena);
    for (size_t at = 0; !reader.finished();) {
      Result<BodyReader::Step> step = reader.next(kBody.substr(at, piece));
      ASSERT_TRUE(step);
      at += step->consumed;
    }
    const HeaderList& trailers = reader.trailers();
    ASSERT_EQ(trailers.size(), 3U);
    EXPECT_EQ(trailers[0].name, "X-Sum");
    EXPECT_EQ(trailers[0].value, "12");
    EXPECT_EQ(trailers[1].name, "grpc-status");
    EXPECT_EQ(trailers[1].value, "0");
    EXPECT_EQ(trailers[2].value, "");
  }
}

TEST(BodyReaderTest, TrailersWithoutAnArenaAreCheckedAndDropped) {
  BodyReader reader;
  reader.start({Kind::kChunked, 0});
  EXPECT_EQ(reader.next("0\r\nA: b\r\n\r\n")->event, Event::kEnd);
  EXPECT_EQ(reader.trailers().size(), 0U);
  reader.start({Kind::kChunked, 0});
  EXPECT_FALSE(reader.next("0\r\nA b\r\n\r\n"));
}

TEST(BodyReaderTest, TrailersAreBounded) {
  std::string many = "0\r\n";
  for (int i = 0; i < 33; ++i) many += "a: b\r\n";
  std::string large = "0\r\na: " + std::string(8192, 'x') + "\r\n";
  std::string most = "0\r\na: " + std::string(8000, 'x') + "\r\n\r\n";
  Memory memory;
  for (base::Arena* arena : {static_cast<base::Arena*>(nullptr), &memory.arena}) {
    BodyReader reader;
    reader.start({Kind::kChunked, 0}, arena);
    EXPECT_FALSE(reader.next(many));
    reader.start({Kind::kChunked, 0}, arena);
    EXPECT_FALSE(reader.next(large));
    reader.start({Kind::kChunked, 0}, arena);
    EXPECT_EQ(reader.next(most)->event, Event::kEnd);
  }
}

TEST(BodyReaderTest, ExtensionsAreBoundedOverTheWholeBody) {
  BodyReader reader;
  reader.start({Kind::kChunked, 0});
  std::string chunk = "1;" + std::string(1000, 'e') + "\r\nx\r\n";
  int accepted = 0;
  for (; accepted < 10; ++accepted) {
    std::string_view in = chunk;
    bool good = true;
    while (good && !in.empty()) {
      Result<BodyReader::Step> step = reader.next(in);
      good = step.has_value();
      if (good) in.remove_prefix(step->consumed);
    }
    if (!good) break;
  }
  EXPECT_EQ(accepted, 4);
}

TEST(BodyReaderTest, StartsAfresh) {
  BodyReader reader;
  reader.start({Kind::kChunked, 0});
  EXPECT_FALSE(reader.next("!"));
  reader.start({Kind::kChunked, 0});
  EXPECT_EQ(reader.next("0\r\n\r\n")->event, Event::kEnd);
}

}  // namespace
}  // namespace weir::http
