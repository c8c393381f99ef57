// SPDX-License-Identifier: Apache-2.0
// Who is in which class, and by which name a tenant is counted: a directory that is not open counts
// all names that it does not know as one, `unknown`, so that nobody gets fresh limits by inventing
// tenants. Immutable once built; any thread.
#pragma once

#include <weir/limits_config.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir::policy {

class Tenants {
 public:
  static constexpr std::string_view kUnknown = "unknown";

  /// Requires: classes that members and default_class name exist.
  explicit Tenants(const TenantsConfig& config);

  struct Standing {
    std::string_view
        bucket;  ///< The name that limits and metrics count by; may be `tenant` itself.
    const TenantClass* of = nullptr;
  };
  /// `class_name`: what the identity's own rules say; empty or unknown: the directory decides.
  Standing standing(std::string_view tenant, std::string_view class_name = {}) const;
  /// Null: there is none of that name.
  const TenantClass* find_class(std::string_view name) const;

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::vector<TenantClass> classes_;  ///< The first is the default.
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> members_;
  bool open_;
};

}  // namespace weir::policy
