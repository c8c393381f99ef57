// SPDX-License-Identifier: Apache-2.0
#include "app/overrides.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "app/op_log.h"
#include "config/values.h"

namespace weir::app {
namespace {

using admin::OverrideEnd;
using admin::OverrideKind;
using admin::SetAnswer;

constexpr Millis kLongest = std::chrono::hours{24};
// A drill that everybody has forgotten is an outage.
constexpr Millis kLongestFault = std::chrono::hours{1};
// Whoever sets more has a config to write.
constexpr size_t kMost = 1'000;

Millis millis(Duration duration) {
  return std::max(Millis{0}, std::chrono::duration_cast<Millis>(duration));
}

std::unexpected<SetAnswer> refuse(std::string text) {
  return std::unexpected(SetAnswer{422, std::move(text) + "\n"});
}

bool takes_back(std::string_view value) { return value == "none" || value == "auto"; }

void log_end(const admin::OverrideRow& row, std::string_view why) {
  op_log(LogLevel::kInfo, "override ended",
         {{"kind", admin::override_word(row.kind)},
          {"name", row.name},
          {"value", row.value},
          {"configured", row.configured},
          {"why", why}});
}

}  // namespace

Overrides::Overrides(net::Loop& loop, OverrideTargets::Parts parts)
    : loop_(loop), targets_(parts), timer_(net::timer_callback<&Overrides::on_time>(this)) {}

void Overrides::stop() {
  timer_.cancel();
  targets_.follow(nullptr);
}

// ---- Verbs.

SetAnswer Overrides::set(const admin::SetRequest& request) {
  const auto target = targets_.find(request.kind, request.name);
  if (!target) return target.error();
  if (takes_back(request.value)) return take_back(*target, request.who);
  auto entry = read(*target, request);
  if (!entry) return entry.error();
  // HAProxy's operators take `drain` back with `ready`.
  if (entry->value == targets_.configured(*target)) return take_back(*target, request.who);
  Entry* known = find(target->kind, target->name);
  if (known == nullptr && entries_.size() >= kMost) {
    return {422, "too much is set by hand: " + std::to_string(kMost) + "; see weir overrides\n"};
  }
  const auto before = known != nullptr ? std::optional(*known) : std::nullopt;
  if (known == nullptr) known = &entries_.emplace_back();
  *known = std::move(*entry);
  if (!apply(*target)) {
    if (before) {
      *known = *before;
    } else {
      entries_.pop_back();
    }
    return {422, "too many functions of " + target->cluster + " have a breaker of their own\n"};
  }
  arm();
  const admin::OverrideRow shown = row(*known);
  op_log(LogLevel::kInfo, "override set",
         {{"kind", admin::override_word(shown.kind)},
          {"name", shown.name},
          {"value", shown.value},
          {"configured", shown.configured},
          {"lasts", admin::override_end(shown)},
          {"by", shown.who}});
  std::string line = std::string(admin::override_word(shown.kind)) + " " + shown.name + ": ";
  if (!shown.configured.empty()) line += shown.configured + " -> ";
  return {200, line + shown.value + ", " + admin::override_end(shown) + "\n"};
}

std::expected<Overrides::Entry, SetAnswer> Overrides::read(const OverrideTarget& target,
                                                           const admin::SetRequest& request) const {
  auto value = OverrideTargets::read_value(target, request.value);
  if (!value) return std::unexpected(std::move(value.error()));
  Entry entry{target,           std::move(*value), OverrideEnd::kReload,
              TimePoint::max(), loop_.now(),       request.who};
  const bool fault = target.kind == OverrideKind::kFault;
  if (request.how_long.empty()) {
    if (fault) return refuse("a fault is injected for a time only: add --for 60s");
    if (target.kind == OverrideKind::kBreaker) {
      return refuse("a breaker is forced for a time only: add --for 5m");
    }
    if (request.keep) entry.end = OverrideEnd::kNever;
    return entry;
  }
  if (request.keep) {
    return refuse(
        "--for lasts over reloads until its time, --keep until it is taken back: "
        "write one of them");
  }
  const auto time = config::parse_duration(request.how_long);
  if (!time || *time <= Millis{0} || *time > (fault ? kLongestFault : kLongest)) {
    return refuse("--for " + request.how_long + " is no time up to " + (fault ? "1h" : "24h") +
                  "; write it as 30s or 5m");
  }
  entry.end = OverrideEnd::kTime;
  entry.until = loop_.now() + *time;
  return entry;
}

SetAnswer Overrides::take_back(const OverrideTarget& target, const std::string& who) {
  Entry* const known = find(target.kind, target.name);
  const std::string configured = targets_.configured(target);
  const std::string now = configured.empty() ? "on its own" : configured + ", as configured";
  const std::string what =
      std::string(admin::override_word(target.kind)) + " " + target.name + ": " + now;
  if (known == nullptr) return {200, what + "; nothing was set\n"};
  const admin::OverrideRow was = row(*known);
  entries_.erase(entries_.begin() + (known - entries_.data()));
  apply(target);
  arm();
  log_end(was, who.empty() ? "taken back" : "taken back by " + who);
  return {200, what + "\n"};
}

std::expected<uint64_t, SetAnswer> Overrides::in_flight(std::string_view kind,
                                                        std::string_view name) const {
  const auto target = targets_.find(kind, name);
  if (!target) return std::unexpected(target.error());
  if (target->kind == OverrideKind::kBreaker || target->kind == OverrideKind::kFault) {
    return refuse("what is in flight is counted at an endpoint, a cluster or a cell");
  }
  return targets_.in_flight(*target);
}

// ---- What is in force.

bool Overrides::apply(const OverrideTarget& target) {
  const std::string value = value_of(target.kind, target.name);
  switch (target.kind) {
    case OverrideKind::kEndpoint:
    case OverrideKind::kWeight:
      targets_.say_endpoint(target, value_of(OverrideKind::kEndpoint, target.name),
                            value_of(OverrideKind::kWeight, target.name));
      return true;
    case OverrideKind::kCluster:
      targets_.say_cluster(target, value);
      return true;
    case OverrideKind::kCell:
      targets_.say_cell(target, value);
      return true;
    case OverrideKind::kBreaker: {
      const Entry* const entry = find(target.kind, target.name);
      return targets_.say_breaker(target, value, entry ? entry->until : TimePoint{});
    }
    case OverrideKind::kFault:
      targets_.say_fault(target, value);
      return true;
    case OverrideKind::kCount:
      break;
  }
  return true;
}

Overrides::Entry* Overrides::find(OverrideKind kind, const std::string& name) {
  const auto found = std::ranges::find_if(entries_, [&](const Entry& entry) {
    return entry.target.kind == kind && entry.target.name == name;
  });
  return found == entries_.end() ? nullptr : &*found;
}

std::string Overrides::value_of(OverrideKind kind, const std::string& name) const {
  for (const Entry& entry : entries_) {
    if (entry.target.kind == kind && entry.target.name == name) return entry.value;
  }
  return {};
}

// `over` says why one ends; empty: it does not. Logged when it has ended.
template <typename Over>
void Overrides::end_all(Over over) {
  std::vector<Entry> ended;
  for (const Entry& entry : entries_) {
    if (!over(entry).empty()) ended.push_back(entry);
  }
  std::erase_if(entries_, [&](const Entry& entry) { return !over(entry).empty(); });
  for (const Entry& entry : ended) {
    apply(entry.target);
    log_end(row(entry), over(entry));
  }
}

void Overrides::published(std::shared_ptr<const proxy::Snapshot> snapshot) {
  // What the next config no longer has is out of reach then, and may come back with one after it.
  for (const Entry& entry : entries_) {
    const bool breaker = snapshot != nullptr && entry.target.kind == OverrideKind::kBreaker;
    if (breaker && !OverrideTargets::has_breaker(*snapshot, entry.target)) {
      targets_.say_breaker(entry.target, {}, {});
    }
  }
  targets_.follow(std::move(snapshot));
  end_all([this](const Entry& entry) -> std::string_view {
    if (entry.end == OverrideEnd::kReload) return "reload";
    return targets_.there(entry.target) ? "" : "it has gone from the config";
  });
  // Clusters that were away meanwhile have forgotten.
  for (const Entry& entry : entries_) apply(entry.target);
}

void Overrides::on_time() {
  const TimePoint now = loop_.now();
  end_all([now](const Entry& entry) -> std::string_view {
    return entry.until <= now ? "its time is over" : "";
  });
  arm();
}

void Overrides::arm() {
  timer_.cancel();
  TimePoint next = TimePoint::max();
  for (const Entry& entry : entries_) next = std::min(next, entry.until);
  if (next != TimePoint::max()) loop_.arm_at(timer_, next);
}

std::vector<admin::OverrideRow> Overrides::rows() const {
  std::vector<admin::OverrideRow> out;
  for (const Entry& entry : entries_) out.push_back(row(entry));
  return out;
}

admin::OverrideRow Overrides::row(const Entry& entry) const {
  const TimePoint now = loop_.clock().now();
  admin::OverrideRow out;
  out.kind = entry.target.kind;
  out.name = entry.target.name;
  out.cluster = entry.target.cluster;
  out.part = entry.target.part;
  out.value = entry.value;
  out.configured = targets_.configured(entry.target);
  out.yaml = targets_.as_yaml(entry.target, entry.value);
  out.end = entry.end;
  if (entry.end == OverrideEnd::kTime) out.left = millis(entry.until - now);
  out.age = millis(now - entry.since);
  out.who = entry.who;
  return out;
}

}  // namespace weir::app
