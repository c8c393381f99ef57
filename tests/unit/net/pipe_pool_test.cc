// SPDX-License-Identifier: Apache-2.0
#include "net/pipe_pool.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace weir::net {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(PipePoolTest, AnEmptyPipeIsUsedAgain) {
  PipePool pool(4, 2);
  const Pipe pipe = pool.take();
  ASSERT_TRUE(pipe.valid());
  EXPECT_GE(pipe.capacity, 4096U);
  pool.give_back(pipe, true);
  EXPECT_EQ(pool.open(), 1U);
  const Pipe again = pool.take();
  EXPECT_EQ(again.read_end, pipe.read_end);
  pool.give_back(again, true);
}

TEST(PipePoolTest, APipeWithBytesInItIsClosed) {
  PipePool pool(4, 2);
  const Pipe pipe = pool.take();
  ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
  pool.give_back(pipe, false);
  EXPECT_EQ(pool.open(), 0U);
  EXPECT_FALSE(is_open(pipe.read_end));
  EXPECT_FALSE(is_open(pipe.write_end));
}

TEST(PipePoolTest, GivesNoMoreThanItsBound) {
  PipePool pool(2, 2);
  const Pipe a = pool.take();
  const Pipe b = pool.take();
  EXPECT_FALSE(pool.take().valid());
  pool.give_back(a, true);
  const Pipe c = pool.take();
  EXPECT_TRUE(c.valid());
  pool.give_back(b, true);
  pool.give_back(c, true);
}

TEST(PipePoolTest, KeepsNoMoreFreeOnesThanAsked) {
  PipePool pool(3, 1);
  const Pipe a = pool.take();
  const Pipe b = pool.take();
  pool.give_back(a, true);
  pool.give_back(b, true);
  EXPECT_EQ(pool.open(), 1U);
  EXPECT_FALSE(is_open(b.read_end));
}

TEST(PipePoolTest, NeitherEndBlocks) {
  PipePool pool(1, 0);
  const Pipe pipe = pool.take();
  char byte;
  EXPECT_EQ(::read(pipe.read_end, &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
  pool.give_back(pipe, true);
}

TEST(PipePoolTest, APipeThatNeverWasIsTakenBackQuietly) {
  PipePool pool(1, 1);
  pool.give_back(Pipe{}, true);
  EXPECT_EQ(pool.open(), 0U);
}

}  // namespace
}  // namespace weir::net
