// SPDX-License-Identifier: Apache-2.0
// What `weir` exits with; `weir --help` prints the same list. `weir diff` follows diff(1) instead.
#pragma once

namespace weir::app {

enum ExitCode : int {
  kExitOk = 0,
  kExitConfig = 1,       ///< A config has errors, or a reload or verb was refused.
  kExitUsage = 2,        ///< The command line is wrong.
  kExitUnreachable = 3,  ///< No weir answers on the admin socket.
  kExitStart = 4,        ///< A port, socket or file cannot be had.
  kExitNoRoute = 5,      ///< explain: no route takes the request.
  kExitInFlight = 6,     ///< drain --wait: requests are still in flight.
  kExitLeak = 70,        ///< At the end something was still alive: a bug in weir.
};

enum DiffExitCode : int { kDiffSame = 0, kDiffChanges = 1, kDiffTrouble = 2 };

}  // namespace weir::app
