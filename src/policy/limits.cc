// SPDX-License-Identifier: Apache-2.0
#include "policy/limits.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <new>
#include <utility>

#include "base/check.h"
#include "http/header_id.h"

namespace weir::policy {
namespace {

using Outcome = LimitVerdict::Outcome;
using Cause = LimitVerdict::Cause;
using std::chrono::ceil;
using std::chrono::seconds;

std::uint64_t seconds_up(std::uint64_t nanoseconds) {
  return nanoseconds / 1'000'000'000 + (nanoseconds % 1'000'000'000 != 0 ? 1 : 0);
}

LimitVerdict refused_rate(const Limit& limit, const Rate& rate, const RateResult& result) {
  LimitVerdict out;
  out.outcome = Outcome::kRefuse;
  out.cause = Cause::kRate;
  out.limit = &limit;
  out.retry_after = result.retry_after;
  out.quota = rate.burst();
  out.remaining = rate.tokens(result.left_ns);
  out.window_s = std::max<std::uint64_t>(seconds_up(rate.tolerance()), 1);
  const bool never = result.retry_after == Duration::max();
  out.reset_s = never ? 0 : seconds_up(static_cast<std::uint64_t>(result.retry_after.count()));
  return out;
}

LimitVerdict refused_place(const Limit& limit, const LimitRule& rule, Cause cause) {
  LimitVerdict out;
  out.outcome = Outcome::kRefuse;
  out.cause = cause;
  out.limit = &limit;
  out.retry_after = std::max<Duration>(rule.max_wait, seconds(1));
  out.quota = rule.concurrency->max;
  return out;
}

// `"name";q=100;w=60`: the time is left out where there is none.
std::string_view field(const LimitVerdict& verdict, char first, std::uint64_t count, char second,
                       std::uint64_t time, base::Arena& arena) {
  constexpr std::size_t kDigits = 20;
  const std::string_view name = verdict.limit->name();
  char* const text = arena.array<char>(2 + name.size() + 2 * (3 + kDigits));
  char* at = text;
  *at++ = '"';
  at = std::ranges::copy(name, at).out;
  *at++ = '"';
  const auto put = [&at](char what, std::uint64_t value) {
    *at++ = ';';
    *at++ = what;
    *at++ = '=';
    at = std::to_chars(at, at + kDigits, value).ptr;
  };
  put(first, count);
  if (time != 0) put(second, time);
  return {text, static_cast<std::size_t>(at - text)};
}

/// Calls `visit(table, rate, cost)` for the rates of one limit; the last two are paid afterwards,
/// so what is asked beforehand is whether anything is left.
template <typename Visit>
void for_each_rate(const Limit& limit, const LimitRule& rule, Visit visit) {
  const LimitState& state = limit.state();
  if (rule.requests && !visit(*state.requests, *rule.requests)) return;
  if (rule.bandwidth && !visit(*state.bandwidth, *rule.bandwidth)) return;
  if (rule.cost) visit(*state.cost, *rule.cost);
}

}  // namespace

std::uint64_t LimitVerdict::retry_after_s() const {
  if (retry_after == Duration::max()) return 86'400;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(ceil<seconds>(retry_after).count(), 1));
}

std::string_view rate_limit_policy_field(const LimitVerdict& verdict, base::Arena& arena) {
  return field(verdict, 'q', verdict.quota, 'w', verdict.window_s, arena);
}

std::string_view rate_limit_field(const LimitVerdict& verdict, base::Arena& arena) {
  return field(verdict, 'r', verdict.remaining, 't', verdict.reset_s, arena);
}

// ---- The worker.

WorkerLimits::~WorkerLimits() {
  for (const Generation& generation : generations_) CHECK(generation.users == 0);
}

void WorkerLimits::adopt(std::shared_ptr<const LimitSet> set) {
  if (!generations_.empty() && generations_.back().users == 0) generations_.pop_back();
  generations_.push_back({std::move(set), 0});
}

void WorkerLimits::end(void* which) {
  auto& generation = *static_cast<Generation*>(which);
  if (--generation.users > 0 || &generation == &generations_.back()) return;
  generations_.remove_if([&](const Generation& each) { return &each == &generation; });
}

