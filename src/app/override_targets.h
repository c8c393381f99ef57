// SPDX-License-Identifier: Apache-2.0
// What `weir set KIND NAME VALUE` names: finds it in the config in force, or says what is nearest;
// reads the value; says where that takes effect. No state, and not how long anything lasts.
// Thread: the control loop's.
#pragma once

#include <weir/clock.h>

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "admin/overrides.h"
#include "policy/cell_ledger.h"
#include "proxy/snapshot.h"
#include "upstream/cluster_manager.h"

namespace weir::app {

/// Found in a config.
struct OverrideTarget {
  admin::OverrideKind kind = admin::OverrideKind::kEndpoint;
  std::string name;     ///< As in OverrideRow.
  std::string cluster;  ///< Empty for a cell, and for a fault of a route.
  std::string part;     ///< An endpoint's address, a function, or a fault's route; may be empty.
};

class OverrideTargets {
 public:
  template <typename T>
  using Found = std::expected<T, admin::SetAnswer>;

  struct Parts {
    upstream::ClusterManager& clusters;
    policy::CellLedger& cells;
  };
  explicit OverrideTargets(Parts parts) : parts_(parts) {}

  /// Whether `snapshot` has the breaker that `target` names, its level included.
  static bool has_breaker(const proxy::Snapshot& snapshot, const OverrideTarget& target);

  /// The config in force; null: none any more.
  void follow(std::shared_ptr<const proxy::Snapshot> snapshot) { snapshot_ = std::move(snapshot); }

  Found<OverrideTarget> find(std::string_view kind, std::string_view name) const;
  /// The value in its normal form: "drain", "50%", "open".
  static Found<std::string> read_value(const OverrideTarget& target, std::string_view value);
  /// What the config says; empty where it has no say, or not any more.
  std::string configured(const OverrideTarget& target) const;
  /// The value as the config would have it; empty: no key says it.
  std::string as_yaml(const OverrideTarget& target, const std::string& value) const;
  /// It is still in the config.
  bool there(const OverrideTarget& target) const;
  Found<uint64_t> in_flight(const OverrideTarget& target) const;

  // -- From now on. An empty value: as configured.
  void say_endpoint(const OverrideTarget& target, const std::string& state,
                    const std::string& weight) const;
  void say_cluster(const OverrideTarget& target, const std::string& state) const;
  void say_cell(const OverrideTarget& target, const std::string& state) const;
  void say_fault(const OverrideTarget& target, const std::string& fault) const;
  /// False: there are too many functions with a breaker of their own.
  bool say_breaker(const OverrideTarget& target, const std::string& state, TimePoint until) const;

 private:
  OverrideTarget split(admin::OverrideKind kind, std::string_view name) const;
  Found<OverrideTarget> find_cluster(admin::OverrideKind kind, std::string_view name) const;
  Found<OverrideTarget> find_endpoint(admin::OverrideKind kind, std::string_view name) const;
  Found<OverrideTarget> find_cell(std::string_view name) const;
  Found<OverrideTarget> find_breaker(std::string_view name) const;
  Found<OverrideTarget> find_fault(std::string_view name) const;
  /// Null: neither a route nor a cluster of the config.
  base::FaultPoint* fault_point(const OverrideTarget& target) const;
  const upstream::EndpointSpec* spec(const OverrideTarget& target) const;
  policy::ClusterBreakers* breakers(std::string_view cluster) const;
  uint64_t in_flight_of_cell(const std::string& cell) const;

  Parts parts_;
  std::shared_ptr<const proxy::Snapshot> snapshot_;
};

}  // namespace weir::app
