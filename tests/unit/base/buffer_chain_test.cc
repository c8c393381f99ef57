// SPDX-License-Identifier: Apache-2.0
#include "base/buffer_chain.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "base/rng.h"

namespace weir::base {
namespace {

constexpr size_t kBlock = 128;
constexpr size_t kRoom = kBlock - sizeof(Block);

class BufferChainTest : public testing::Test {
 protected:
  ~BufferChainTest() override {
    chain_.clear(pool_);
    EXPECT_EQ(account_.held(), 0);
    EXPECT_EQ(pool_.live(), 0U);
  }
  void append(std::string_view bytes) { chain_.append(bytes, pool_, account_); }
  std::string content(size_t skip = 0) {
    std::array<iovec, 64> runs;
    size_t used = chain_.fill(runs, skip);
    std::string text;
    for (size_t i = 0; i < used; ++i) {
      text.append(static_cast<char*>(runs[i].iov_base), runs[i].iov_len);
    }
    return text;
  }

  Account account_;
  BlockPool pool_{kBlock, 4};
  BufferChain chain_;
};

TEST_F(BufferChainTest, EmptyOwnsNothing) {
  EXPECT_TRUE(chain_.empty());
  EXPECT_EQ(chain_.size(), 0U);
  EXPECT_EQ(chain_.front(), "");
  append("");
  EXPECT_TRUE(chain_.empty());
}

TEST_F(BufferChainTest, BytesComeOutInOrder) {
  std::string all;
  for (int i = 0; i < 50; ++i) {
    std::string piece(static_cast<size_t>(i), static_cast<char>('a' + i % 26));
    append(piece);
    all += piece;
  }
  EXPECT_EQ(chain_.size(), all.size());
  EXPECT_EQ(content(), all);
}

TEST_F(BufferChainTest, FillsBlocksBeforeTakingMore) {
  append(std::string(kRoom, 'x'));
  EXPECT_EQ(account_.held(), static_cast<int64_t>(kBlock));
  append("y");
  EXPECT_EQ(account_.held(), static_cast<int64_t>(2 * kBlock));
  EXPECT_EQ(chain_.front(), std::string(kRoom, 'x'));
}

TEST_F(BufferChainTest, ConsumeReleasesEmptyBlocks) {
  append(std::string(kRoom + 10, 'x'));
  chain_.consume(kRoom, pool_);
  EXPECT_EQ(account_.held(), static_cast<int64_t>(kBlock));
  EXPECT_EQ(chain_.size(), 10U);
  chain_.consume(10, pool_);
  EXPECT_TRUE(chain_.empty());
  EXPECT_EQ(account_.held(), 0);
}

TEST_F(BufferChainTest, FillSkipsAcrossBlocksAndStopsWhenFull) {
  append(std::string(kRoom, 'a') + std::string(kRoom, 'b') + "c");
  EXPECT_EQ(content(kRoom + 1), std::string(kRoom - 1, 'b') + "c");
  EXPECT_EQ(content(2 * kRoom + 1), "");
  std::array<iovec, 1> one;
  ASSERT_EQ(chain_.fill(one), 1U);
  EXPECT_EQ(one[0].iov_len, kRoom);
}

TEST_F(BufferChainTest, AnyMixOfAppendAndConsumeKeepsTheBytes) {
  Rng rng(7);
  std::string expected;
  for (int i = 0; i < 2000; ++i) {
    if (rng.below(2) == 0) {
      std::string piece(rng.below(200), static_cast<char>('a' + rng.below(26)));
      append(piece);
      expected += piece;
    } else {
      size_t n = rng.below(static_cast<uint32_t>(expected.size()) + 1);
      chain_.consume(n, pool_);
      expected.erase(0, n);
    }
    ASSERT_EQ(chain_.size(), expected.size());
    ASSERT_EQ(chain_.empty(), expected.empty());
    ASSERT_TRUE(std::string_view(expected).starts_with(chain_.front()));
  }
  EXPECT_EQ(content().size(), std::min<size_t>(expected.size(), 64 * kRoom));
}

}  // namespace
}  // namespace weir::base
