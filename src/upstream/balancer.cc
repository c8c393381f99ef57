// SPDX-License-Identifier: Apache-2.0
#include "upstream/balancer.h"

#include <algorithm>
#include <atomic>

#include "base/check.h"

namespace weir::upstream {
namespace {

constexpr std::size_t kNone = Balancer::kNone;

bool was_tried(const EndpointSet& set, std::size_t index, const PickContext& context) {
  const Endpoint* const endpoint = &set.endpoint(index);
  return std::ranges::find(context.tried, endpoint) != context.tried.end();
}

// Each with the chance that its weight gives it; no look at what was tried.
std::size_t draw(const EndpointSet& set, base::Rng& rng) {
  const auto count = static_cast<std::uint32_t>(set.eligible());
  if (set.uniform()) return rng.below(count);
  const std::uint64_t bits = rng.next();
  const std::size_t column = ((bits >> 32U) * count) >> 32U;
  const AliasColumn& alias = set.alias()[column];
  return static_cast<std::uint32_t>(bits) < alias.own ? column : alias.other;
}

// A second draw, without the member drawn first.
std::size_t draw_other(const EndpointSet& set, std::size_t first, base::Rng& rng) {
  if (set.uniform()) {
    const std::size_t other = rng.below(static_cast<std::uint32_t>(set.eligible() - 1));
    return other + (other >= first ? 1U : 0U);
  }
  constexpr int kMostDraws = 4;
  for (int i = 0; i < kMostDraws; ++i) {
    const std::size_t other = draw(set, rng);
    if (other != first) return other;
  }
  // One that is far heavier than all others would be drawn for ever: its share is cut out.
  std::uint32_t point = rng.below(set.total_weight() - set.weight(first));
  if (point >= set.start_of(first)) point += set.weight(first);
  return set.at(point);
}

// By weight among those not tried. Walks the whole set, which a retry can afford.
std::size_t draw_untried(const EndpointSet& set, const PickContext& context) {
  std::uint32_t left = 0;
  for (std::size_t i = 0; i < set.eligible(); ++i) {
    if (!was_tried(set, i, context)) left += set.weight(i);
  }
  if (left == 0) return kNone;
  std::uint32_t point = context.rng.below(left);
  for (std::size_t i = 0; i < set.eligible(); ++i) {
    if (was_tried(set, i, context)) continue;
    if (point < set.weight(i)) return i;
    point -= set.weight(i);
  }
  return kNone;
}

std::uint64_t load_of(const EndpointSet& set, std::size_t index) {
  return set.endpoint(index).active_requests.load(std::memory_order_relaxed);
}

// Power of two choices (Mitzenmacher 2001) on load per weight. Both are drawn by weight and a tie
// goes to the first, so that an idle cluster is shared out exactly by weight.
std::size_t pick_least_request(const EndpointSet& set, base::Rng& rng) {
  const std::size_t first = draw(set, rng);
  if (set.eligible() < 2) return first;
  const std::size_t second = draw_other(set, first, rng);
  const std::uint64_t first_load = load_of(set, first) * set.weight(second);
  const std::uint64_t second_load = load_of(set, second) * set.weight(first);
  return second_load < first_load ? second : first;
}

// The slot of the hash, then those after it: each key has its own order of substitutes, so that the
// keys of one that fails spread over all others.
std::size_t pick_maglev(const EndpointSet& set, const PickContext& context) {
  constexpr std::uint32_t kMostSteps = 256;
  const auto table = set.maglev();
  auto slot = static_cast<std::uint32_t>(context.hash % EndpointSet::kMaglevSize);
  for (std::uint32_t step = 0; step < kMostSteps; ++step) {
    const std::size_t index = table[slot];
    if (!was_tried(set, index, context)) return index;
    slot = slot + 1 == EndpointSet::kMaglevSize ? 0 : slot + 1;
  }
  return draw_untried(set, context);
}

}  // namespace

std::size_t Balancer::pick_rotation(const EndpointSet& set, const PickContext& context) {
  const auto rotation = set.rotation();
  // A whole rotation may be long; after a few tried ones a draw does as well.
  constexpr std::uint32_t kMostSteps = 16;
  for (std::uint32_t step = 0; step < kMostSteps; ++step) {
    const std::size_t index = rotation[cursor_++ % rotation.size()];
    if (!was_tried(set, index, context)) return index;
  }
  return draw_untried(set, context);
}

std::size_t Balancer::pick(const EndpointSet& set, BalancePolicy policy,
                           const PickContext& context) {
  if (set.eligible() == 0) return kNone;
  // A set is built for one policy; a reload may be ahead of it for a moment.
  if (policy == BalancePolicy::kRoundRobin && !set.rotation().empty()) {
    return pick_rotation(set, context);
  }
  if (policy == BalancePolicy::kMaglev && !set.maglev().empty()) return pick_maglev(set, context);
  if (!context.tried.empty()) return draw_untried(set, context);
  if (policy == BalancePolicy::kLeastRequest) return pick_least_request(set, context.rng);
  return draw(set, context.rng);
}

}  // namespace weir::upstream
