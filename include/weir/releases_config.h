// SPDX-License-Identifier: Apache-2.0
// Releases of a config as plain values: which version of a service a request gets, by rules in
// order. In-class values are the defaults. Not behaviour: proxy/releases compiles it. Immutable
// once loaded; any thread may read.
#pragma once

#include <weir/location.h>
#include <weir/units.h>
#include <weir/value_match.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir {

// What stays on its side of a split by weight.
struct ReleaseSticky {
  enum class Kind : std::uint8_t { kTenant, kHeader, kClientIp, kNone };

  Kind kind = Kind::kTenant;  // kNone, and who lacks it: at random, request by request
  std::string header;         // kHeader: lower-case name
  bool operator==(const ReleaseSticky&) const = default;
};

// One stage: who goes to `to`. The first rule of the list that takes a request decides.
struct ReleaseRule {
  enum class Kind : std::uint8_t { kTenants, kMatch, kWeight };

  Kind kind = Kind::kWeight;
  std::string name;   // as written; may be empty
  std::string label;  // the name, else the kind; unique in its release
  std::string to;     // required; a cluster, which may hold kCellPlaceholder, or a failover group
  // kTenants. `tenants_file` is read at load into `tenants`; YAML has one of the two.
  std::vector<std::string> tenants;
  std::string tenants_file;
  // kMatch
  std::vector<ValueMatch> headers;
  std::vector<ValueMatch> query;
  // kWeight. Weights of a release lie side by side: who was below 5 % is below 10 %.
  Share weight{0};
  ReleaseSticky sticky;
  SourceLocation location;
  SourceLocation to_location;
};

struct ReleaseConfig {
  std::string name;
  std::string default_to;  // required; as ReleaseRule::to
  std::vector<ReleaseRule> rules;
  SourceLocation location;
  SourceLocation default_location;
};

inline constexpr std::size_t kMaxReleaseRules = 64;

struct ReleaseTarget {
  std::string release;
};

}  // namespace weir
