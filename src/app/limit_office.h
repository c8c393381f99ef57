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
#include "policy/traffic.h"
#include "proxy/policies.h"
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
  /// Gives `policies` the state that `config` asks for: that of its limits, and the counts of
  /// tenants and functions. What stays the same is the same as before.
  void equip(const Config& config, proxy::Policies& policies);

 private:
  const std::vector<std::unique_ptr<proxy::Worker>>& workers_;
  const std::uint32_t count_;
  policy::LimitRegistry registry_;
  std::shared_ptr<policy::Traffic> tenant_traffic_;
  std::shared_ptr<policy::Traffic> function_traffic_;
};

}  // namespace weir::app
