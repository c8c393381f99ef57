// SPDX-License-Identifier: Apache-2.0
#include "app/explain_release.h"

#include <algorithm>
#include <string_view>
#include <variant>
#include <vector>

namespace weir::app {

ReleaseWords explain_release(const Compiled& compiled, const Sender& sender,
                             const route::Route& route, const RequestHead& head,
                             base::Arena& arena) {
  const std::string& name = std::get<ReleaseTarget>(route.target()).release;
  const auto& all = compiled.config->releases;
  const auto release =
      static_cast<uint32_t>(std::ranges::find(all, name, &ReleaseConfig::name) - all.begin());
  // Who is drawn anew each time is shown as the last of all: only a weight that reaches 100 % has
  // him for certain.
  proxy::Releases::Asked asked{head, {}, {}, UINT64_MAX};
  if (compiled.policies != nullptr) {
    const route::IdentityFacts facts{
        .head = head, .trusted_peer = sender.trusted, .route = route.name()};
    if (const auto identity = compiled.policies->identity.identify(facts)) {
      asked.tenant = identity->tenant;
    }
  }
  if (compiled.releases->asks_address(release)) {
    asked.client = client_of(sender, *compiled.config, head);
  }
  std::vector<std::string> rules;
  const uint32_t choice = compiled.releases->choose(release, asked, arena, &rules);
  const ReleaseConfig& config = compiled.releases->config(release);
  const bool taken = choice < config.rules.size();
  ReleaseWords out;
  out.to = taken ? config.rules[choice].to : config.default_to;
  out.text = "release: " + name + " sends it to " + out.to +
             (taken ? ", by rule " + config.rules[choice].label : ", its default") + "\n";
  for (const std::string& rule : rules) out.text += "  " + rule + "\n";
  return out;
}

}  // namespace weir::app
