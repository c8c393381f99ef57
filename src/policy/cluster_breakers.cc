// SPDX-License-Identifier: Apache-2.0
#include "policy/cluster_breakers.h"

#include <algorithm>
#include <functional>

namespace weir::policy {
namespace {

bool has(const CircuitBreakerConfig& config, BreakerLevel level) {
  return std::ranges::find(config.per, level) != config.per.end();
}

}  // namespace

struct ClusterBreakers::Function {
  Function(std::string_view function, std::size_t of) : name(function), hash(of) {}
  const std::string name;
  const std::size_t hash;
  Breaker breaker;
};

// Open addressing, filled to a half: readers take no lock, entries are never taken out.
struct ClusterBreakers::Functions {
  static constexpr std::size_t kPlaces = 2 * kMaxFunctions;
  ~Functions() {
    for (auto& place : places) delete place.load(std::memory_order_relaxed);
  }
  bool full() const { return count.load(std::memory_order_relaxed) >= kMaxFunctions; }
  Breaker* late(std::size_t hash) { return &shared[hash % shared.size()]; }
  bool is_late(const Breaker* breaker) const {
    return std::ranges::any_of(shared, [&](const Breaker& each) { return &each == breaker; });
  }

  std::array<std::atomic<Function*>, kPlaces> places{};
  std::atomic<std::size_t> count{0};
  std::array<Breaker, kShared> shared;  ///< Of functions that came when all places were taken.
};

ClusterBreakers::~ClusterBreakers() { delete functions_.load(std::memory_order_relaxed); }

void BreakerPermit::release() {
  if (Breaker* breaker = std::exchange(cluster_probe_, nullptr)) breaker->end_probe();
  if (Breaker* breaker = std::exchange(function_probe_, nullptr)) breaker->end_probe();
}

// ---- Functions.

ClusterBreakers::Functions& ClusterBreakers::table() {
  Functions* seen = functions_.load(std::memory_order_acquire);
  if (seen != nullptr) return *seen;
  auto fresh = std::make_unique<Functions>();
  if (functions_.compare_exchange_strong(seen, fresh.get(), std::memory_order_acq_rel)) {
    return *fresh.release();
  }
  return *seen;
}

Breaker* ClusterBreakers::find(std::string_view function) const {
  Functions* table = functions_.load(std::memory_order_acquire);
  if (table == nullptr || function.empty()) return nullptr;
  const std::size_t hash = std::hash<std::string_view>{}(function);
  for (std::size_t i = hash;; ++i) {
    Function* at = table->places[i % Functions::kPlaces].load(std::memory_order_acquire);
    if (at == nullptr) {
      return table->full() ? table->late(hash) : nullptr;
    }
    if (at->hash == hash && at->name == function) return &at->breaker;
  }
}

Breaker* ClusterBreakers::find_or_add(std::string_view function) {
  if (Breaker* known = find(function)) return known;
  Functions& all = table();
  const std::size_t hash = std::hash<std::string_view>{}(function);
  if (all.count.fetch_add(1, std::memory_order_relaxed) >= kMaxFunctions) {
    all.count.fetch_sub(1, std::memory_order_relaxed);
    return all.late(hash);
  }
  auto fresh = std::make_unique<Function>(function, hash);
  for (std::size_t i = hash;; ++i) {
    std::atomic<Function*>& place = all.places[i % Functions::kPlaces];
    Function* at = nullptr;
    if (place.compare_exchange_strong(at, fresh.get(), std::memory_order_acq_rel)) {
      return &fresh.release()->breaker;
    }
    if (at->hash != hash || at->name != function) continue;
    // Another worker was faster.
    all.count.fetch_sub(1, std::memory_order_relaxed);
    return &at->breaker;
  }
}

// ---- Calls.

std::optional<BreakerRefusal> ClusterBreakers::admit(const CircuitBreakerConfig& config,
                                                     std::string_view function,
                                                     BreakerPermit& permit,
                                                     const BreakerMoment& at) {
  permit.release();
  if (has(config, BreakerLevel::kFunction)) {
    if (Breaker* own = find(function)) {
      const Breaker::Verdict verdict = own->admit(config, at.now, at.rng);
      if (verdict == Breaker::Verdict::kRefuse) {
        return BreakerRefusal{BreakerLevel::kFunction, own->retry_after(at.now)};
      }
      if (verdict == Breaker::Verdict::kProbe) permit.function_probe_ = own;
    }
  }
  if (!has(config, BreakerLevel::kCluster)) return std::nullopt;
  const Breaker::Verdict verdict = own_.admit(config, at.now, at.rng);
  if (verdict == Breaker::Verdict::kProbe) permit.cluster_probe_ = &own_;
  if (verdict != Breaker::Verdict::kRefuse) return std::nullopt;
  permit.release();
  return BreakerRefusal{BreakerLevel::kCluster, own_.retry_after(at.now)};
}

// Functions that are not closed, and the one that fails most among those that have had too few
// calls to be judged: it will be, and must not take the cluster with it. Counts of endpoints and of
// functions overlap: the larger part is taken, so that nothing is taken out twice.
struct ClusterBreakers::Explained final : ExplainedBy {
  Explained(const ClusterBreakers& of, const CircuitBreakerConfig& by, const ExplainedBy* others)
      : breakers(of), config(by), endpoints(others) {}

