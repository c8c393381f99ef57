// SPDX-License-Identifier: Apache-2.0
#include "app/explain_owner.h"

#include <algorithm>
#include <cstdio>

#include "http/forwarded.h"
#include "http/header_id.h"
#include "proxy/policies.h"

namespace weir::app {
namespace {

using policy::Limit;

// Nobody waits here.
class NoOffice final : public policy::PlaceOffice {
 public:
  uint32_t workers() const override { return 1; }
  void post(uint32_t, policy::PlaceLetter) override {}
};

struct Person {
  std::string_view tenant;
  std::string_view function;
  std::optional<uint8_t> priority;
  policy::Tenants::Standing standing;
};

bool in(const std::vector<Cidr>& networks, const IpAddress& address) {
  return std::ranges::any_of(networks, [&](const Cidr& cidr) { return cidr.contains(address); });
}

void print_line(const std::string& line) { std::printf("%s\n", line.c_str()); }

std::string named(std::string_view value) {
  return value.empty() ? "nobody knows" : std::string(value);
}

// ---- Identity.

void print_trials(const std::vector<route::IdentityTrial>& trials, std::string_view part) {
  for (const route::IdentityTrial& trial : trials) {
    if (trial.part != part) continue;
    print_line("  " + trial.rule + " " + trial.outcome + (trial.wins ? " (wins)" : ""));
  }
}

// Where the class comes from, the identity's own rules apart.
std::string why_class(const Config& config, const Person& person, bool by_rule) {
  if (by_rule) return {};
  const auto& members = config.tenants.members;
  const bool member =
      std::ranges::find(members, person.tenant, &TenantMember::tenant) != members.end();
  const std::string where = config.tenants_file.empty() ? "tenants" : config.tenants_file;
  if (member) return "  " + where + ": he is listed";
  return "  " + where + ": he is not listed" +
         (config.tenants.default_class.empty() ? "" : ", so it is default_class");
}

// As Exchange::identify_owner() settles it.
std::string priority_of(const Person& person, const route::Route& route) {
  if (person.priority) return "priority: " + std::to_string(*person.priority) + ", by identity";
  const auto of_class = person.standing.of->priority;
  if (of_class) return "priority: " + std::to_string(*of_class) + ", by its class";
  return "priority: " + std::to_string(route.shed_priority()) + ", by its route";
}

void print_identity(const Config& config, const Person& person, const route::Route& route,
                    const std::vector<route::IdentityTrial>& trials) {
  const std::string_view bucket =
      person.standing.bucket.empty() ? policy::Tenants::kUnknown : person.standing.bucket;
  print_line("tenant: " + named(person.tenant) +
             (bucket == person.tenant ? "" : ", counted as " + std::string(bucket)));
  print_trials(trials, "tenant");
  print_line("function: " + named(person.function));
  print_trials(trials, "function");
  const TenantClass& of = *person.standing.of;
  print_line("class: " + (of.name.empty() ? std::string("none") : of.name) + ", weight " +
             std::to_string(of.weight));
  print_trials(trials, "class");
  const bool by_rule = std::ranges::any_of(
      trials, [](const auto& trial) { return trial.part == "class" && trial.wins; });
  if (const std::string why = why_class(config, person, by_rule); !why.empty()) print_line(why);
  print_line(priority_of(person, route));
  print_trials(trials, "priority");
}

// As request_head.cc takes them away.
void print_stripped(const proxy::Policies& policies, const Sender& sender,
                    const RequestHead& head) {
  if (sender.trusted || sender.listener->profile != Profile::kEdge) return;
  for (const std::string& name : policies.identity_headers) {
    for (const Header& header : head.headers) {
      if (!http::iequals(header.name, name)) continue;
      print_line("not passed on: " + name + ", because the peer is not in trusted_proxies");
      break;
    }
  }
}

// ---- Limits.

std::string text_of(const policy::Rate& rate) {
  constexpr uint64_t kSecond = 1'000'000'000;
  const uint64_t window = rate.window();
  const std::string unit = window == kSecond          ? "s"
                           : window == 60 * kSecond   ? "m"
                           : window == 3600 * kSecond ? "h"
                                                      : std::to_string(window / 1'000'000) + "ms";
  return std::to_string(rate.amount()) + "/" + unit + ", burst " + std::to_string(rate.burst());
}

std::string text_of(const policy::PlaceBounds& bounds, Duration max_wait) {
  std::string out = std::to_string(bounds.max) + " at once";
  if (bounds.max_waiting == 0) return out + ", nobody waits";
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(max_wait).count();
  return out + ", " + std::to_string(bounds.max_waiting) + " may wait for " + std::to_string(ms) +
         "ms";
}

std::string_view words_of(Limit::Source source) {
  switch (source) {
    case Limit::Source::kClass:
      return "by its class";
    case Limit::Source::kOverride:
      return "by an override";
    case Limit::Source::kLimit:
      break;
  }
  return "as for everybody";
}

void print_limit(const Limit& limit, const policy::LimitFacts& facts, int rank) {
  const policy::LimitKey key = limit.key(facts);
  const policy::LimitRule& rule = limit.rule(key, facts);
  const std::string text = limit.key_text(facts);
  print_line("  " + std::to_string(rank) + ". " + limit.name() + ", bucket " +
             (text.empty() ? "of the whole node" : text) + ", amounts " +
             std::string(words_of(limit.source(key, facts))) +
             (limit.dry_run() ? ", dry_run: refuses nobody" : ""));
  if (rule.requests) print_line("     requests " + text_of(*rule.requests));
  if (rule.bandwidth) print_line("     bandwidth in bytes " + text_of(*rule.bandwidth));
  if (rule.cost) print_line("     cost by " + limit.cost_header() + " " + text_of(*rule.cost));
  if (rule.concurrency) {
    print_line("     concurrency " + text_of(*rule.concurrency, rule.max_wait));
  }
}

void print_limits(const policy::LimitSet& limits, const policy::LimitFacts& facts) {
  int rank = 0;
  std::string others;
  for (const Limit& limit : limits.limits()) {
    if (!limit.matches(facts)) {
      others += (others.empty() ? "" : ", ") + limit.name();
      continue;
    }
    if (rank == 0) print_line("limits, in the order in which they are checked:");
    print_limit(limit, facts, ++rank);
  }
  if (rank == 0) print_line("limits: none counts it");
  if (!others.empty()) print_line("  not by their match: " + others);
}

}  // namespace

IpAddress client_of(const Sender& sender, const Config& config, const RequestHead& head) {
  const IpAddress peer = sender.address.value_or(IpAddress{});
  if (!sender.trusted) return peer;
  return http::forwarded_client(
             head.headers,
             [&](const IpAddress& address) { return in(config.trusted_proxies, address); })
      .value_or(peer);
}

std::optional<Sender> find_sender(const Options& options, const Config& config) {
  Sender sender;
  if (!options.from.empty()) {
    sender.address = http::parse_forwarded_address(options.from);
    if (!sender.address) {
      std::fprintf(stderr, "weir: --from %s is no address; write 10.0.0.1 or 2001:db8::1\n",
                   options.from.c_str());
      return std::nullopt;
    }
    sender.trusted = in(config.trusted_proxies, *sender.address);
  }
  const auto found = std::ranges::find(config.listeners, options.listener, &ListenerConfig::name);
  if (!options.listener.empty() && found == config.listeners.end()) {
    std::fprintf(stderr, "weir: there is no listener %s in the config\n", options.listener.c_str());
    return std::nullopt;
  }
  sender.listener = found == config.listeners.end() ? &config.listeners.front() : &*found;
  // A unix socket is reached only by whom its file mode lets in.
  sender.trusted = sender.trusted || sender.listener->address.kind == Address::Kind::kUnix;
  return sender;
}

void print_owner(Compiled& compiled, const Sender& sender, const RequestHead& head,
                 const route::Route& route) {
  if (!compiled.policies) return;
  const Config& config = *compiled.config;
  proxy::Policies& policies = *compiled.policies;
  const route::IdentityFacts facts{head, sender.trusted, route.name()};
  const auto trials = policies.identity.explain(facts);
  const auto identity = policies.identity.identify(facts);
  if (!identity) {
    print_line("weir answers 400 bad_identity:");
    for (const std::string_view part : {"tenant", "function", "class", "priority"}) {
      print_trials(trials, part);
    }
    return;
  }
  const Person person{identity->tenant, identity->function, identity->priority,
                      policies.tenants.standing(identity->tenant, identity->class_name)};
  if (config.identity) print_identity(config, person, route, trials);
  print_stripped(policies, sender, head);

  NoOffice office;
  const SystemClock clock;
  policy::LimitRegistry registry(office, clock, {});
  proxy::compile_limits(config, registry, policies);
  if (!policies.limits) return;
  policy::LimitFacts counted;
  counted.tenant =
      person.standing.bucket.empty() ? policy::Tenants::kUnknown : person.standing.bucket;
  counted.function = person.function;
  counted.class_name = person.standing.of->name;
  counted.route = route.name();
  counted.listener = sender.listener->name;
  counted.client_ip = client_of(sender, config, head);
  counted.headers = &head.headers;
  print_limits(*policies.limits, counted);
  policies.limits = nullptr;
}

}  // namespace weir::app
