// SPDX-License-Identifier: Apache-2.0
#include "policy/tenants.h"

#include <algorithm>

#include "base/check.h"

namespace weir::policy {

Tenants::Tenants(const TenantsConfig& config) : classes_(config.classes), open_(config.open) {
  if (config.default_class.empty()) {
    classes_.insert(classes_.begin(), TenantClass{});
  } else {
    const auto found = std::ranges::find(classes_, config.default_class, &TenantClass::name);
    CHECK(found != classes_.end());
    std::rotate(classes_.begin(), found, found + 1);
  }
  members_.reserve(config.members.size());
  for (const TenantMember& member : config.members) {
    const TenantClass* const of = find_class(member.class_name);
    CHECK(of != nullptr);
    members_.emplace(member.tenant, static_cast<std::uint32_t>(of - classes_.data()));
  }
}

const TenantClass* Tenants::find_class(std::string_view name) const {
  const auto found = std::ranges::find(classes_, name, &TenantClass::name);
  return found == classes_.end() ? nullptr : &*found;
}

Tenants::Standing Tenants::standing(std::string_view tenant, std::string_view class_name) const {
  // Hashing a name for an empty directory would be the dearest part of this.
  const auto member = members_.empty() ? members_.end() : members_.find(tenant);
  const bool known = member != members_.end();
  Standing out{known || open_ ? tenant : kUnknown, &classes_[known ? member->second : 0]};
  if (!class_name.empty()) {
    if (const TenantClass* const named = find_class(class_name)) out.of = named;
  }
  return out;
}

}  // namespace weir::policy
