// SPDX-License-Identifier: Apache-2.0
#include "app/limit_office.h"

#include <sys/random.h>

#include <utility>

#include "base/check.h"

namespace weir::app {
namespace {

// Whoever knew it could aim keys at each other's buckets.
policy::KeySecret new_secret() {
  policy::KeySecret secret;
  CHECK(getrandom(&secret, sizeof secret, 0) == sizeof secret);
  return secret;
}

}  // namespace

LimitOffice::LimitOffice(const Clock& clock,
                         const std::vector<std::unique_ptr<proxy::Worker>>& workers,
                         std::uint32_t count)
    : workers_(workers), count_(count), registry_(*this, clock, new_secret()) {}

void LimitOffice::equip(const Config& config, proxy::Policies& policies) {
  proxy::compile_limits(config, registry_, policies);
  if (!config.identity) return;
  const auto take = [&](std::shared_ptr<policy::Traffic>& kept, std::uint32_t top, bool known) {
    if (top == 0 || !known) return std::shared_ptr<policy::Traffic>();
    if (!kept || kept->top() != top) {
      kept = std::make_shared<policy::Traffic>(count_, top);
    }
    return kept;
  };
  policies.tenant_traffic =
      take(tenant_traffic_, config.admin.top_tenants, !config.identity->tenant.empty());
  policies.function_traffic =
      take(function_traffic_, config.admin.top_functions, !config.identity->function.empty());
}

void LimitOffice::post(std::uint32_t worker, policy::PlaceLetter letter) {
  workers_[worker]->deliver(std::move(letter));
}

}  // namespace weir::app
