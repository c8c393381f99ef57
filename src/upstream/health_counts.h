// SPDX-License-Identifier: Apache-2.0
// What a Membership has counted since it was made. A value; no thread rule.
#pragma once

#include <cstdint>

namespace weir::upstream {

struct HealthCounts {
  std::uint64_t checks_passed = 0;
  std::uint64_t checks_failed = 0;
  std::uint64_t ejections = 0;
  std::uint64_t ejections_held_back = 0;  ///< By the floor.
  std::uint64_t changes = 0;              ///< An endpoint went out or came back.
};

}  // namespace weir::upstream
