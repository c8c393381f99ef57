// SPDX-License-Identifier: Apache-2.0
// Logs what circuit breakers do: a line for each change of state, with the window that caused it.
// It looks four times a second, and only while the config has breakers.
// Thread: the control loop's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "net/loop.h"
#include "proxy/snapshot.h"

namespace weir::app {

class BreakerWatch {
 public:
  explicit BreakerWatch(net::Loop& loop);
  /// A config came into force.
  void watch(std::shared_ptr<const proxy::Snapshot> snapshot);
  /// Lets go of the snapshot.
  void stop();

 private:
  void look();

  net::Loop& loop_;
  net::Timer timer_;
  std::shared_ptr<const proxy::Snapshot> snapshot_;  ///< Null: no breakers.
  std::unordered_map<std::string, uint64_t> seen_;   ///< Changes, by what it is of.
};

}  // namespace weir::app
