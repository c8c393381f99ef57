// SPDX-License-Identifier: Apache-2.0
// One route of the config, compiled: everything that an exchange needs from its routing to its end,
// because after a reload a long exchange keeps its Route alone and not the table it came from.
// Not the order among routes, nor hosts and paths as a look-up structure: that is Table.
// Immutable but for its fault point; any thread may read. Shared as std::shared_ptr<const Route>;
// all views that it hands out live as long as it does.
#pragma once

#include <weir/config.h>
#include <weir/message.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/fault_point.h"
#include "config/diagnostics.h"
#include "route/condition.h"
#include "route/header_ops.h"
#include "route/methods.h"
#include "route/pattern.h"

namespace weir::route {

class Route {
  struct Private {};  // compile() alone makes routes, yet make_shared needs a public constructor

 public:
  /// Null, and errors in `diagnostics`, if a regex, a header operation or a path cannot be used.
  static std::shared_ptr<const Route> compile(const RouteConfig& config, std::uint32_t index,
                                              config::Diagnostics& diagnostics);
  Route(Private, const RouteConfig& config, std::uint32_t index);
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

  std::string_view name() const { return config_.name; }
  /// The place in Config::routes, and in the table that it was compiled for.
  std::uint32_t index() const { return index_; }
  const RouteConfig& config() const { return config_; }

  const RouteTarget& target() const { return config_.target; }
  const RouteLimits& limits() const { return config_.limits; }
  const RetryConfig& retry() const { return config_.retry; }
  /// Of the whole exchange; nullopt: none.
  std::optional<Millis> timeout() const { return config_.timeout; }
  bool buffer_request() const { return config_.buffer_request; }
  /// Of requests whose identity and class say none: 0 is shed last, 5 first.
  std::uint8_t shed_priority() const { return config_.shed_priority.value_or(kDefaultPriority); }
  const Rewrite& rewrite() const { return config_.rewrite; }
  /// What the copies of its requests go by: no retry, no limit, no change. Null: it copies none.
  const std::shared_ptr<const Route>& mirror() const { return mirror_; }
  /// What a weighted target sticks to; kNone for every other target.
  const HashOn& sticky() const;

  const CompiledHeaderOps& request_ops() const { return request_ops_; }
  const CompiledHeaderOps& response_ops() const { return response_ops_; }
  const MethodSet& methods() const { return methods_; }
  const Pattern* path_pattern() const { return path_pattern_ ? &*path_pattern_ : nullptr; }
  const Pattern* rewrite_pattern() const { return rewrite_pattern_ ? &*rewrite_pattern_ : nullptr; }
  const std::vector<Condition>& conditions() const { return conditions_; }

  bool takes_method(const RequestHead& head) const {
    return methods_.contains(head.method, head.method_text);
  }
  /// Whether all header and query conditions hold. Host, path and method are the table's business.
  bool conditions_hold(const RequestHead& head, base::Arena& arena) const {
    for (const Condition& condition : conditions_) {
      if (!condition.holds(head, arena)) return false;
    }
    return true;
  }
  /// For drills: what an operator has set, which is no part of the config.
  base::FaultPoint& fault() const { return fault_; }
  /// How specific it is beyond host and path: header and query conditions, plus one for methods.
  std::uint32_t specificity() const {
    return static_cast<std::uint32_t>(conditions_.size()) + (methods_.any() ? 0U : 1U);
  }

 private:
  bool compile_patterns(config::Diagnostics& diagnostics);
  bool compile_conditions(config::Diagnostics& diagnostics);
  bool check_paths(config::Diagnostics& diagnostics) const;
  bool compile_header_ops(config::Diagnostics& diagnostics);

  const RouteConfig config_;
  const std::uint32_t index_;
  MethodSet methods_;
  std::vector<Condition> conditions_;
  CompiledHeaderOps request_ops_;
  CompiledHeaderOps response_ops_;
  std::optional<Pattern> path_pattern_;
  std::optional<Pattern> rewrite_pattern_;
  std::shared_ptr<const Route> mirror_;
  mutable base::FaultPoint fault_;
};

}  // namespace weir::route