LimitVerdict WorkerLimits::check(const LimitFacts& facts, LimitHold& hold, base::Arena& arena) {
  DCHECK(hold.worker_ == nullptr);
  if (generations_.empty() || generations_.back().set->limits().empty()) return {};
  const TimePoint now = clock_.now();
  const LimitVerdict verdict = begin(facts, hold, arena, now);
  return verdict.outcome == Outcome::kPass ? hold.take_places(now) : verdict;
}

LimitVerdict WorkerLimits::begin(const LimitFacts& facts, LimitHold& hold, base::Arena& arena,
                                 TimePoint now) {
  Generation& generation = generations_.back();
  const auto limits = generation.set->limits();
  ++generation.users;
  hold.worker_ = this;
  hold.generation_ = &generation;
  hold.entries_ =
      static_cast<LimitHold::Entry*>(arena.allocate(limits.size() * sizeof(LimitHold::Entry)));
  hold.weight_ = facts.weight;
  hold.bytes_ = facts.held_bytes;
  // Among many keys each look waits for memory: they wait together.
  for (const Limit& limit : limits) {
    if (!limit.matches(facts)) continue;
    const LimitKey key = limit.key(facts);
    limit.state().prefetch(key);
    new (hold.entries_ + hold.count_++) LimitHold::Entry{&limit, nullptr, key, {}, {}, {}};
  }
  bool queues = false;
  LimitVerdict verdict;
  for (LimitHold::Entry& entry : hold.entries()) {
    const LimitRule& rule = entry.limit->rule(entry.key, facts);
    entry.rule = &rule;
    if (!hold.peek_rates(entry, now, verdict)) return verdict;
    queues = queues || (rule.concurrency && rule.concurrency->max_waiting > 0);
    hold.counts_cost_ = hold.counts_cost_ || rule.cost.has_value();
  }
  if (queues) {
    hold.tenant_ =
        facts.tenant_key != nullptr ? *facts.tenant_key : key_of_name(secret_, facts.tenant);
  }
  return verdict;
}

// ---- The hold.

bool LimitHold::peek_rates(Entry& entry, TimePoint now, LimitVerdict& verdict) {
  const Limit& limit = *entry.limit;
  for_each_rate(limit, *entry.rule, [&](const RateTable& table, const Rate& rate) {
    const bool requests = &table == limit.state().requests.get();
    const RateResult result = table.peek(entry.key, rate, 1, now, requests ? &entry.seen : nullptr);
    if (result.passed) return true;
    if (limit.dry_run()) {
      // Requests are counted when they are charged, what is paid afterwards here.
      if (!requests) worker_->stats(limit).dry_run.add();
      return true;
    }
    verdict = refused_rate(limit, rate, result);
    return false;
  });
  if (verdict.outcome == Outcome::kPass) return true;
  worker_->stats(limit).refused_rate.add();
  give_back();
  return false;
}

LimitVerdict LimitHold::take_places(TimePoint now) {
  for (; next_ < count_; ++next_) {
    Entry& entry = entries_[next_];
    if (!entry.rule->concurrency) continue;
    PlaceAsk ask{entry.key, *entry.rule->concurrency, tenant_, weight_,
                 bytes_,    entry.rule->max_wait};
    if (entry.limit->dry_run()) ask.bounds.max_waiting = 0;
    PlaceAnswer answer = worker_->desk_.ask(*entry.limit->state().places, ask, *this, now);
    LimitStats& stats = worker_->stats(*entry.limit);
    if (answer.result == Take::kTaken) {
      entry.permit = std::move(answer.permit);
    } else if (answer.result == Take::kQueued) {
      stats.waited.add();
      for (Entry& each : entries()) each.seen = {};
      LimitVerdict verdict;
      verdict.outcome = Outcome::kWait;
      return verdict;
    } else if (entry.limit->dry_run()) {
      stats.dry_run.add();
    } else {
      stats.refused_concurrency.add();
      const LimitVerdict verdict =
          refused_place(*entry.limit, *entry.rule,
                        answer.result == Take::kFull ? Cause::kConcurrency : Cause::kQueueFull);
      give_back();
      return verdict;
    }
  }
  return charge_rates(now);
}

