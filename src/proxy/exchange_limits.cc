// SPDX-License-Identifier: Apache-2.0
// Identity and limits of an exchange: who it belongs to, whether his limits let it pass, and what
// it gives back. To configs without them this costs the test of a null pointer.
#include <algorithm>
#include <array>
#include <charconv>
#include <new>

#include "http/forwarded.h"
#include "http/header_id.h"
#include "net/tls_session.h"
#include "proxy/cell_call.h"
#include "proxy/exchange.h"
#include "proxy/owner.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {

using Outcome = policy::LimitVerdict::Outcome;
using Cause = policy::LimitVerdict::Cause;

// What a request holds while it waits, its body apart: the exchange and the first block of its
// arena.
constexpr uint64_t kHeldByHead = sizeof(Exchange) + 4096;

// Bodies are charged in steps of at least this: a long one is felt while it flows, and the rate
// tables are not touched for each read.
constexpr uint64_t kChargeStep = 64 * 1024;

}  // namespace

// ---- The owner.

Owner::Owner(Exchange& of, const Policies& by)
    : exchange(of),
      policies(&by),
      hold(*this),
      wait_timer(net::timer_callback<&Owner::on_wait_over>(this)) {}

void Owner::on_limits(const policy::LimitVerdict& verdict) { exchange.on_limits(verdict); }

void Owner::on_wait_over() { exchange.on_limits(hold.expire()); }

void Owner::end_wait() {
  wait_timer.cancel();
  if (hold.waiting()) hold.release();
}

void Owner::detach(base::Arena& arena, std::shared_ptr<const Policies> until_sent) {
  if (kept) return;
  tenant = arena.copy(tenant);
  bucket.text = arena.copy(bucket.text);
  function = arena.copy(function);
  counted_function.text = arena.copy(counted_function.text);
  class_name = arena.copy(class_name);
  kept = std::move(until_sent);
  policies = kept.get();
}

// ---- Identity.

bool Exchange::identify_owner() {
  const Policies& policies = *worker_.snapshot().policies;
  route::IdentityFacts facts{request_, trusted_peer_, route_->name()};
  if (policies.reads_certificate && client_.tls != nullptr && client_.tls->peer_verified()) {
    facts.client_subject = arena_.copy(client_.tls->peer_subject());
    const auto names = client_.tls->peer_names();
    if (!names.empty()) facts.client_san = arena_.copy(names.front());
  }
  const Result<route::Identity> identity = policies.identity.identify(facts);
  if (!identity) {
    fail(make_error(ErrorCode::kBadIdentity, identity.error().detail));
    return false;
  }
  owner_ = new (arena_.allocate(sizeof(Owner))) Owner(*this, policies);
  const auto standing = policies.tenants.standing(identity->tenant, identity->class_name);
  owner_->tenant = identity->tenant;
  owner_->function = identity->function;
  name_owner(standing.bucket);
  owner_->class_name = standing.of->name;
  owner_->weight = standing.of->weight;
  const std::optional<uint8_t> own =
      identity->priority ? identity->priority : standing.of->priority;
  owner_->priority = own.value_or(route_->shed_priority());
  owner_->memory_share = standing.of->memory_share;
  WorkerStats& stats = worker_.mutable_stats();
  if (identity->tenant.empty() && !policies.config.tenant.empty()) stats.tenants_missing.add();
  if (identity->function.empty() && !policies.config.function.empty()) {
    stats.functions_missing.add();
  }
  return true;
}

// The names that he is counted by. Each is hashed once, and not where no rule could tell it.
void Exchange::name_owner(std::string_view bucket) {
  const IdentityConfig& config = owner_->policies->config;
  const auto name = [&](std::string_view text, bool told) {
    if (text.empty()) text = policy::Tenants::kUnknown;
    return told ? policy::CountedName::make(worker_.name_secret(), text)
                : policy::CountedName{text, {}};
  };
  owner_->bucket = name(bucket, !config.tenant.empty());
  if (policy::MemoryShares* const shares = worker_.memory_shares()) {
    shares->prefetch(owner_->bucket.key);
  }
  owner_->counted_function = name(owner_->function, !config.function.empty());
}

uint8_t Exchange::priority() const {
  if (owner_ != nullptr) return owner_->priority;
  return route_ != nullptr ? route_->shed_priority() : kDefaultPriority;
}

void Exchange::keep_owner(std::shared_ptr<const Policies> policies) {
  const bool head_made = upstream_request_.headers.size() != 0;
  owner_->detach(arena_, head_made ? nullptr : std::move(policies));
}

// ---- Limits.

// Who is counted as client_ip: behind trusted peers whom they name, else the peer.
IpAddress Exchange::client_address() const {
  const IpAddress peer = client_.peer->is_unix ? IpAddress{} : client_.peer->ip;
  if (!trusted_peer_) return peer;
  const auto& proxies = worker_.snapshot().config->trusted_proxies;
  const auto named = http::forwarded_client(request_.headers, [&](const IpAddress& address) {
    return std::ranges::any_of(proxies, [&](const Cidr& cidr) { return cidr.contains(address); });
  });
  return named.value_or(peer);
}

