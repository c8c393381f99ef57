// SPDX-License-Identifier: Apache-2.0
#include "base/block.h"

#include <gtest/gtest.h>

namespace weir::base {
namespace {

TEST(BlockPoolTest, ABlockIsEmptyAndCharged) {
  Account account;
  BlockPool pool(512, 2);
  Block* block = pool.take(account);
  EXPECT_EQ(block->readable(), 0U);
  EXPECT_EQ(block->writable(), 512 - sizeof(Block));
  EXPECT_EQ(block->capacity(), block->writable());
  EXPECT_EQ(account.held(), 512);
  EXPECT_EQ(pool.live(), 1U);
  block->data()[block->capacity() - 1] = 'x';
  pool.release(block);
  EXPECT_EQ(account.held(), 0);
  EXPECT_EQ(pool.live(), 0U);
}

TEST(BlockPoolTest, ReusesWhatCameBack) {
  Account account;
  BlockPool pool(512, 2);
  Block* first = pool.take(account);
  first->end = 100;
  pool.release(first);
  Block* second = pool.take(account);
  EXPECT_EQ(second, first);
  EXPECT_EQ(second->end, 0U);
  pool.release(second);
}

TEST(BlockPoolTest, ABlockIsRefundedToWhoPaid) {
  Account process;
  Account one(&process);
  Account two(&process);
  BlockPool pool(512, 1);
  Block* a = pool.take(one);
  Block* b = pool.take(two);
  EXPECT_EQ(one.held(), 512);
  EXPECT_EQ(two.held(), 512);
  EXPECT_EQ(process.held(), 1024);
  pool.release(a);
  EXPECT_EQ(one.held(), 0);
  EXPECT_EQ(process.held(), 512);
  pool.release(b);
  EXPECT_EQ(process.held(), 0);
}

TEST(BlockPoolTest, ABurstGoesBackToTheAllocator) {
  Account account;
  BlockPool pool(512, 1);
  Block* blocks[8];
  for (Block*& block : blocks) block = pool.take(account);
  for (Block* block : blocks) pool.release(block);
  EXPECT_EQ(pool.live(), 0U);
  EXPECT_EQ(account.held(), 0);
}

TEST(BlockPoolDeathTest, EndsTheProcessIfABlockIsLostAtExit) {
  Account account;
  EXPECT_DEATH(
      {
        BlockPool pool(512, 1);
        pool.take(account);
      },
      "broken invariant");
}

TEST(BlockPoolTest, WhatABurstLeftBehindGoesAndWhatIsUsedStays) {
  Account account;
  BlockPool pool(512, 8);
  Block* blocks[8];
  for (Block*& block : blocks) block = pool.take(account);
  for (Block* block : blocks) pool.release(block);
  pool.trim_unused(0);  // all were in use since the beginning
  EXPECT_EQ(pool.free(), 8U);
  for (Block*& block : blocks) block = pool.take(account);
  for (Block* block : blocks) pool.release(block);
  pool.trim_unused(0);
  EXPECT_EQ(pool.free(), 8U) << "all were in use since the last call";
  for (int i = 0; i < 3; ++i) blocks[i] = pool.take(account);
  for (int i = 0; i < 3; ++i) pool.release(blocks[i]);
  pool.trim_unused(0);
  EXPECT_EQ(pool.free(), 3U);
  pool.trim_unused(2);
  EXPECT_EQ(pool.free(), 2U) << "so many are to be kept";
  pool.trim_unused(0);
  EXPECT_EQ(pool.free(), 0U);
}

}  // namespace
}  // namespace weir::base
