// SPDX-License-Identifier: Apache-2.0
// What operators have set by hand (`weir set`): who, what, since when and until when. It ends by a
// time, by the next reload, or when it is taken back; what lasts over a reload is in force while
// the new config comes into force as well. A breaker is forced, and a
// fault injected, for a time only.
//
// Outside of the snapshots. Thread: the control loop's.
#pragma once

#include <weir/clock.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "admin/overrides.h"
#include "app/override_targets.h"
#include "net/loop.h"

namespace weir::app {

class Overrides {
 public:
  /// Both outlive it.
  Overrides(net::Loop& loop, OverrideTargets::Parts parts);
  Overrides(const Overrides&) = delete;
  Overrides& operator=(const Overrides&) = delete;

  /// A config came into force, and its clusters with it: no worker has its snapshot yet.
  void published(std::shared_ptr<const proxy::Snapshot> snapshot);
  /// Lets go of the snapshot.
  void stop();

  admin::SetAnswer set(const admin::SetRequest& request);
  /// Oldest first.
  std::vector<admin::OverrideRow> rows() const;
  std::expected<uint64_t, admin::SetAnswer> in_flight(std::string_view kind,
                                                      std::string_view name) const;

 private:
  struct Entry {
    OverrideTarget target;
    std::string value;
    admin::OverrideEnd end = admin::OverrideEnd::kReload;
    TimePoint until = TimePoint::max();
    TimePoint since{};
    std::string who;
  };

  std::expected<Entry, admin::SetAnswer> read(const OverrideTarget& target,
                                              const admin::SetRequest& request) const;
  admin::SetAnswer take_back(const OverrideTarget& target, const std::string& who);
  Entry* find(admin::OverrideKind kind, const std::string& name);
  std::string value_of(admin::OverrideKind kind, const std::string& name) const;
  /// Brings about what is set of it now; false if there is no room for it.
  bool apply(const OverrideTarget& target);
  template <typename Over>
  void end_all(Over over);
  void on_time();
  void arm();
  admin::OverrideRow row(const Entry& entry) const;

  net::Loop& loop_;
  OverrideTargets targets_;
  std::vector<Entry> entries_;
  net::Timer timer_;
};

}  // namespace weir::app