  base::OutcomeCounts explained(const base::OutcomeCounts& all, TimePoint now) const override {
    const base::OutcomeCounts functions = by_functions(now);
    if (endpoints == nullptr) return functions;
    const base::OutcomeCounts ejected = endpoints->explained(all, now);
    return ejected.failures > functions.failures ? ejected : functions;
  }

  base::OutcomeCounts by_functions(TimePoint now) const {
    base::OutcomeCounts out;
    base::OutcomeCounts young;
    const Functions* table = breakers.functions_.load(std::memory_order_acquire);
    if (table == nullptr) return out;
    const auto judge = [&](const Breaker& breaker) {
      const base::OutcomeCounts counts = breaker.counts(config, now);
      if (breaker.state() != BreakerState::kClosed) {
        out += counts;
      } else if (counts.calls < config.minimum_requests && counts.failures > young.failures) {
        young = counts;
      }
    };
    for (const auto& place : table->places) {
      const Function* at = place.load(std::memory_order_acquire);
      if (at != nullptr) judge(at->breaker);
    }
    if (table->full()) std::ranges::for_each(table->shared, judge);
    out += young;
    return out;
  }

  const ClusterBreakers& breakers;
  const CircuitBreakerConfig& config;
  const ExplainedBy* endpoints;
};

void ClusterBreakers::record(const CircuitBreakerConfig& config, std::string_view function,
                             base::CallOutcome outcome, TimePoint now,
                             const ExplainedBy* endpoints) {
  if (has(config, BreakerLevel::kFunction) && !function.empty()) {
    const bool bad = outcome != base::CallOutcome::kSuccess;
    Breaker* own = bad ? find_or_add(function) : find(function);
    if (own != nullptr) own->record(config, outcome, now);
  }
  if (!has(config, BreakerLevel::kCluster)) return;
  const Explained children(*this, config, endpoints);
  own_.record(config, outcome, now, &children);
}

void ClusterBreakers::withdraw(const CircuitBreakerConfig& config, std::string_view function,
                               const CallEnd& end) {
  Breaker* const own = has(config, BreakerLevel::kFunction) ? find(function) : nullptr;
  if (own != nullptr) own->withdraw(config, end);
  if (has(config, BreakerLevel::kCluster)) own_.withdraw(config, end);
}

base::OutcomeCounts ClusterBreakers::explains(const CircuitBreakerConfig& config,
                                              TimePoint now) const {
  if (own_.state() == BreakerState::kClosed) return {};
  return own_.counts(config, now);
}

// ---- Operators.

bool ClusterBreakers::force(std::string_view function, std::optional<BreakerState> state,
                            TimePoint until) {
  Breaker* breaker = &own_;
  if (!function.empty()) {
    breaker = state ? find_or_add(function) : find(function);
    // What is said of one function must not be done to those that share a breaker with it.
    if (breaker == nullptr || table().is_late(breaker)) return false;
  }
  breaker->force(state, until);
  return true;
}

std::vector<ClusterBreakers::Row> ClusterBreakers::read(const CircuitBreakerConfig& config,
                                                        TimePoint now) const {
  std::vector<Row> rows;
  rows.push_back({{}, own_.read(config, now)});
  const Functions* table = functions_.load(std::memory_order_acquire);
  if (table == nullptr) return rows;
  const auto show = [&](const std::string& name, const Breaker& breaker) {
    const Breaker::Reading reading = breaker.read(config, now);
    const bool at_rest = reading.state == BreakerState::kClosed && !reading.forced &&
                         reading.refused_ppm == 0 && reading.window.failures == 0;
    if (!at_rest) rows.push_back({name, reading});
  };
  for (const auto& place : table->places) {
    const Function* at = place.load(std::memory_order_acquire);
    if (at != nullptr) show(at->name, at->breaker);
  }
  for (std::size_t i = 0; table->full() && i < kShared; ++i) {
    show("(others " + std::to_string(i) + ")", table->shared[i]);
  }
  return rows;
}

std::shared_ptr<ClusterBreakers> BreakerRegistry::state(const std::string& cluster) {
  std::weak_ptr<ClusterBreakers>& known = clusters_[cluster];
  auto state = known.lock();
  if (!state) known = state = std::make_shared<ClusterBreakers>(cluster);
  return state;
}

}  // namespace weir::policy
