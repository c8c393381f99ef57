// SPDX-License-Identifier: Apache-2.0
// Which endpoint takes the next attempt. One a worker and cluster: it keeps the place in the
// rotation. Not admission (Cluster) and not connections (IdlePool). Allocates nothing.
#pragma once

#include <weir/config.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/rng.h"
#include "upstream/endpoint_set.h"

namespace weir::upstream {

struct PickContext {
  base::Rng& rng;
  std::uint64_t hash = 0;  ///< Of what `hash_on` names; kMaglev only.
  std::span<const Endpoint* const> tried;
};

class Balancer {
 public:
  static constexpr std::size_t kNone = SIZE_MAX;

  /// `start` is random, so that workers and processes do not march in step.
  explicit Balancer(std::uint64_t start) : cursor_(start) {}

  /// An index into `set`, below eligible() and never a tried one; kNone if there is none such.
  std::size_t pick(const EndpointSet& set, BalancePolicy policy, const PickContext& context);

 private:
  std::size_t pick_rotation(const EndpointSet& set, const PickContext& context);

  std::uint64_t cursor_;
};

}  // namespace weir::upstream