// What stable choices by client are made of, the same on every node: the address of the client that
// trusted proxies speak for. Of who comes by a unix socket and is nobody's proxy, its name.
std::string_view Exchange::client_key() {
  if (!trusted_peer_) return client_ip_;
  const IpAddress client = client_address();
  // Mostly the peer itself, whose text is there already.
  if (client == IpAddress{} || client == client_.peer->ip) return client_ip_;
  char text[net::Peer::kMaxText];
  return arena_.copy(net::Peer{client, 0, false}.ip_text(text));
}

Exchange::Next Exchange::take_limits() {
  policy::WorkerLimits* const limits = worker_.limits();
  if (owner_->admitted || limits == nullptr || owner_->policies->limits == nullptr) {
    return Next::kContinue;
  }
  policy::LimitFacts facts;
  facts.tenant = owner_->bucket.text;
  facts.function = owner_->function;
  if (!owner_->policies->config.tenant.empty()) facts.tenant_key = &owner_->bucket.key;
  if (!owner_->function.empty()) facts.function_key = &owner_->counted_function.key;
  facts.class_name = owner_->class_name;
  facts.weight = owner_->weight;
  facts.route = route_->name();
  facts.listener = client_.listener->config().name;
  if (cell_ != nullptr) facts.cell = cell_->name(cell_->home);
  if (owner_->policies->limits->counts_addresses()) facts.client_ip = client_address();
  facts.headers = &request_.headers;
  // What comes with the head; then the client is paused.
  const uint64_t body = request_.body.kind == BodyFraming::Kind::kNone ? 0 : Worker::kReadBuffer;
  facts.held_bytes = kHeldByHead + body;
  const policy::LimitVerdict verdict = limits->check(facts, owner_->hold, arena_);
  switch (verdict.outcome) {
    case Outcome::kPass:
      owner_->admitted = true;
      return Next::kContinue;
    case Outcome::kWait:
      worker_.loop().arm_at(owner_->wait_timer, owner_->hold.deadline());
      return Next::kWait;
    case Outcome::kRefuse:
      break;
  }
  refuse(verdict);
  return Next::kDone;
}

void Exchange::on_limits(const policy::LimitVerdict& verdict) {
  owner_->wait_timer.cancel();
  if (verdict.outcome == Outcome::kRefuse) {
    refuse(verdict);
  } else {
    owner_->admitted = true;
    resume_admitted();
  }
  flush();
}

// The places of clusters and routes are those of the snapshot: if another came meanwhile, its
// routes decide.
void Exchange::resume_admitted() {
  step_ = route_hold_ ? Step::kMatchRoute : Step::kChooseCluster;
  advance();
}

void Exchange::refuse(const policy::LimitVerdict& verdict) {
  owner_->refusal = verdict;
  // The text lives as long as the limit, and that as long as the hold.
  const policy::RefusalText& text = verdict.text();
  fail(make_error(text.code, text.detail.c_str()));
}

bool Exchange::refused_by_limit() const {
  return owner_ != nullptr && owner_->refusal.limit != nullptr && failed_;
}

const policy::RefusalText* Exchange::refusal_text() const {
  if (!refused_by_limit()) return nullptr;
  const policy::RefusalText& text = owner_->refusal.text();
  return error_.detail == text.detail.c_str() ? &text : nullptr;
}

// draft-ietf-httpapi-ratelimit-headers, and Retry-After (RFC 9110, 10.2.3).
void Exchange::tell_limit(HeaderList& headers) {
  const policy::LimitVerdict& verdict = owner_->refusal;
  std::array<char, 20> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), verdict.retry_after_s()).ptr;
  headers.push({"retry-after", arena_.copy({digits.data(), end}), HeaderId::kRetryAfter});
  if (verdict.cause != Cause::kRate && verdict.cause != Cause::kConcurrency) return;
  headers.push(
      {"ratelimit-policy", policy::rate_limit_policy_field(verdict, arena_), HeaderId::kOther});
  headers.push({"ratelimit", policy::rate_limit_field(verdict, arena_), HeaderId::kOther});
}

void Exchange::charge_cost(const HeaderList& response) {
  owner_->hold.charge_cost(response, worker_.loop().now());
}

void Exchange::charge_flow() {
  const uint64_t flown = bytes_received_ + bytes_sent_;
  if (!owner_->admitted || flown - owner_->charged_bytes < kChargeStep) return;
  owner_->hold.charge_bytes(flown - owner_->charged_bytes, worker_.loop().now());
  owner_->charged_bytes = flown;
}

// All that was held goes back here, whatever has ended the exchange.
void Exchange::release_owner() {
  // Who left the queue without a place has used nothing.
  const uint64_t rest = bytes_received_ + bytes_sent_ - owner_->charged_bytes;
  if (owner_->admitted) owner_->hold.charge_bytes(rest, worker_.loop().now());
  leave_share();
  owner_->~Owner();
  owner_ = nullptr;
}

}  // namespace weir::proxy
