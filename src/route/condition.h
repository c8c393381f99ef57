// SPDX-License-Identifier: Apache-2.0
// One header or query condition of a route, compiled. A name that stands several times matches if
// any of its values does, whichever of them an origin would read. Query names and values are
// compared after one rule of decoding: %XX once, '+' is a space, a broken escape stands for itself.
// Immutable after compile(); any thread. Views into the ValueMatch given, which outlives it.
#pragma once

#include <weir/config.h>
#include <weir/message.h>

#include <optional>
#include <string_view>

#include "base/arena.h"
#include "config/diagnostics.h"
#include "route/pattern.h"

namespace weir::route {

class Condition {
 public:
  enum class On : std::uint8_t { kHeader, kQuery };

  /// nullopt, and an error in `diagnostics` at the value's place, if its regex does not compile.
  static std::optional<Condition> compile(On on, const ValueMatch& config, std::string_view key,
                                          config::Diagnostics& diagnostics);

  /// Uses `arena` only where a query value must be decoded for a regex.
  bool holds(const RequestHead& head, base::Arena& arena) const;
  On on() const { return on_; }
  const ValueMatch& config() const { return *config_; }

 private:
  Condition(On on, const ValueMatch& config) : on_(on), config_(&config) {}
  bool header_holds(const HeaderList& headers) const;
  bool query_holds(std::string_view query, base::Arena& arena) const;
  bool value_holds(std::string_view value) const;

  On on_;
  HeaderId id_ = HeaderId::kOther;
  const ValueMatch* config_;
  std::optional<Pattern> pattern_;
};

}  // namespace weir::route
