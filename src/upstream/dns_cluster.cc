// SPDX-License-Identifier: Apache-2.0
#include "upstream/dns_cluster.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "net/loop.h"

namespace weir::upstream {
namespace {

Address to_address(const IpAddress& ip, std::uint16_t port) {
  Address out;
  out.ip = ip;
  out.port = port;
  const std::string text = net::ip_to_string(ip);
  out.text = (ip.is_v6 ? '[' + text + ']' : text) + ':' + std::to_string(port);
  return out;
}

std::string host_of(const DnsConfig& config) {
  constexpr std::uint16_t kHttpPort = 80;
  return config.port == kHttpPort ? config.name : config.name + ':' + std::to_string(config.port);
}

}  // namespace

DnsCluster::DnsCluster(net::Loop& loop, net::Resolver& resolver, Membership& membership,
                       const ClusterConfig& config)
    : loop_(loop),
      resolver_(resolver),
      membership_(membership),
      config_(*config.dns),
      policy_(config.load_balancing.policy),
      rng_(base::hash64(config_.name)) {
  ask_again_in(Duration::zero());
}

bool DnsCluster::serves(const DnsConfig& dns) const {
  return dns.name == config_.name && dns.port == config_.port && dns.refresh == config_.refresh;
}

void DnsCluster::set_policy(BalancePolicy policy) {
  if (std::exchange(policy_, policy) != policy && settled()) publish();
}

void DnsCluster::ask_again_in(Duration wait) { loop_.arm(timer_, wait); }

void DnsCluster::on_timer() { resolver_.resolve(query_, config_.name); }

void DnsCluster::on_resolved(Result<std::vector<net::ResolvedAddress>> answer) {
  if (!answer) {
    on_failure(answer.error());
    return;
  }
  std::chrono::seconds ttl = kMostTtl;
  std::vector<EndpointSpec> specs;
  for (const net::ResolvedAddress& address : *answer) {
    ttl = std::min(ttl, address.ttl);
    specs.push_back(
        {.address = to_address(address.ip, config_.port), .host = host_of(config_), .zone = {}});
  }
  // Servers turn their answers around; that is no change.
  std::ranges::sort(specs, {}, [](const EndpointSpec& spec) { return spec.address.text; });
  const bool changed = !resolved_ || specs != specs_;
  specs_ = std::move(specs);
  resolved_ = true;
  failures_ = 0;
  last_error_ = nullptr;
  answered_at_ = loop_.clock().now();
  if (changed) publish();
  ask_again_in(config_.refresh ? Duration(*config_.refresh) : std::max(ttl, kLeastTtl));
}

void DnsCluster::on_failure(const Error& error) {
  last_error_ = error.detail != nullptr ? error.detail : "no answer";
  ++failures_;
  // What stood before under another name does not answer for this one.
  if (!resolved_ && failures_ == 1) publish();
  Duration wait = kFirstBackoff;
  for (std::uint32_t i = 1; i < failures_ && wait < kMostBackoff; ++i) wait *= 2;
  wait = std::min<Duration>(wait, kMostBackoff);
  // Half of it at random, so that the clusters of many nodes do not ask in step.
  const auto half = static_cast<std::uint64_t>(wait.count() / 2);
  ask_again_in(Duration(static_cast<std::int64_t>(half + rng_.next() % (half + 1))));
}

void DnsCluster::publish() { membership_.set(specs_, policy_, ErrorCode::kDnsFailure); }

DnsSnapshot DnsCluster::snapshot() const {
  const TimePoint now = loop_.clock().now();
  const auto since = [](Duration d) {
    return std::max(Millis{0}, std::chrono::duration_cast<Millis>(d));
  };
  DnsSnapshot out;
  out.name = config_.name;
  out.resolved = resolved_;
  if (last_error_ != nullptr) out.last_error = last_error_;
  out.failures = failures_;
  if (resolved_) out.age = since(now - answered_at_);
  if (timer_.armed()) out.next_refresh = since(timer_.deadline() - now);
  return out;
}

}  // namespace weir::upstream
