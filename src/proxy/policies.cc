// SPDX-License-Identifier: Apache-2.0
#include "proxy/policies.h"

#include <algorithm>
#include <utility>

namespace weir::proxy {
namespace {

bool wants_certificate(const std::vector<IdentityRule>& rules) {
  return std::ranges::any_of(rules, [](const IdentityRule& rule) {
    return rule.kind == IdentityRule::Kind::kClientSubject ||
           rule.kind == IdentityRule::Kind::kClientSan;
  });
}

}  // namespace

Policies::Policies(const IdentityConfig& identity_config, const TenantsConfig& tenants_config,
                   route::IdentityRules rules)
    : config(identity_config),
      forward_tenant(config.forward_tenant),
      forward_function(config.forward_function),
      forward_priority(config.forward_priority),
      identity(std::move(rules)),
      tenants(tenants_config) {
  const auto take_away = [this](const std::string& header) {
    const bool known = std::ranges::find(identity_headers, header) != identity_headers.end();
    if (!header.empty() && !known) identity_headers.push_back(header);
  };
  take_away(config.forward_tenant);
  take_away(config.forward_function);
  take_away(config.forward_priority);
  for (const auto* list :
       {&config.tenant, &config.function, &config.class_name, &config.priority}) {
    reads_certificate = reads_certificate || wants_certificate(*list);
    for (const IdentityRule& rule : *list) {
      if (rule.kind == IdentityRule::Kind::kHeader) take_away(rule.text);
    }
  }
}

std::unique_ptr<Policies> compile_policies(const Config& config, config::Diagnostics& diagnostics) {
  const bool classed = !config.tenants.default_class.empty();
  if (!config.identity && config.limits.empty() && !classed) return nullptr;
  const IdentityConfig identity = config.identity.value_or(IdentityConfig{});
  auto rules = route::IdentityRules::compile(identity, diagnostics);
  // Names that do not exist have been reported; Tenants relies on them.
  if (!rules || diagnostics.errors() != 0) return nullptr;
  auto policies = std::make_unique<Policies>(identity, config.tenants, std::move(*rules));
  policies->unidentified_share = config.memory.unidentified_share;
  return policies;
}

void compile_limits(const Config& config, policy::LimitRegistry& registry, Policies& policies) {
  if (config.limits.empty()) return;
  policies.limits = policy::LimitSet::compile(config.limits, registry);
}

}  // namespace weir::proxy
