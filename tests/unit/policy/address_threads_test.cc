// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "policy/accept_pace.h"
#include "policy/address_places.h"

namespace weir::policy {
namespace {

constexpr uint32_t kThreads = 4;

template <typename Work>
void on_threads(Work work) {
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kThreads; ++i) threads.emplace_back([&work, i] { work(i); });
  for (std::thread& thread : threads) thread.join();
}

TEST(AddressThreads, AllWorkersTogetherHoldExactlyMax) {
  constexpr uint32_t kMax = 1'000;
  AddressPlaces places;
  std::vector<std::vector<AddressPlace>> held(kThreads);
  on_threads([&](uint32_t thread) {
    for (uint32_t i = 0; i < kMax; ++i) {
      if (AddressPlace place = places.take({false, {10, 0, 0, 1}}, 64, kMax); place) {
        held[thread].push_back(std::move(place));
      }
    }
  });
  size_t sum = 0;
  for (const auto& his : held) sum += his.size();
  EXPECT_EQ(sum, kMax);
  held.clear();
  EXPECT_EQ(places.addresses(), 0U);
}

TEST(AddressThreads, NeverOverMaxWhileTheyComeAndGo) {
  constexpr uint32_t kMax = 3;
  constexpr uint8_t kAddresses = 8;
  AddressPlaces places;
  std::array<std::atomic<uint32_t>, kAddresses> open{};
  std::atomic<bool> over{false};
  on_threads([&](uint32_t thread) {
    base::Rng rng(thread + 1);
    for (int i = 0; i < 20'000; ++i) {
      const auto who = static_cast<uint8_t>(rng.next() % kAddresses);
      const AddressPlace place = places.take({false, {10, 0, 0, who}}, 64, kMax);
      if (!place) continue;
      if (open[who].fetch_add(1) >= kMax) over = true;
      open[who].fetch_sub(1);
    }
  });
  EXPECT_FALSE(over);
  EXPECT_EQ(places.addresses(), 0U);
}

TEST(AddressThreads, ThePaceCountsEveryConnectionOfEveryWorker) {
  AcceptPace pace;
  constexpr TimePoint kNow{std::chrono::hours(1)};
  on_threads([&](uint32_t) {
    for (int i = 0; i < 250; ++i) pace.took(kNow, 1'000);
  });
  // A thousand at a thousand a second: the next is due in a second, but for the burst.
  EXPECT_EQ(pace.wait(kNow, 1'000), std::chrono::milliseconds(901));
}

}  // namespace
}  // namespace weir::policy
