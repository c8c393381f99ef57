// SPDX-License-Identifier: Apache-2.0
// Which of a few named nodes a key belongs to: highest random weight (Thaler, Ravishankar 1998), in
// the weighted form, where the key goes to the node with the least -log(u) / weight. Each node's u
// is a fixed hash of its name and the key, so that all processes agree without talking; a node that
// comes takes its share evenly from the others, and one that goes gives only its own away. The
// logarithm is an integer's, so that all machines agree as well.
// Immutable once built; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace weir::policy {

class Rendezvous {
 public:
  static constexpr std::size_t kMaxNodes = 64;
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Node {
    std::string_view name;
    std::uint32_t weight = 0;  ///< Up to 2^20; 0 is never picked.
  };

  /// Requires: at most kMaxNodes.
  explicit Rendezvous(std::span<const Node> nodes);

  /// The index of the node; kNone if no node in `among` (a bit each) has weight.
  std::uint32_t pick(std::string_view key, std::uint64_t among) const;

 private:
  struct Place {
    std::uint64_t seed;
    std::uint32_t weight;
    std::uint32_t index;
  };
  std::uint32_t pick_unweighted(std::uint64_t hash, std::uint64_t among) const;

  std::vector<Place> places_;  ///< Those with weight.
  bool weighted_ = false;      ///< They do not all have the same.
};

/// -log2((x + 1) / 2^64) in units of 2^-32, for x below 2^64: 0 for the largest. Never falls as x
/// falls; off by less than 2^-18.
std::uint64_t negative_log2(std::uint64_t x);

}  // namespace weir::policy
