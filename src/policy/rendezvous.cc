// SPDX-License-Identifier: Apache-2.0
#include "policy/rendezvous.h"

#include <array>
#include <bit>

#include "base/check.h"
#include "base/hash.h"

namespace weir::policy {
namespace {

constexpr int kTableBits = 8;
constexpr std::size_t kTableSize = std::size_t{1} << kTableBits;

// log2(1 + i / kTableSize) in units of 2^-32, digit by digit: squaring doubles a logarithm.
constexpr std::uint64_t log2_of_step(std::uint64_t i) {
  unsigned __int128 x = ((unsigned __int128){kTableSize + i}) << (62 - kTableBits);  // 1.0 is 2^62
  std::uint64_t out = 0;
  for (int bit = 0; bit < 32; ++bit) {
    x = (x * x) >> 62;
    out <<= 1;
    if (x >> 63 != 0) {
      out |= 1;
      x >>= 1;
    }
  }
  return out;
}

constexpr auto kLog2 = [] {
  std::array<std::uint64_t, kTableSize + 1> table{};
  for (std::size_t i = 0; i < kTableSize; ++i) table[i] = log2_of_step(i);
  table[kTableSize] = std::uint64_t{1} << 32;
  return table;
}();

// Twice: names that differ in one letter must not meet keys that differ in one.
std::uint64_t draw(std::uint64_t hash, std::uint64_t seed) {
  return base::mix64(base::mix64(hash ^ seed) + hash);
}

}  // namespace

std::uint64_t negative_log2(std::uint64_t x) {
  if (x == UINT64_MAX) return 0;
  const std::uint64_t value = x + 1;
  const int lead = std::countl_zero(value);
  // The digits after the leading one: the first choose a step, the others where in it.
  const std::uint64_t digits = lead == 63 ? 0 : value << (lead + 1);
  const std::size_t step = digits >> (64 - kTableBits);
  const std::uint64_t within = (digits << kTableBits) >> 32;
  const std::uint64_t low = kLog2[step];
  const std::uint64_t log = low + (((kLog2[step + 1] - low) * within) >> 32);
  return ((static_cast<std::uint64_t>(lead) + 1) << 32) - log;
}

Rendezvous::Rendezvous(std::span<const Node> nodes) {
  CHECK(nodes.size() <= kMaxNodes);
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].weight == 0) continue;
    places_.push_back({base::hash64(nodes[i].name), nodes[i].weight, i});
    weighted_ = weighted_ || nodes[i].weight != places_.front().weight;
  }
}

// The least logarithm is that of the largest draw.
std::uint32_t Rendezvous::pick_unweighted(std::uint64_t hash, std::uint64_t among) const {
  std::uint32_t best = kNone;
  std::uint64_t best_draw = 0;
  for (const Place& place : places_) {
    if ((among >> place.index & 1U) == 0) continue;
    const std::uint64_t drawn = draw(hash, place.seed);
    if (best != kNone && drawn <= best_draw) continue;
    best = place.index;
    best_draw = drawn;
  }
  return best;
}

std::uint32_t Rendezvous::pick(std::string_view key, std::uint64_t among) const {
  const std::uint64_t hash = base::hash64(key);
  if (!weighted_) return pick_unweighted(hash, among);
  std::uint32_t best = kNone;
  std::uint64_t best_log = 0;
  std::uint64_t best_weight = 0;
  for (const Place& place : places_) {
    if ((among >> place.index & 1U) == 0) continue;
    const std::uint64_t log = negative_log2(draw(hash, place.seed));
    // log / weight < best_log / best_weight, without dividing: 39 and 20 bits.
    if (best != kNone && log * best_weight >= best_log * place.weight) continue;
    best = place.index;
    best_log = log;
    best_weight = place.weight;
  }
  return best;
}

}  // namespace weir::policy
