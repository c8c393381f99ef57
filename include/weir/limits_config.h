// SPDX-License-Identifier: Apache-2.0
// Identity, tenants and limits of a config as plain values: who a request belongs to, and what he
// may use. In-class values are the defaults. Not behaviour: rules are compiled in route/identity
// and policy/limits. Immutable once loaded; any thread may read.
#pragma once

#include <weir/units.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir {

// One way to find a part of an identity. The first rule of a list that yields a value wins.
struct IdentityRule {
  enum class Kind : std::uint8_t {
    kHeader,         // text: lower-case name; only from trusted peers
    kHostRegex,      // text: RE2; the first group that took part, or the whole match
    kPathRegex,      // the same on the normalised path
    kRoute,          // the route's name
    kClientSubject,  // the subject of the verified client certificate
    kClientSan,      // its first subject alternative name
    kValue,          // text itself
  };

  Kind kind = Kind::kValue;
  std::string text;
  std::uint32_t line = 0;  // of the text, so that route/ can report a regex that does not compile
  std::uint32_t column = 0;
  std::uint32_t file = 0;
};

struct IdentityConfig {
  std::vector<IdentityRule> tenant;
  std::vector<IdentityRule> function;
  std::vector<IdentityRule> class_name;  // yields the name of a class
  std::vector<IdentityRule> priority;    // yields 0 to 5
  // Headers that tell upstreams; empty: not told.
  std::string forward_tenant = "x-weir-tenant";
  std::string forward_function = "x-weir-function";
  std::string forward_priority;
};

// 0 is shed last, 5 first.
constexpr std::uint8_t kLastPriority = 5;
constexpr std::uint8_t kDefaultPriority = 3;  // of whom nothing else says one

struct TenantClass {
  std::string name;
  std::uint32_t weight = 1;              // share of a queue that it waits in; 1 to 1000
  std::optional<std::uint8_t> priority;  // 0 to 5; nullopt: the route says it
  // Of memory.budget, for what one tenant's requests hold. Half: nobody alone can make the others
  // be refused, and who is alone does not notice.
  Share memory_share = Share::percent(50);
};

struct TenantMember {
  std::string tenant;
  std::string class_name;
};

struct TenantsConfig {
  std::vector<TenantClass> classes;
  std::vector<TenantMember> members;
  std::string default_class;  // empty: weight 1, no priority of its own
  bool open = false;          // false: names that are no members share one bucket, `unknown`
};

// One value that a limit counts by.
struct LimitDimension {
  enum class Kind : std::uint8_t {
    kTenant,
    kFunction,
    kClientIp,
    kRoute,
    kListener,
    kHeader,
    kCell,
  };

  Kind kind = Kind::kTenant;
  std::string header;  // kHeader: lower-case name
  bool operator==(const LimitDimension&) const = default;
};

// `amount` a `window`, and at most `burst` at once.
struct RateConfig {
  std::uint64_t amount = 0;
  Millis window{1'000};
  std::uint64_t burst = 1;
  bool operator==(const RateConfig&) const = default;
};

struct QueueConfig {
  std::uint32_t max_requests = 0;             // requests that may wait; 0: nobody waits
  std::uint64_t max_bytes = 8 * 1024 * 1024;  // of what they hold
  Millis max_wait{500};
  bool operator==(const QueueConfig&) const = default;
};

struct ConcurrencyConfig {
  std::uint32_t max = 0;
  QueueConfig queue;
  bool operator==(const ConcurrencyConfig&) const = default;
};

// What a key or a class gets instead; what is not given stays.
struct LimitAmounts {
  std::optional<RateConfig> requests;
  std::optional<RateConfig> bandwidth;
  std::optional<RateConfig> cost;
  std::optional<ConcurrencyConfig> concurrency;
};

struct LimitOverride {
  std::vector<std::string> values;  // one a dimension, in the order of `key`
  LimitAmounts amounts;
};

struct ClassOverride {
  std::string class_name;
  LimitAmounts amounts;
};

// Which requests a limit counts; an empty list takes all.
struct LimitMatch {
  std::vector<std::string> routes;
  std::vector<std::string> listeners;
  std::vector<std::string> classes;
};

struct LimitConfig {
  std::string name;
  std::vector<LimitDimension> key;  // empty: one bucket for the whole node
  LimitMatch match;
  LimitAmounts amounts;
  std::string cost_header;  // of the response, for amounts.cost
  std::vector<ClassOverride> classes;
  // `overrides_file` is read at load into `overrides`; YAML has one of the two.
  std::vector<LimitOverride> overrides;
  std::string overrides_file;
  bool dry_run = false;                // counts, refuses nobody
  std::uint32_t max_keys = 1'000'000;  // memory: 72 bytes each, taken as keys come
  std::uint32_t ipv6_prefix = 64;      // bits of an IPv6 client address that count
};

}  // namespace weir
