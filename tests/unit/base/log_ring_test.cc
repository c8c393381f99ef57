// SPDX-License-Identifier: Apache-2.0
#include "base/log_ring.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace weir::base {
namespace {

std::string drain(LogRing& ring) {
  std::string text;
  for (std::string_view run = ring.front(); !run.empty(); run = ring.front()) {
    text += run;
    ring.consume(run.size());
  }
  return text;
}

TEST(LogRingTest, LinesComeOutWholeAndInOrder) {
  LogRing ring(64);
  EXPECT_TRUE(ring.front().empty());
  EXPECT_TRUE(ring.write("one\n"));
  EXPECT_TRUE(ring.write("two\n"));
  EXPECT_EQ(ring.size(), 8U);
  EXPECT_EQ(drain(ring), "one\ntwo\n");
  EXPECT_EQ(ring.size(), 0U);
}

TEST(LogRingTest, AFullRingTakesNothingOfALine) {
  LogRing ring(16);
  EXPECT_TRUE(ring.write("0123456789\n"));
  EXPECT_FALSE(ring.write("abcdef\n"));
  EXPECT_TRUE(ring.write("abcd\n"));
  EXPECT_EQ(drain(ring), "0123456789\nabcd\n");
}

TEST(LogRingTest, LinesWrapAround) {
  LogRing ring(16);
  for (int i = 0; i < 100; ++i) {
    std::string line = "line " + std::to_string(i) + "\n";
    ASSERT_TRUE(ring.write(line));
    ASSERT_EQ(drain(ring), line);
  }
}

TEST(LogRingTest, CapacityIsAPowerOfTwo) {
  LogRing ring(100);
  EXPECT_TRUE(ring.write(std::string(128, 'x')));
  EXPECT_FALSE(ring.write("x"));
}

TEST(LogRingTest, OneWriterAndOneReaderLoseNothing) {
  constexpr int kLines = 5'000;
  LogRing ring(256);
  std::thread writer([&] {
    for (int i = 0; i < kLines;) {
      if (ring.write(std::to_string(i) + "\n")) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  std::string partial;
  for (int next = 0; next < kLines;) {
    std::string_view run = ring.front();
    if (run.empty()) std::this_thread::yield();
    partial += run;
    ring.consume(run.size());
    for (size_t end; (end = partial.find('\n')) != partial.npos; ++next) {
      ASSERT_EQ(partial.substr(0, end), std::to_string(next));
      partial.erase(0, end + 1);
    }
  }
  writer.join();
}

}  // namespace
}  // namespace weir::base
