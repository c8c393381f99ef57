// SPDX-License-Identifier: Apache-2.0
// Carries the letters of concurrency limits between the workers' loops, and holds the state of all
// limits through reloads. Not the limits themselves: those are part of a snapshot.
// Thread: post() any; registry() whoever compiles configs, one at a time. Outlives workers and
// snapshots.
#pragma once

#include <weir/clock.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "policy/limit_set.h"
#include "policy/places.h"
#include "proxy/worker.h"

namespace weir::app {

class LimitOffice final : public policy::PlaceOffice {
 public:
  /// `workers` is filled with `count` of them before the first letter.
  LimitOffice(const Clock& clock, const std::vector<std::unique_ptr<proxy::Worker>>& workers,
              std::uint32_t count);

  std::uint32_t workers() const override { return count_; }
  void post(std::uint32_t worker, policy::PlaceLetter letter) override;

  policy::LimitRegistry& registry() { return registry_; }

 private:
  const std::vector<std::unique_ptr<proxy::Worker>>& workers_;
  const std::uint32_t count_;
  policy::LimitRegistry registry_;
};

}  // namespace weir::app
