// SPDX-License-Identifier: Apache-2.0
// What the admin pages may see of the process and ask of it. Implemented by app/ and by the tests'
// fake. Thread: everything on the control thread; callbacks come there too, never before the call
// that asked has returned.
#pragma once

#include <weir/clock.h>

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/overrides.h"
#include "admin/totals.h"
#include "config/diagnostics.h"
#include "policy/held_by_name.h"
#include "proxy/snapshot.h"
#include "proxy/stats.h"
#include "upstream/cluster_manager.h"
#include "upstream/failover_snapshot.h"
#include "upstream/region_state.h"

namespace weir::admin {

/// One worker, as far as another thread may look.
struct WorkerReading {
  uint32_t index = 0;
  int64_t last_turn_ns = 0;  ///< Steady clock.
  int64_t accounted_bytes = 0;
  const proxy::WorkerStats* stats = nullptr;
  const policy::HeldByName* functions = nullptr;
};

struct ReloadOutcome {
  bool applied = false;
  uint64_t version = 0;  ///< In force now.
  std::vector<config::Diagnostic> diagnostics;
  std::string message;  ///< Why a valid config was not applied (a port is taken), or what is left.
};

struct DiffOutcome {
  bool readable = false;  ///< The file has no errors.
  std::string text;
};

class Process {
 public:
  using Task = std::move_only_function<void()>;
  using ReloadDone = std::move_only_function<void(ReloadOutcome)>;
  using Page = std::move_only_function<std::string()>;
  using DiffDone = std::move_only_function<void(DiffOutcome)>;
  using PageDone = std::move_only_function<void(std::string)>;

  virtual const Clock& clock() const = 0;
  virtual TimePoint started() const = 0;
  /// Null before the first config is in force.
  virtual std::shared_ptr<const proxy::Snapshot> snapshot() const = 0;
  virtual std::vector<upstream::ClusterSnapshot> clusters() const = 0;
  virtual std::vector<upstream::FailoverGroupSnapshot> failover_groups() const = 0;
  virtual std::vector<WorkerReading> workers() const = 0;
  virtual ReloadTotals reloads() const = 0;
  virtual LogTotals log() const = 0;
  virtual MemoryTotals memory() const = 0;
  /// Why no traffic should come now (starting, draining); empty: ready.
  virtual std::string not_ready() const = 0;
  /// Nullopt: the config has no region.
  virtual std::optional<upstream::RegionReading> region() const = 0;
  /// The admin socket, for hints; empty if it is off.
  virtual std::string admin_address() const = 0;

  /// What operators have set by hand, oldest first.
  virtual std::vector<OverrideRow> overrides() const = 0;
  virtual SetAnswer set(const SetRequest& request) = 0;
  /// Requests in flight at an endpoint, cluster or cell; or why there is no number.
  virtual std::expected<uint64_t, SetAnswer> in_flight(std::string_view kind,
                                                       std::string_view name) const = 0;
  /// What runs against what the config file says now.
  virtual void diff(bool json, DiffDone done) = 0;

  virtual void reload(ReloadDone done) = 0;
  /// Fails readiness and leaves the answers of DNS, finishes what is in flight, then the process
  /// ends.
  virtual void drain() = 0;
  /// Runs `task` in the next turn of the control loop.
  virtual void post(Task task) = 0;
  /// Runs `page` on a thread that may take its time.
  virtual void write_page(Page page, PageDone done) = 0;

 protected:
  ~Process() = default;
};

}  // namespace weir::admin
