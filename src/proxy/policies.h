// SPDX-License-Identifier: Apache-2.0
// What a config says of identity, tenants and limits, compiled: a part of the snapshot that a
// config without them does not have. The state behind the limits is not in it: it stays with the
// policy::LimitRegistry through reloads. Immutable; any thread.
#pragma once

#include <weir/config.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"
#include "http/header_id.h"
#include "policy/limit_set.h"
#include "policy/tenants.h"
#include "policy/traffic.h"
#include "route/identity.h"

namespace weir::proxy {

/// The name of a header that origins are told the identity by.
struct ForwardedName {
  explicit ForwardedName(std::string_view as) : name(as), id(http::header_id(as)) {}
  std::string name;  ///< Empty: they are not told.
  HeaderId id;
};

struct Policies {
  Policies(const IdentityConfig& identity_config, const TenantsConfig& tenants_config,
           route::IdentityRules rules);

  IdentityConfig config;
  ForwardedName forward_tenant;
  ForwardedName forward_function;
  ForwardedName forward_priority;
  route::IdentityRules identity;
  policy::Tenants tenants;
  Share unidentified_share;                        ///< Of the memory budget.
  std::shared_ptr<const policy::LimitSet> limits;  ///< Null: there are none.
  /// Who sends how much; null: it is not counted.
  std::shared_ptr<policy::Traffic> tenant_traffic;
  std::shared_ptr<policy::Traffic> function_traffic;
  bool reads_certificate = false;  ///< A rule wants the client's certificate.
  /// What an edge listener takes away from peers that are not trusted, in lower case.
  std::vector<std::string> identity_headers;
};

/// Null without findings: the config has nothing of it. Null with errors in `diagnostics`: a
/// pattern does not compile. Limits are added by compile_limits().
std::unique_ptr<Policies> compile_policies(const Config& config, config::Diagnostics& diagnostics);

/// The limits of `config`, with the state that `registry` has for them. On the config thread.
void compile_limits(const Config& config, policy::LimitRegistry& registry, Policies& policies);

}  // namespace weir::proxy