LimitVerdict LimitHold::charge_rates(TimePoint now) {
  for (std::uint32_t i = 0; i < count_; ++i) {
    Entry& entry = entries_[i];
    LimitStats& stats = worker_->stats(*entry.limit);
    if (entry.rule->requests) {
      RateTable& table = *entry.limit->state().requests;
      const Rate& rate = *entry.rule->requests;
      entry.charged = entry.seen ? table.charge(entry.key, rate, 1, now, entry.seen)
                                 : table.charge(entry.key, rate, 1, now);
      if (!entry.charged.passed && entry.limit->dry_run()) {
        stats.dry_run.add();
        continue;
      }
      if (!entry.charged.passed) {
        stats.refused_rate.add();
        refund_rates(i, now);
        const LimitVerdict verdict =
            refused_rate(*entry.limit, *entry.rule->requests, entry.charged);
        give_back();
        return verdict;
      }
    }
  }
  for (const Entry& entry : entries()) worker_->stats(*entry.limit).passed.add();
  return {};
}

void LimitHold::refund_rates(std::size_t count, TimePoint charged_at) {
  const TimePoint now = worker_->clock_.now();
  for (const Entry& entry : entries().first(count)) {
    if (!entry.charged.passed) continue;
    entry.limit->state().requests->refund(entry.key, entry.charged, charged_at, now);
  }
}

void LimitHold::charge_bytes(std::uint64_t bytes, TimePoint now) {
  for (const Entry& entry : entries()) {
    if (!entry.rule->bandwidth) continue;
    entry.limit->state().bandwidth->charge_debt(entry.key, *entry.rule->bandwidth, bytes, now);
  }
}

void LimitHold::charge_cost(std::uint64_t cost, TimePoint now) {
  for (const Entry& entry : entries()) {
    if (!entry.rule->cost) continue;
    entry.limit->state().cost->charge_debt(entry.key, *entry.rule->cost, cost, now);
  }
}

void LimitHold::charge_cost(const HeaderList& response, TimePoint now) {
  if (!counts_cost_) return;
  for (const Entry& entry : entries()) {
    if (!entry.rule->cost) continue;
    for (const Header& header : response) {
      if (!http::iequals(header.name, entry.limit->cost_header())) continue;
      std::uint64_t cost = 0;
      const char* const end = header.value.data() + header.value.size();
      const auto parsed = std::from_chars(header.value.data(), end, cost);
      if (parsed.ec != std::errc() || parsed.ptr != end) continue;
      entry.limit->state().cost->charge_debt(entry.key, *entry.rule->cost, cost, now);
    }
  }
}

void LimitHold::on_place(PlacePermit permit) {
  entries_[next_++].permit = std::move(permit);
  const LimitVerdict verdict = take_places(worker_->clock_.now());
  if (verdict.outcome != Outcome::kWait) observer_.on_limits(verdict);
}

void LimitHold::on_dropped(DropCause cause) {
  observer_.on_limits(
      refuse_wait(cause == DropCause::kFull ? Cause::kQueueFull : Cause::kQueueDelay));
}

LimitVerdict LimitHold::expire() {
  CHECK(waiting());
  return refuse_wait(Cause::kQueueDelay);
}

LimitVerdict LimitHold::refuse_wait(Cause cause) {
  const Entry& entry = entries_[next_];
  worker_->stats(*entry.limit).refused_wait.add();
  const LimitVerdict verdict = refused_place(*entry.limit, *entry.rule, cause);
  give_back();
  return verdict;
}

void LimitHold::give_back() {
  cancel();
  std::destroy(entries().begin(), entries().end());
  count_ = next_ = 0;
  counts_cost_ = false;
}

void LimitHold::release() {
  give_back();
  if (worker_ == nullptr) return;
  std::exchange(worker_, nullptr)->end(std::exchange(generation_, nullptr));
}

}  // namespace weir::policy
