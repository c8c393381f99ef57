// SPDX-License-Identifier: Apache-2.0
// Who lives where: rendezvous by weight, pins, and the text of tags.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "base/hash.h"
#include "policy/cell_ledger.h"
#include "policy/cell_pins.h"
#include "policy/cell_tag.h"
#include "policy/rendezvous.h"

namespace weir::policy {
namespace {

constexpr std::uint64_t kAll = UINT64_MAX;
constexpr int kKeys = 60'000;

std::vector<Rendezvous::Node> nodes(const std::vector<std::string>& names,
                                    const std::vector<std::uint32_t>& weights) {
  std::vector<Rendezvous::Node> out;
  for (std::size_t i = 0; i < names.size(); ++i) out.push_back({names[i], weights[i]});
  return out;
}

std::string key(int i) { return "tenant-" + std::to_string(i); }

std::vector<double> shares(const Rendezvous& cells, std::size_t count, std::uint64_t among = kAll) {
  std::vector<double> out(count);
  for (int i = 0; i < kKeys; ++i) out[cells.pick(key(i), among)] += 1.0 / kKeys;
  return out;
}

const std::vector<std::string> kEight{"c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"};

TEST(Rendezvous, LogarithmIsCloseAndFallsAsItsArgumentRises) {
  EXPECT_EQ(negative_log2(UINT64_MAX), 0U);
  EXPECT_EQ(negative_log2(0), std::uint64_t{64} << 32);
  std::uint64_t last = UINT64_MAX;
  for (double x = 1; x < 0x1p64; x *= 1.0007) {
    const auto whole = static_cast<std::uint64_t>(x);
    const std::uint64_t log = negative_log2(whole);
    const double exact = 64 - std::log2(static_cast<double>(whole) + 1);
    EXPECT_NEAR(static_cast<double>(log) * 0x1p-32, exact, 0x1p-18);
    EXPECT_LE(log, last);
    last = log;
  }
}

TEST(Rendezvous, EqualWeightsShareEvenly) {
  const Rendezvous cells(nodes(kEight, std::vector<std::uint32_t>(8, 100)));
  for (const double share : shares(cells, 8)) EXPECT_NEAR(share, 0.125, 0.125 * 0.05);
}

TEST(Rendezvous, SharesFollowWeights) {
  const std::vector<std::uint32_t> weights{100, 200, 300, 400, 0, 50, 500, 450};
  const Rendezvous cells(nodes(kEight, weights));
  const auto found = shares(cells, 8);
  for (std::size_t i = 0; i < 8; ++i) {
    const double wanted = weights[i] / 2000.0;
    EXPECT_NEAR(found[i], wanted, std::max(wanted * 0.05, 0.001)) << i;
  }
  EXPECT_EQ(found[4], 0.0);
}

TEST(Rendezvous, ANewNodeTakesItsShareAndNobodyElseMoves) {
  const Rendezvous before(nodes({"c1", "c2", "c3", "c4"}, {100, 100, 100, 100}));
  const Rendezvous after(nodes({"c1", "c2", "c3", "c4", "c5"}, {100, 100, 100, 100, 100}));
  int moved = 0;
  for (int i = 0; i < kKeys; ++i) {
    const auto was = before.pick(key(i), kAll);
    const auto is = after.pick(key(i), kAll);
    if (was == is) continue;
    EXPECT_EQ(is, 4U);
    ++moved;
  }
  EXPECT_NEAR(static_cast<double>(moved) / kKeys, 0.2, 0.01);
}

TEST(Rendezvous, MoreWeightOnlyDrawsTo) {
  const Rendezvous before(nodes({"c1", "c2", "c3"}, {100, 100, 100}));
  const Rendezvous after(nodes({"c1", "c2", "c3"}, {100, 250, 100}));
  for (int i = 0; i < kKeys; ++i) {
    const auto was = before.pick(key(i), kAll);
    const auto is = after.pick(key(i), kAll);
    EXPECT_TRUE(was == is || is == 1U);
  }
}

TEST(Rendezvous, OneThatClosesGivesOnlyItsOwnAway) {
  const Rendezvous cells(nodes({"c1", "c2", "c3"}, {100, 100, 100}));
  for (int i = 0; i < kKeys; ++i) {
    const auto was = cells.pick(key(i), kAll);
    const auto is = cells.pick(key(i), 0b101);
    EXPECT_NE(is, 1U);
    EXPECT_TRUE(was == 1U || was == is);
  }
  EXPECT_EQ(cells.pick("x", 0), Rendezvous::kNone);
}

TEST(Rendezvous, OrderOfTheConfigDoesNotMatter) {
  const Rendezvous a(nodes({"c1", "c2", "c3"}, {100, 200, 300}));
  const Rendezvous b(nodes({"c3", "c1", "c2"}, {300, 100, 200}));
  constexpr std::array<std::uint32_t, 3> kPlace{1, 2, 0};
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(kPlace[a.pick(key(i), kAll)], b.pick(key(i), kAll));
}

// Other nodes may run another release: these are not to change.
TEST(Rendezvous, IsTheSameOnEveryNode) {
  const Rendezvous cells(nodes({"c1", "c2", "c3"}, {100, 100, 100}));
  std::string found;
  for (int i = 0; i < 24; ++i) found += static_cast<char>('1' + cells.pick(key(i), kAll));
  EXPECT_EQ(found, "133221211131232231211323");
}

TEST(CellPins, FindsWhoIsThereAndNobodyElse) {
  constexpr int kPins = 100'000;
  CellPins pins(kPins);
  for (int i = 0; i < kPins; ++i) pins.add(key(i), static_cast<std::uint32_t>(i % 8));
  EXPECT_EQ(pins.size(), static_cast<std::size_t>(kPins));
  for (int i = 0; i < kPins; ++i) ASSERT_EQ(pins.find(key(i)), static_cast<std::uint32_t>(i % 8));
  for (int i = kPins; i < 2 * kPins; ++i) ASSERT_EQ(pins.find(key(i)), CellPins::kNone);
  EXPECT_EQ(pins.find(""), CellPins::kNone);
}

TEST(CellPins, TheFirstStays) {
  CellPins pins(2);
  pins.add("acme", 1);
  pins.add("acme", 2);
  EXPECT_EQ(pins.find("acme"), 1U);
  EXPECT_EQ(pins.size(), 1U);
  EXPECT_EQ(CellPins(0).find("acme"), CellPins::kNone);
}

const std::string kMac(32, 'a');

TEST(CellTag, PlainAndSignedAreRead) {
  const auto plain = parse_cell_tag("c1");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->cell, "c1");
  EXPECT_FALSE(plain->is_signed());
  const std::string text = "c1:3:1700000000:k1:" + kMac;
  const auto whole = parse_cell_tag(text);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->cell, "c1");
  EXPECT_EQ(whole->epoch, 3U);
  EXPECT_EQ(whole->expires, 1'700'000'000);
  EXPECT_EQ(whole->key, "k1");
  std::array<char, kSignedRoom> room;
  EXPECT_EQ(write_cell_tag(*whole, room), text);
}

TEST(CellTag, WhatIsMalformedIsNone) {
  for (const std::string& text :
       {std::string(), std::string("c 1"), std::string("c1:"), std::string("c1:1:2:k1"),
        "c1:1:2:k1:" + kMac + ":", "c1:01:2:k1:" + kMac, "c1:-1:2:k1:" + kMac, "c1:1:-2:k1:" + kMac,
        "c1:1:2:k1:" + kMac + "a", "c1:1:2::" + kMac, "c1:1:2:k1:" + std::string(32, 'A'),
        "c1:1:99999999999999999999:k1:" + kMac, ":1:2:k1:" + kMac, std::string("c\0", 2),
        "c1:1:2:" + std::string(17, 'k') + ":" + kMac}) {
    const auto tag = parse_cell_tag(text);
    ASSERT_FALSE(tag) << text;
    EXPECT_EQ(tag.error(), TagFault::kMalformed) << text;
  }
  EXPECT_EQ(parse_cell_tag(std::string(257, 'c')).error(), TagFault::kTooLong);
}

TEST(CellTag, NoTwoTagsSignTheSameBytes) {
  std::array<char, kSignedRoom> room_a;
  std::array<char, kSignedRoom> room_b;
  const auto text = [](std::string_view cell, std::string_view tenant, std::span<char> room) {
    CellTag tag;
    tag.cell = cell;
    return std::string(signed_bytes(tag, tenant, room));
  };
  EXPECT_NE(text("c1", "1a", room_a), text("c11", "a", room_b));
  EXPECT_NE(text("c", "", room_a), text("", "c", room_b));
  CellTag one;
  one.epoch = 1;
  one.expires = 23;
  CellTag two;
  two.epoch = 12;
  two.expires = 3;
  EXPECT_NE(signed_bytes(one, "t", room_a), signed_bytes(two, "t", room_b));
}

TEST(CellTag, MacsCompareWhole) {
  EXPECT_TRUE(same_mac("abc", "abc"));
  EXPECT_FALSE(same_mac("abc", "abd"));
  EXPECT_FALSE(same_mac("abc", "ab"));
}

TEST(CellLedger, KeepsRecordsUnderTheirNames) {
  CellLedger ledger(2);
  CellRecord& first = ledger.record("c1");
  first.state.store(CellState::kFenced);
  EXPECT_EQ(&ledger.record("c1"), &first);
  EXPECT_EQ(ledger.find("c2"), nullptr);
  CellRow& row = ledger.row("c1", "c2");
  row.of_worker[1].count[static_cast<std::size_t>(CellReason::kHash)].add(3);
  EXPECT_EQ(ledger.row("c1", "c2").total(CellReason::kHash), 3U);
  EXPECT_EQ(ledger.row("c2", "c1").total(CellReason::kHash), 0U);
  EXPECT_EQ(ledger.rows().size(), 1U);
}

TEST(CellLedger, GuestsStayWithinTheirNumber) {
  CellLedger ledger(1);
  CellRecord& cell = ledger.record("c1");
  EXPECT_TRUE(cell.take_guest(2));
  EXPECT_TRUE(cell.take_guest(2));
  EXPECT_FALSE(cell.take_guest(2));
  cell.release_guest();
  EXPECT_TRUE(cell.take_guest(2));
  EXPECT_FALSE(cell.take_guest(0));
}

}  // namespace
}  // namespace weir::policy
