// SPDX-License-Identifier: Apache-2.0
// What operators have set by hand while weir runs, as values: what they ask for, what they are
// answered, and what is in force, for the pages that show it. Not the doing of it (app/overrides).
// Thread: the control loop's makes them; then anybody's.
#pragma once

#include <weir/clock.h>
#include <weir/units.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::admin {

enum class OverrideKind : uint8_t { kEndpoint, kWeight, kCluster, kCell, kBreaker, kFault, kCount };
/// As in `weir set KIND ...`.
std::string_view override_word(OverrideKind kind);
std::optional<OverrideKind> override_kind(std::string_view word);

/// What ends it by itself.
enum class OverrideEnd : uint8_t { kReload, kTime, kNever };

struct OverrideRow {
  OverrideKind kind = OverrideKind::kEndpoint;
  std::string name;        ///< "app/10.0.0.1:80", "app", "c1".
  std::string cluster{};   ///< Of an endpoint, cluster or breaker.
  std::string part{};      ///< An endpoint's address, or a function.
  std::string value;       ///< As it was said.
  std::string configured;  ///< What holds without it; empty where the config has no say.
  std::string yaml;        ///< The value as the config would have it; empty: no key says it.
  OverrideEnd end = OverrideEnd::kReload;
  Millis left{0};  ///< kTime.
  Millis age{0};
  std::string who;
};

struct SetRequest {
  std::string kind;
  std::string name;
  std::string value;
  std::string how_long;  ///< A duration; empty: none was given.
  bool keep = false;
  std::string who;
};

/// One line for people, with its newline.
struct SetAnswer {
  uint16_t status = 200;
  std::string text;
};

/// "reload", "time", "kept".
std::string_view end_word(OverrideEnd end);
/// "until the next reload", "for 4m59s more", "until it is taken back".
std::string override_end(const OverrideRow& row);
/// One line for people, without its newline.
std::string override_line(const OverrideRow& row);
std::string overrides_json(const std::vector<OverrideRow>& rows);
/// What would make them last: lines to merge into the config.
std::string overrides_yaml(const std::vector<OverrideRow>& rows);
const OverrideRow* find_override(const std::vector<OverrideRow>& rows, OverrideKind kind,
                                 std::string_view name);

}  // namespace weir::admin
