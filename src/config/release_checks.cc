// SPDX-License-Identifier: Apache-2.0
// What the rules of a release must make of each other, and releases of identity: rules that can
// take nobody, weights that are more than all, tenants whom nobody names.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <unordered_set>

#include "config/keys.h"
#include "config/release_parts.h"

namespace weir::config {

namespace {

using Kind = ReleaseRule::Kind;

// Where what no rule takes is counted.
constexpr std::string_view kDefault = "default";

// Names that are given come first: what is made up steps aside.
void name_rules(Reader& reader, ReleaseConfig& release) {
  static constexpr std::array<std::string_view, 3> kKinds{"tenants", "match", "weight"};
  std::unordered_set<std::string> taken{std::string(kDefault)};
  for (ReleaseRule& rule : release.rules) {
    rule.label = rule.name;
    if (rule.name.empty() || taken.insert(rule.name).second) continue;
    reader.error_at(rule.location,
                    rule.name == kDefault
                        ? Finding{"`default` is whom no rule takes", "give the rule another name"}
                        : Finding{"two rules are named `" + rule.name + "`",
                                  "names tell them apart in logs and metrics"});
  }
  for (ReleaseRule& rule : release.rules) {
    if (!rule.name.empty()) continue;
    const std::string kind(kKinds[static_cast<std::size_t>(rule.kind)]);
    rule.label = kind;
    for (int i = 2; !taken.insert(rule.label).second; ++i) {
      rule.label = kind + "-" + std::to_string(i);
    }
  }
}

class RuleCheck {
 public:
  RuleCheck(Reader& reader, const ReleaseConfig& release) : reader_(reader), release_(release) {}

  void run() {
    for (const ReleaseRule& rule : release_.rules) {
      const Reader::Step step(reader_, std::string_view(rule.label));
      if (sum_ >= Share::kWhole) {
        reader_.error_at(rule.location, {"takes nobody: the weights before it are 100%",
                                         "lower them, or put this rule before them"});
        continue;
      }
      if (rule.kind == Kind::kTenants) check_tenants(rule);
      if (rule.kind == Kind::kWeight) check_weight(rule);
    }
  }

 private:
  void check_tenants(const ReleaseRule& rule) {
    bool any = rule.tenants.empty();
    for (const std::string& tenant : rule.tenants) any = taken_.insert(tenant).second || any;
    if (any) return;
    reader_.error_at(rule.location, {"takes nobody: rules before it take all of its tenants",
                                     "take the rule out, or the tenants out of those"});
  }

  void check_weight(const ReleaseRule& rule) {
    sum_ += rule.weight.ppm;
    if (first_ == nullptr) first_ = &rule;
    if (!(rule.sticky == first_->sticky)) {
      reader_.error_at(rule.location, {"weights of one release are sticky on one thing",
                                       "give all the same `sticky`"});
    }
    if (sum_ > Share::kWhole) {
      reader_.error_at(rule.location,
                       {"the weights add up to more than 100%", "what is left goes to default"});
    }
  }

  Reader& reader_;
  const ReleaseConfig& release_;
  std::unordered_set<std::string_view> taken_;
  std::uint64_t sum_ = 0;
  const ReleaseRule* first_ = nullptr;
};

// The first thing in a release that only a tenant's name decides.
std::string_view needs_tenant(const ReleaseRule& rule) {
  if (rule.kind == Kind::kTenants) return rule.tenants_file.empty() ? "tenants" : "tenants_file";
  const bool splits = rule.kind == Kind::kWeight;
  return splits && rule.sticky.kind == ReleaseSticky::Kind::kTenant ? "sticky" : "";
}

}  // namespace

void check_release(Reader& reader, NodeId id, ReleaseConfig& release) {
  const NodeId at = reader.find(id, "default");
  release.default_location = reader.document().location(at == Document::kNone ? id : at);
  const Reader::Step step(reader, "rules");
  name_rules(reader, release);
  if (release.rules.size() > kMaxReleaseRules) {
    reader.error(reader.find(id, "rules"), {"more than 64 rules", "tenants_file takes any number"});
  }
  // What could not be read has been reported, and all below would say the wrong thing of it.
  if (reader.context().diagnostics.errors() == 0) RuleCheck(reader, release).run();
}

void check_releases(Reader& reader, NodeId, const Config& config) {
  if (config.identity && !config.identity->tenant.empty()) return;
  // As above.
  if (reader.context().diagnostics.errors() != 0) return;
  const Reader::Step step(reader, "releases");
  for (const ReleaseConfig& release : config.releases) {
    const Reader::Step in_release(reader, std::string_view(release.name));
    const Reader::Step in_rules(reader, "rules");
    for (const ReleaseRule& rule : release.rules) {
      const std::string_view need = needs_tenant(rule);
      if (need.empty()) continue;
      const Reader::Step in_rule(reader, std::string_view(rule.label));
      const Reader::Step inside(reader, need);
      reader.error_at(rule.location,
                      {"no rule under identity.tenant says who the tenant is",
                       need == "sticky" ? "add identity: {tenant: [{header: x-tenant-id}]}, or "
                                          "write sticky: client_ip"
                                        : "add identity: {tenant: [{header: x-tenant-id}]}"});
    }
  }
}

}  // namespace weir::config
