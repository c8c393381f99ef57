// SPDX-License-Identifier: Apache-2.0
// What changes between two configurations, key by key, in the user's words, and what a reload does
// about each: for `weir diff` and for the log line of a reload. Compares effective values, so a key
// that is written out with its default is no change. Pure; values named like secrets are hidden.
#pragma once

#include <weir/config.h>

#include <cstdint>
#include <string>
#include <vector>

#include "config/diagnostics.h"

namespace weir::config {

enum class ChangeKind : std::uint8_t { kAdded, kRemoved, kChanged };

struct Change {
  ChangeKind kind = ChangeKind::kChanged;
  std::string path;    // "clusters.blue.endpoints[127.0.0.1:9001].weight"
  std::string before;  // on one line; empty when added
  std::string after;   // on one line; empty when removed
  std::string effect;  // what a reload does; a restart is named where one is needed
  bool needs_restart = false;
};

std::vector<Change> diff(const Config& before, const Config& after);

// Ready to print. Text: one line a change and one for its effect; JSON: an array of objects.
std::string render(const std::vector<Change>& changes, ReportFormat format);

}  // namespace weir::config
