// SPDX-License-Identifier: Apache-2.0
#include "policy/address_places.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <vector>

#include "base/rng.h"
#include "policy/accept_pace.h"

namespace weir::policy {
namespace {

IpAddress v4(uint8_t last) { return {false, {10, 0, 0, last}}; }
IpAddress v6(uint8_t subnet, uint8_t host) {
  IpAddress ip{true, {0x20, 0x01, 0x0d, 0xb8}};
  ip.bytes[7] = subnet;
  ip.bytes[15] = host;
  return ip;
}

TEST(AddressPlaces, AnAddressHoldsAsManyAsItMay) {
  AddressPlaces places;
  const AddressPlace first = places.take(v4(1), 64, 2);
  const AddressPlace second = places.take(v4(1), 64, 2);
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
  EXPECT_FALSE(places.take(v4(1), 64, 2));
}

TEST(AddressPlaces, AddressesDoNotCountForEachOther) {
  AddressPlaces places;
  const AddressPlace first = places.take(v4(1), 64, 1);
  EXPECT_TRUE(places.take(v4(2), 64, 1));
}

TEST(AddressPlaces, APlaceThatComesBackIsTheNexts) {
  AddressPlaces places;
  AddressPlace first = places.take(v4(1), 64, 1);
  EXPECT_FALSE(places.take(v4(1), 64, 1));
  first.release();
  first.release();
  EXPECT_TRUE(places.take(v4(1), 64, 1));
}

TEST(AddressPlaces, APlaceMovesWithItsOwner) {
  AddressPlaces places;
  AddressPlace first = places.take(v4(1), 64, 1);
  AddressPlace second = std::move(first);
  EXPECT_FALSE(places.take(v4(1), 64, 1));
  second = AddressPlace();
  EXPECT_TRUE(places.take(v4(1), 64, 1));
}

TEST(AddressPlaces, IPv6ClientsOfOnePrefixAreOne) {
  AddressPlaces places;
  const AddressPlace first = places.take(v6(1, 1), 64, 1);
  EXPECT_FALSE(places.take(v6(1, 2), 64, 1));
  EXPECT_TRUE(places.take(v6(2, 1), 64, 1));
}

TEST(AddressPlaces, ThePrefixMayEndAnywhere) {
  AddressPlaces places;
  const AddressPlace whole = places.take(v6(1, 1), 128, 1);
  EXPECT_TRUE(places.take(v6(1, 2), 128, 1));
  EXPECT_FALSE(places.take(v6(1, 1), 128, 1));
  const AddressPlace half = places.take(v6(9, 4), 126, 1);
  EXPECT_FALSE(places.take(v6(9, 7), 126, 1));
  EXPECT_TRUE(places.take(v6(9, 8), 126, 1));
  const AddressPlace wide = places.take(v6(0xf0, 1), 60, 1);
  EXPECT_FALSE(places.take(v6(0xff, 1), 60, 1));
}

TEST(AddressPlaces, AMappedAddressIsItsIPv4) {
  AddressPlaces places;
  IpAddress mapped{true, {}};
  mapped.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};
  const AddressPlace first = places.take(v4(1), 64, 1);
  EXPECT_FALSE(places.take(mapped, 64, 1));
}

TEST(AddressPlaces, OnlyAddressesWithAConnectionAreKept) {
  AddressPlaces places;
  {
    std::vector<AddressPlace> held;
    for (int i = 0; i < 200; ++i) held.push_back(places.take(v4(static_cast<uint8_t>(i)), 64, 9));
    EXPECT_EQ(places.addresses(), 200U);
  }
  EXPECT_EQ(places.addresses(), 0U);
  EXPECT_FALSE(places.take(v4(1), 64, 0));
  EXPECT_EQ(places.addresses(), 0U);
}

// Against a model: any mix of taking and giving back.
TEST(AddressPlaces, NeverMoreThanMaxAndNeverFewer) {
  constexpr uint32_t kMax = 5;
  AddressPlaces places;
  base::Rng rng(7);
  std::map<uint8_t, std::deque<AddressPlace>> held;
  for (int step = 0; step < 20'000; ++step) {
    const auto who = static_cast<uint8_t>(rng.next() % 16);
    auto& his = held[who];
    if (rng.next() % 2 == 0) {
      AddressPlace place = places.take(v4(who), 64, kMax);
      ASSERT_EQ(static_cast<bool>(place), his.size() < kMax);
      if (place) his.push_back(std::move(place));
    } else if (!his.empty()) {
      his.pop_front();
    }
  }
  held.clear();
  EXPECT_EQ(places.addresses(), 0U);
}

// ---- The pace.

constexpr TimePoint kStart{std::chrono::hours(1)};

// Connections taken by somebody who takes as soon as he may, in `time`.
uint64_t taken_in(AcceptPace& pace, uint32_t rate, Duration time) {
  uint64_t taken = 0;
  for (TimePoint now = kStart; now < kStart + time;) {
    const Duration wait = pace.wait(now, rate);
    if (wait > Duration::zero()) {
      now += wait;
      continue;
    }
    pace.took(now, rate);
    ++taken;
  }
  return taken;
}

TEST(AcceptPace, HoldsTheRateButForATenthOfASecond) {
  for (const uint32_t rate : {20U, 1'000U, 33'333U}) {
    AcceptPace pace;
    const uint64_t taken = taken_in(pace, rate, std::chrono::seconds(10));
    EXPECT_GE(taken, rate * 10 * 99 / 100) << rate;
    EXPECT_LE(taken, rate * 10 + rate / 10 + 1) << rate;
  }
}

TEST(AcceptPace, OneASecondIsOneASecond) {
  AcceptPace pace;
  EXPECT_EQ(taken_in(pace, 1, std::chrono::seconds(10)), 10U);
}

TEST(AcceptPace, AskingCostsNothing) {
  AcceptPace pace;
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(pace.wait(kStart, 10), Duration::zero());
}

TEST(AcceptPace, SilenceSavesUpNoMoreThanTheBurst) {
  AcceptPace pace;
  pace.took(kStart, 100);
  uint32_t at_once = 0;
  while (pace.wait(kStart + std::chrono::minutes(5), 100) == Duration::zero()) {
    pace.took(kStart + std::chrono::minutes(5), 100);
    ++at_once;
  }
  EXPECT_EQ(at_once, 10U);
}

TEST(AcceptPace, ZeroIsNoLimit) {
  AcceptPace pace;
  for (int i = 0; i < 1'000; ++i) pace.took(kStart, 0);
  EXPECT_EQ(pace.wait(kStart, 0), Duration::zero());
  EXPECT_EQ(pace.wait(kStart, 1), Duration::zero());
}

}  // namespace
}  // namespace weir::policy
